//! Uploads in parts. A version is announced; its parts go straight to the object store; when all are
//! there, a message of the queue has them joined, summed up and looked at.

mod begin;
mod complete;
mod give_up;
mod look_after;
mod parts;
mod stored;
mod validate;

pub use begin::{New, begin};
pub use complete::complete;
pub use give_up::give_up;
pub(crate) use look_after::look_after;
pub use parts::{progress, sign};
pub use validate::validate;

/// What an upload may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The largest file in bytes.
    pub max_size: u64,
    /// An upload is given up when no part came for so long, in milliseconds.
    pub idle_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        // protocol buffers, and so ONNX files, end at 2 GiB
        Self { max_size: 2 << 30, idle_ms: 24 * 3600 * 1000 }
    }
}
