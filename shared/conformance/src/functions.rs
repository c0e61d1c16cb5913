//! Functions: F1 to F4. The subject provides the functions [`FUNCTIONS`], each [`behave`] with the
//! limit [`LIMIT`].

use std::time::Duration;

use bytes::Bytes;
use ports::{Error, MAX_PAYLOAD};
use tokio::time::timeout;

use crate::{
    Subject,
    support::{Outcome, checks, ensure},
};

checks! {
    "F1" "only functions that are can be called" known;
    "F2" "what is too large is refused, both ways" limits;
    "F3" "a call ends at the function's limit" ends;
    "F4" "a panic stays in the called function" panics;
}

/// The names of the functions that the checks call.
pub const FUNCTIONS: [&str; 4] = [ECHO, LARGE, SLOW, PANIC];

/// The time limit that the functions have.
pub const LIMIT: Duration = Duration::from_secs(1);

const ECHO: &str = "conformance-echo";
const LARGE: &str = "conformance-large";
const SLOW: &str = "conformance-slow";
const PANIC: &str = "conformance-panic";

/// What the function `name` does.
///
/// # Errors
/// None of its own.
///
/// # Panics
/// In the function that is there for that.
pub async fn behave(name: &str, payload: Bytes) -> ports::Result<Bytes> {
    match name {
        LARGE => Ok(Bytes::from(format!("\"{}\"", "x".repeat(MAX_PAYLOAD)))),
        SLOW => {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            Ok(payload)
        }
        PANIC => panic!("as it was asked to"),
        _ => Ok(payload),
    }
}

async fn known(subject: &mut dyn Subject) -> Outcome {
    let functions = subject.ports().functions;
    let answer = functions.call(ECHO, Bytes::from_static(b"{\"a\":1}")).await?;
    ensure!(answer == "{\"a\":1}", "the echo is {answer:?}");
    let refused = functions.call("conformance-none", Bytes::from_static(b"{}")).await;
    ensure!(matches!(refused, Err(Error::NotFound(_))), "no such function: {refused:?}");
    Ok(())
}

async fn limits(subject: &mut dyn Subject) -> Outcome {
    let functions = subject.ports().functions;
    let largest = Bytes::from(format!("\"{}\"", "x".repeat(MAX_PAYLOAD - 2)));
    let answer = functions.call(ECHO, largest.clone()).await?;
    ensure!(answer == largest, "the largest payload came back with {} bytes", answer.len());
    let larger = Bytes::from(format!("\"{}\"", "x".repeat(MAX_PAYLOAD - 1)));
    for (function, payload) in [(ECHO, larger), (LARGE, Bytes::from_static(b"{}"))] {
        let refused = functions.call(function, payload).await;
        let size = refused.as_ref().map(Bytes::len);
        ensure!(matches!(refused, Err(Error::Invalid(_))), "{function} too large: {size:?}");
    }
    Ok(())
}

async fn ends(subject: &mut dyn Subject) -> Outcome {
    let functions = subject.ports().functions;
    let call = functions.call(SLOW, Bytes::from_static(b"{}"));
    let ended = timeout(subject.patience(), call).await?;
    ensure!(matches!(ended, Err(Error::Unavailable(_))), "a call without end: {ended:?}");
    Ok(())
}

async fn panics(subject: &mut dyn Subject) -> Outcome {
    let functions = subject.ports().functions;
    let crashed = functions.call(PANIC, Bytes::from_static(b"{}")).await;
    ensure!(matches!(crashed, Err(Error::Unavailable(_))), "a panic: {crashed:?}");
    functions.call(ECHO, Bytes::from_static(b"{}")).await?;
    Ok(())
}
