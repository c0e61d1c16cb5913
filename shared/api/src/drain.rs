//! Bodies that a refusal leaves unread are read on and thrown away: a server that closes the
//! connection while the caller still sends makes most clients report a broken connection, and the
//! sentence that says what to change is never seen.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use axum::{
    body::{Body, BodyDataStream, HttpBody},
    extract::Request,
};
use bytes::Bytes;
use futures::{Stream, StreamExt};
use http::header::{CONTENT_TYPE, EXPECT};

/// Smaller bodies that are sent at once have arrived by the time that the answer goes out.
const SMALL: u64 = 64 * 1024;

/// How much is thrown away at most, in bytes; beyond it the connection is closed.
const PATIENCE: usize = 64 << 20;

/// Gives the request a body whose unread rest is thrown away.
pub(crate) fn unread_rest(request: Request) -> Request {
    // a form comes in pieces, as files are read
    let form = request
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"multipart/"));
    let small = request.body().size_hint().upper().is_some_and(|bytes| bytes <= SMALL);
    // who asks first (`Expect: 100-continue`) has not sent anything yet
    if (small && !form) || request.headers().contains_key(EXPECT) {
        return request;
    }
    request.map(|body| Body::from_stream(Drained(Some(body.into_data_stream()))))
}

/// A body; the stream is gone once it has ended.
struct Drained(Option<BodyDataStream>);

impl Stream for Drained {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(stream) = &mut self.0 else { return Poll::Ready(None) };
        let next = stream.poll_next_unpin(context);
        if matches!(next, Poll::Ready(None | Some(Err(_)))) {
            self.0 = None;
        }
        next
    }
}

impl Drop for Drained {
    fn drop(&mut self) {
        if let Some(mut stream) = self.0.take() {
            tokio::spawn(async move {
                let mut left = PATIENCE;
                while let Some(Ok(bytes)) = stream.next().await {
                    let Some(rest) = left.checked_sub(bytes.len()) else { return };
                    left = rest;
                }
            });
        }
    }
}
