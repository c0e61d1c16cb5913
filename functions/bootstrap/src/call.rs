//! A call by another function: the event is the payload, the answer its JSON.

use api::OnCall;
use async_trait::async_trait;
use serde_json::value::RawValue;
use service::App;

use crate::{
    Failure,
    function::{Answer, Kind},
};

pub(crate) struct Call {
    pub(crate) app: App,
    pub(crate) handler: OnCall,
}

#[async_trait]
impl Kind for Call {
    async fn handle(&self, event: &str) -> Result<Answer, Failure> {
        let answer = (self.handler)(self.app.clone(), event.to_owned().into()).await?;
        let answer = String::from_utf8(answer).map_err(Failure::answer)?;
        RawValue::from_string(answer).map(Answer::raw).map_err(Failure::answer)
    }
}
