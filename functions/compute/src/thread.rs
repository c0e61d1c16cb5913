//! Reading a file in a thread of its own: it computes, waits, and may need much of the stack.

use service::{Error, Result};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

/// Shapes that an engine follows recursively may be nested deep; threads for requests have 2 MB.
const STACK: usize = 64 << 20;

/// Runs `look` in a thread of its own. Whoever asked may have gone, and the thread goes on: so it is
/// the thread that gives the room back.
pub(crate) fn apart<T: Send + 'static>(
    room: OwnedSemaphorePermit,
    look: impl FnOnce() -> T + Send + 'static,
) -> Result<oneshot::Receiver<T>> {
    let (answer, answered) = oneshot::channel();
    let looking = move || {
        // what `look` holds, such as the file, is gone by then; nobody may need the answer
        drop(answer.send(look()));
        drop(room);
    };
    let thread = std::thread::Builder::new().name("inspect".to_owned()).stack_size(STACK);
    thread.spawn(looking).map_err(Error::internal)?;
    Ok(answered)
}
