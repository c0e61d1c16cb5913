//! The devices' open connections.

use async_trait::async_trait;

use crate::{Error, Result};

/// The largest message that may be sent in one frame, encoded, in bytes; anything larger goes by
/// reference. API Gateway cuts frames at 32 KB.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html>
pub const MAX_FRAME: usize = 28 * 1024;

/// Whether the message fits into one frame.
///
/// # Errors
/// [`Invalid`](Error::Invalid) with the limit.
pub fn check_frame(message: &str) -> Result<()> {
    if message.len() <= MAX_FRAME {
        return Ok(());
    }
    Err(Error::Invalid(format!(
        "the message has {} bytes, {MAX_FRAME} are allowed: send large data as a blob",
        message.len()
    )))
}

/// Sending to connections, as API Gateway's `@connections` does.
///
/// An implementation MUST:
/// * **S1** deliver messages to one connection in the order of the calls, each at most once;
/// * **S2** answer [`Gone`](crate::Error::Gone) for a connection that is closed or never was, and
///   keep answering so;
/// * **S3** refuse a message over [`MAX_FRAME`] as `Invalid`;
/// * **S4** never let one slow connection hold up a send to another.
///
/// That a send succeeded does not mean that the device has it.
#[async_trait]
pub trait Sockets: Send + Sync {
    /// Sends one text message.
    async fn send(&self, connection: &str, message: String) -> Result<()>;

    /// When the connection last received or sent anything, in epoch milliseconds.
    async fn last_activity(&self, connection: &str) -> Result<u64>;

    /// Closes the connection; that it is closed already is no error.
    async fn close(&self, connection: &str) -> Result<()>;
}
