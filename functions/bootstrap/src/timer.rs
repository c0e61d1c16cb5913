//! A schedule: whatever the event says, it is time.

use api::OnTimer;
use async_trait::async_trait;
use service::App;

use crate::{
    Failure,
    function::{Answer, Kind},
};

pub(crate) struct Timer {
    pub(crate) app: App,
    pub(crate) handler: OnTimer,
}

#[async_trait]
impl Kind for Timer {
    async fn handle(&self, _: &str) -> Result<Answer, Failure> {
        (self.handler)(self.app.clone()).await?;
        Answer::new(&())
    }
}
