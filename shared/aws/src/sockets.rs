//! Sockets: the `@connections` of an API Gateway WebSocket API.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-how-to-call-websocket-api-connections.html>

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use aws_sdk_apigatewaymanagement::{
    error::{ProvideErrorMetadata, SdkError},
    primitives::Blob,
};
use ports::{Error, Result, Sockets, sockets::check_frame};

use crate::{
    clients::Clients,
    error::{Request, incomplete},
};

/// The pauses before a throttled request is sent again: it was refused, so nothing is sent twice.
const PAUSES: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(200)];

const ACTION: &str = "execute-api:ManageConnections";

/// The open connections.
#[derive(Debug)]
pub(crate) struct Connections {
    clients: Arc<Clients>,
    resource: String,
}

impl Connections {
    pub(crate) fn new(clients: Arc<Clients>, endpoint: &str) -> Self {
        Self { clients, resource: format!("the socket API {endpoint}") }
    }

    fn failed<E, R>(&self, error: SdkError<E, R>) -> Error
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
        R: std::fmt::Debug,
    {
        if is_gone(&error) {
            return Error::Gone;
        }
        let request = Request { resource: &self.resource, variable: "DCMP_SOCKET", action: ACTION };
        request.failed(error)
    }
}

/// An id that never was one is malformed to API Gateway, and as gone as any other.
fn is_gone(error: &impl ProvideErrorMetadata) -> bool {
    match error.code() {
        Some("GoneException") => true,
        Some("BadRequestException") => {
            error.message().is_some_and(|said| said.contains("connectionId"))
        }
        _ => false,
    }
}

fn is_throttled(error: &impl ProvideErrorMetadata) -> bool {
    matches!(
        error.code(),
        Some("LimitExceededException" | "TooManyRequestsException" | "ThrottlingException")
    )
}

#[async_trait]
impl Sockets for Connections {
    async fn send(&self, connection: &str, message: String) -> Result<()> {
        check_frame(&message)?;
        let request = self
            .clients
            .sockets
            .post_to_connection()
            .connection_id(connection)
            .data(Blob::new(message));
        for pause in PAUSES {
            match request.clone().send().await {
                Ok(_) => return Ok(()),
                Err(error) if is_throttled(&error) => tokio::time::sleep(pause).await,
                Err(error) => return Err(self.failed(error)),
            }
        }
        request.send().await.map(drop).map_err(|error| self.failed(error))
    }

    async fn last_activity(&self, connection: &str) -> Result<u64> {
        let request = self.clients.sockets.get_connection().connection_id(connection);
        let answer = request.send().await.map_err(|error| self.failed(error))?;
        let active = answer.last_active_at.and_then(|time| time.to_millis().ok());
        active
            .and_then(|ms| ms.try_into().ok())
            .ok_or_else(|| incomplete(ACTION, "time of the last activity"))
    }

    async fn close(&self, connection: &str) -> Result<()> {
        let request = self.clients.sockets.delete_connection().connection_id(connection);
        match request.send().await.map_err(|error| self.failed(error)) {
            Ok(_) | Err(Error::Gone) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_smithy_types::error::ErrorMetadata;

    use super::*;

    #[test]
    fn an_id_that_never_was_is_gone_and_other_mistakes_are_not() {
        let cases = [
            ("GoneException", "null", true),
            ("BadRequestException", "Invalid connectionId: never-was", true),
            ("BadRequestException", "Malformed body", false),
            ("ForbiddenException", "Forbidden", false),
        ];
        for (code, said, expected) in cases {
            let error = ErrorMetadata::builder().code(code).message(said).build();
            assert_eq!(is_gone(&error), expected, "{code}: {said}");
        }
    }
}
