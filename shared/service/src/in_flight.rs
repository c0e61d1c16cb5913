//! What this process has sent to devices and has not heard of again.
//!
//! A device reports its free slots every few seconds, and never how many tasks wait behind them; this
//! is what placement knows in between. Entries go when the device answers, or when the job's record
//! says that nobody works on the attempt any more, and at the job's deadline at the latest: on AWS
//! the answer may reach another process.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// The tasks by device.
#[derive(Default)]
pub(crate) struct InFlight(Mutex<HashMap<String, Vec<Sent>>>);

/// A task in the hands of a device.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sent {
    /// Of the attempt.
    pub(crate) fence: String,
    /// The model's.
    pub(crate) checksum: String,
    /// How many requests it is, if it is a piece of a batch.
    pub(crate) stacked: Option<u32>,
    pub(crate) sent_us: u64,
    /// The job's deadline.
    pub(crate) until_us: u64,
}

impl InFlight {
    /// How many tasks the device has on its slots, or how many pieces of batches beside them.
    pub(crate) fn of(&self, device: &str, in_batch: bool, now_us: u64) -> u32 {
        let mut devices = self.lock();
        let Some(tasks) = devices.get_mut(device) else { return 0 };
        tasks.retain(|task| now_us < task.until_us);
        tasks.iter().filter(|task| task.stacked.is_some() == in_batch).count() as u32
    }

    /// The device is given a task.
    pub(crate) fn add(&self, device: &str, task: Sent) {
        self.lock().entry(device.to_owned()).or_default().push(task);
    }

    /// The device has the task no more. What was known of it, for whoever is first to say so.
    pub(crate) fn remove(&self, device: &str, fence: &str) -> Option<Sent> {
        let mut devices = self.lock();
        let tasks = devices.get_mut(device)?;
        let place = tasks.iter().position(|task| task.fence == fence)?;
        let task = tasks.swap_remove(place);
        if tasks.is_empty() {
            devices.remove(device);
        }
        Some(task)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Vec<Sent>>> {
        // nothing that holds the lock can panic half-way through a change
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(fence: &str, until_us: u64) -> Sent {
        Sent {
            fence: fence.to_owned(),
            checksum: "sha256:00".to_owned(),
            stacked: None,
            sent_us: 1,
            until_us,
        }
    }

    #[test]
    fn a_task_counts_until_it_is_over_or_its_deadline_has_passed() {
        let in_flight = InFlight::default();
        for (fence, until_us) in [("a", 10), ("b", 20), ("c", 30)] {
            in_flight.add("dev_1", task(fence, until_us));
        }
        assert_eq!((in_flight.of("dev_1", false, 0), in_flight.of("dev_2", false, 0)), (3, 0));
        assert_eq!(in_flight.remove("dev_1", "b"), Some(task("b", 20)));
        assert_eq!(in_flight.remove("dev_1", "b"), None, "only once");
        assert_eq!(in_flight.remove("dev_2", "a"), None);
        assert_eq!(in_flight.of("dev_1", false, 10), 1);
        assert!(in_flight.remove("dev_1", "c").is_some());
        assert_eq!(in_flight.of("dev_1", false, 0), 0);
        in_flight.add("dev_1", Sent { stacked: Some(8), ..task("d", 10) });
        assert_eq!((in_flight.of("dev_1", false, 0), in_flight.of("dev_1", true, 0)), (0, 1));
    }
}
