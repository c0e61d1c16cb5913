//! How a connection is ended by this side.

use std::time::Duration;

use futures::StreamExt;
use protocol::socket::{Bye, encode};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Error as SocketError, Message, Utf8Bytes};

use super::{
    Server,
    wire::{Break, send},
};
use crate::link::Socket;

/// How long a replaced or ending connection may still bring messages.
const MAX_GOODBYE: Duration = Duration::from_secs(2);

impl Server {
    /// Says goodbye and closes.
    pub(super) async fn leave(&self, socket: &mut Socket, reason: &str) -> Result<(), Break> {
        let bye = encode(&Bye { reason: reason.to_owned() });
        send(socket, &mut vec![Utf8Bytes::from(bye)]).await?;
        self.close(socket, |_| {}).await;
        Ok(())
    }

    /// Ends a connection that has a successor; what it still brings is not lost.
    pub(super) async fn replace(&self, socket: &mut Socket) {
        let mut frames = Vec::new();
        self.desk.outbox(&mut frames);
        // should this fail, the results go over the new connection, as all do that nobody acknowledged
        let _ = send(socket, &mut frames).await;
        let mut ready = Vec::new();
        self.close(socket, |text| self.hear(&text, &mut ready)).await;
        self.start(ready);
    }

    async fn close(&self, socket: &mut Socket, mut hear: impl FnMut(Utf8Bytes)) {
        let goodbye = async {
            socket.close(None).await?;
            while let Some(message) = socket.next().await {
                if let Message::Text(text) = message? {
                    hear(text);
                }
            }
            Ok::<_, SocketError>(())
        };
        // a platform that does not answer a close is not waited for
        let _ = timeout(MAX_GOODBYE, goodbye).await;
    }
}
