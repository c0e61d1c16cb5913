//! Datasets whose file comes in parts, as those of models do: announced, sent to the object store,
//! completed, and read apart from any request.

mod begin;
mod judge;
mod look_after;
mod parts;

pub use begin::{New, begin};
pub use judge::validate;
pub(crate) use look_after::look_after;
pub use parts::{complete, progress, sign};
