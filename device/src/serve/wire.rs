//! Writing to a connection, and how that breaks off.

use std::time::Duration;

use futures::SinkExt;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Error as SocketError, Message, Utf8Bytes};

use crate::link::Socket;

/// Gateways refuse longer frames; results are cut far below it.
const MAX_FRAME: usize = 32 * 1024;

/// A platform that reads nothing for so long is gone.
const MAX_SEND: Duration = Duration::from_secs(30);

/// Why the work on a connection broke off.
pub(super) enum Break {
    Socket(SocketError),
    Silent(&'static str),
}

impl From<SocketError> for Break {
    fn from(error: SocketError) -> Self {
        Self::Socket(error)
    }
}

/// Writes all frames and flushes once.
pub(super) async fn send(socket: &mut Socket, frames: &mut Vec<Utf8Bytes>) -> Result<(), Break> {
    if frames.is_empty() {
        return Ok(());
    }
    let all = async {
        for frame in frames.drain(..) {
            if frame.len() > MAX_FRAME {
                tracing::error!(frame.bytes = frame.len(), "a message is too long to be sent");
                continue;
            }
            socket.feed(Message::Text(frame)).await?;
        }
        Ok(socket.flush().await?)
    };
    timeout(MAX_SEND, all)
        .await
        .unwrap_or(Err(Break::Silent("the platform takes no messages any more")))
}
