//! What the checks are written with.

use ports::{Item, Key, Ports};
use serde_json::{Value, json};

/// What was seen that must not be.
#[derive(Debug)]
pub(crate) struct Failure(pub(crate) String);

impl From<ports::Error> for Failure {
    fn from(error: ports::Error) -> Self {
        Self(format!("unexpected error: {error}"))
    }
}

impl From<tokio::time::error::Elapsed> for Failure {
    fn from(_: tokio::time::error::Elapsed) -> Self {
        Self("it did not come".to_owned())
    }
}

pub(crate) type Outcome = Result<(), Failure>;

/// Fails the check with the message unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err($crate::support::Failure(format!($($message)+)));
        }
    };
}

/// The list of a module's checks: the MUST, the name in words, the function.
macro_rules! checks {
    ($($must:literal $name:literal $run:ident;)+) => {
        pub(crate) const CHECKS: &[$crate::Check] = &[$($crate::Check {
            must: $must,
            name: $name,
            run: |subject| ::futures::FutureExt::boxed($run(subject)),
        }),+];
    };
}

pub(crate) use {checks, ensure};

/// An item from a JSON object.
pub(crate) fn item(value: Value) -> Item {
    Item::from_json(value.to_string().into())
}

/// A small item that holds a number.
pub(crate) fn numbered(number: u64) -> Item {
    item(json!({ "number": number }))
}

/// A partition that nothing else uses, so that a store need not be empty.
pub(crate) fn partition(ports: &Ports) -> String {
    ports.clock.id("conformance")
}

/// A key that nothing else uses.
pub(crate) fn key(ports: &Ports) -> Key {
    Key::new(partition(ports), "HEAD")
}
