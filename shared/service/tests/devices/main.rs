//! Devices and the platform, by the messages between them: the use cases over the real store, with
//! the tests in the place of the devices' socket.

#![allow(clippy::unwrap_used, unreachable_pub, reason = "tests")]

#[path = "../support/mod.rs"]
mod support;

mod claims;
mod drain;
mod fleet;
mod list;
mod logs;
mod presence;
mod removed;
mod results;
