//! Uploads in parts. A version is announced; its parts go straight to the object store; when all are
//! there, a message of the queue has them joined, summed up and looked at.
//!
//! Whatever may be left behind on the way is noted before it is made, with the time when somebody
//! is to look after it (`pending`), so that nothing stays of what its maker did not finish.

mod begin;
mod complete;
mod give_up;
mod parts;
mod pending;
mod stored;
mod sweep;
mod validate;

pub use begin::{New, begin};
pub use complete::complete;
pub use give_up::give_up;
pub use parts::{progress, sign};
pub(super) use pending::{Pending, note_at_once, note_left, remove_file};
pub use sweep::sweep;
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
