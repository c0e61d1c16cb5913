//! Faults of sockets, functions and the clock.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use ports::{Clock, Error, Functions, MAX_FRAME, Result, Sockets};

use super::Faulty;

#[async_trait]
impl Sockets for Faulty {
    async fn send(&self, connection: &str, mut message: String) -> Result<()> {
        if self.breaks("S4") {
            let _jammed = self.jammed.lock().await;
            if self.count() > 50 {
                std::future::pending::<()>().await;
            }
        }
        if self.breaks("S1") && self.count() == 7 {
            self.inner.sockets.send(connection, message.clone()).await?;
        }
        if self.breaks("S3") {
            message.truncate(MAX_FRAME);
        }
        match self.inner.sockets.send(connection, message).await {
            Err(Error::Gone) if self.breaks("S2") => Ok(()),
            result => result,
        }
    }

    async fn last_activity(&self, connection: &str) -> Result<u64> {
        self.inner.sockets.last_activity(connection).await
    }

    async fn close(&self, connection: &str) -> Result<()> {
        self.inner.sockets.close(connection).await
    }
}

#[async_trait]
impl Functions for Faulty {
    async fn call(&self, function: &str, payload: Bytes) -> Result<Bytes> {
        match self.inner.functions.call(function, payload).await {
            Err(Error::NotFound(_)) if self.breaks("F1") => Ok(Bytes::new()),
            Err(Error::Invalid(_)) if self.breaks("F2") => Ok(Bytes::new()),
            Err(Error::Unavailable(_)) if self.breaks("F3") => std::future::pending().await,
            Err(Error::Unavailable(_)) if self.breaks("F4") => panic!("it reached the caller"),
            result => result,
        }
    }
}

#[async_trait]
impl Clock for Faulty {
    fn now_us(&self) -> u64 {
        let back = if self.breaks("K1") { self.count() % 2 * 1000 } else { 0 };
        self.inner.clock.now_us() - back
    }

    fn id(&self, prefix: &str) -> String {
        let id = self.inner.clock.id(prefix);
        // The end first: unique still, and in no order.
        if self.breaks("K2") && prefix == "job" { id.chars().rev().collect() } else { id }
    }

    fn random(&self, bytes: &mut [u8]) {
        if self.breaks("K3") {
            return bytes.fill(7);
        }
        self.inner.clock.random(bytes);
    }

    async fn sleep(&self, duration: Duration) {
        let duration = if self.breaks("K4") { Duration::ZERO } else { duration };
        self.inner.clock.sleep(duration).await;
    }
}
