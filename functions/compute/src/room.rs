//! How many files are read at a time: as many as there is memory for.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What files being read may weigh together, in MB.
const ROOM_MB: u32 = 2048;

/// A file takes so many times its size: itself, decoded, as the engine's tensors, and in the plan of
/// the run on zeros (`cargo xtask bench upload --size 100MB` shows it).
const COPIES: u32 = 5;

/// What reading takes beside the file, in MB: structure, constants, a run on zeros.
const BESIDE_MB: u32 = 128;

/// How long to wait for room: most of a call's time is left for the reading.
const WAIT: Duration = Duration::from_secs(5);

/// The room of this process. On Lambda every process reads one file at a time anyway.
static ROOM: Room = Room::new();

/// Room for so many bytes of a file, until it is dropped; `None` when others have it for long. What
/// is larger than all the room is read alone.
pub(crate) async fn take(bytes: u64) -> Option<OwnedSemaphorePermit> {
    ROOM.take(bytes).await
}

/// Room for files in memory.
struct Room(LazyLock<Arc<Semaphore>>);

impl Room {
    const fn new() -> Self {
        Self(LazyLock::new(|| Arc::new(Semaphore::new(ROOM_MB as usize))))
    }

    async fn take(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        let room = self.0.clone().acquire_many_owned(weight(bytes));
        tokio::time::timeout(WAIT, room).await.ok()?.ok()
    }

    /// What is free, in MB.
    #[cfg(test)]
    fn free(&self) -> usize {
        self.0.available_permits()
    }
}

fn weight(bytes: u64) -> u32 {
    let file = u32::try_from(bytes >> 20).unwrap_or(u32::MAX);
    file.saturating_mul(COPIES).saturating_add(BESIDE_MB).min(ROOM_MB)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::sync::mpsc;

    use super::*;
    use crate::thread::apart;

    #[tokio::test]
    async fn files_share_the_room_by_their_size() {
        let room = Room::new();
        let small = room.take(100 << 20).await.unwrap();
        assert_eq!(room.free(), 2048 - 628);
        // longer than it waits
        assert!(room.take(2 << 30).await.is_none());
        drop(small);
        let large = room.take(2 << 30).await.unwrap();
        assert_eq!(room.free(), 0);
        drop(large);
        assert_eq!(room.free(), 2048);
    }

    #[tokio::test]
    async fn a_thread_whose_caller_has_gone_keeps_its_room() {
        let room = Room::new();
        let (go, wait) = mpsc::channel::<()>();
        let answered = apart(room.take(u64::MAX).await.unwrap(), move || wait.recv()).unwrap();
        drop(answered);
        assert_eq!(room.free(), 0);
        go.send(()).unwrap();
        // waits until the thread has ended
        assert!(room.take(u64::MAX).await.is_some());
    }
}
