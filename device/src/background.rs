//! Work that nobody waits for in place: fetching, storing. It ends with the agent.

use tokio::{runtime::Handle, task::JoinHandle};
use tokio_util::sync::CancellationToken;

/// Where an agent's tasks run; clones run them in the same place.
#[derive(Clone)]
pub(crate) struct Background {
    runtime: Handle,
    ended: CancellationToken,
}

impl Background {
    /// Runs tasks in this runtime until `ended`.
    pub(crate) fn new(runtime: Handle, ended: CancellationToken) -> Self {
        Self { runtime, ended }
    }

    /// Runs a task, from any thread; it gives nothing when the agent ends before it does.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<Option<T>> {
        let ended = self.ended.clone();
        self.runtime.spawn(async move { ended.run_until_cancelled(task).await })
    }
}
