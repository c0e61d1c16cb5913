//! What is around the functions of the devices' socket, wherever it is open: who connects, to whom a
//! message goes, and what a device is told when something was wrong.

use protocol::socket::{self, Fault};
use service::{App, Error, Result, sessions};

use crate::OnMessage;

/// The type under which messages of every other type are handled: API Gateway's route `$default`.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-routes-integrations.html>
pub const UNKNOWN: &str = "$default";

/// The key that a device shows: in the header `X-API-Key`, else as `?token=`.
///
/// # Errors
/// `AuthRequired` when there is neither.
pub fn secret(header: Option<&str>, token: Option<&str>) -> Result<String> {
    header
        .or(token)
        .map(str::to_owned)
        .ok_or_else(|| Error::AuthRequired("send your key in the header X-API-Key".to_owned()))
}

/// Gives a message to its function. A device whose message was not understood or not allowed is told
/// why; what is wrong with us goes to the log. A connection that is over says nothing any more.
///
/// # Errors
/// What the device was told.
pub async fn receive(app: &App, handler: &OnMessage, id: &str, frame: String) -> Result<()> {
    let handled = match sessions::connection(app, id).await {
        Ok(Some(connection)) => handler(app.clone(), connection, frame).await,
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    if let Err(error) = &handled {
        tell(app, id, error).await;
    }
    handled
}

/// Tells a device what was wrong.
pub async fn tell(app: &App, id: &str, error: &Error) {
    if let Error::Internal(cause) = error {
        tracing::error!(%cause, connection.id = id, "a message could not be handled");
    }
    let code = crate::Error::parts(error).1.to_owned();
    let fault = socket::encode(&Fault { code, message: error.to_string() });
    if let Err(cause) = app.ports.sockets.send(id, fault).await {
        tracing::debug!(%cause, connection.id = id, "a device was not told of its fault");
    }
}

/// What is wrong with a message of a type that no function has.
pub(crate) fn unknown(frame: &str, known: &[&str]) -> Error {
    match socket::kind(frame) {
        None => Error::invalid("message", "expected a JSON object with a text `type`"),
        Some(kind) => {
            let mut known = known.to_vec();
            known.sort_unstable();
            let known = known.join(", ");
            Error::invalid("type", format!("`{kind}` is no message type; there are {known}"))
        }
    }
}
