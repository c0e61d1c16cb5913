//! A batch of the table's stream. The handler takes it as a whole; when it fails, or from a change
//! that cannot be read, Lambda brings it again.
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html>

use api::OnFeed;
use async_trait::async_trait;
use lambda_runtime::Context;
use service::App;

use crate::{
    Failure,
    function::{Answer, Kind},
};

pub(crate) struct Feed {
    pub(crate) app: App,
    pub(crate) handler: OnFeed,
}

#[async_trait]
impl Kind for Feed {
    async fn handle(&self, event: &str, _: Context) -> Result<Answer, Failure> {
        let _ = event;
        (self.handler)(self.app.clone(), Vec::new()).await?;
        Answer::new(&())
    }
}
