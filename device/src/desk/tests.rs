//! The queue and the ledger, without a socket.
#![allow(clippy::unwrap_used, reason = "tests")]

use inference::Network;
use sha2::{Digest, Sha256};

use super::*;
use crate::{disk::Disk, models::Model};

#[path = "../../../shared/inference/tests/support/mod.rs"]
mod onnx;

struct Fixture {
    desk: Desk,
    models: Vec<Arc<Model>>,
    _dir: tempfile::TempDir,
}

/// A desk with `slots` and two models.
fn fixture(slots: u32) -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let disk = Disk::open(dir.path().to_owned(), 1 << 20).unwrap();
    let models = [2, 3].map(|hidden| {
        let bytes = onnx::Mlp::new([1, hidden, 1]).file();
        let hex = hex::encode(Sha256::digest(&bytes));
        let part = disk.part(&hex);
        let room = disk.reserve(bytes.len() as u64).unwrap();
        std::fs::write(&part, &bytes).unwrap();
        let pin = room.keep(&part, &hex, bytes.len() as u64).unwrap();
        Arc::new(Model::new(Network::load(&bytes).unwrap(), hex, bytes.len() as u64, pin))
    });
    Fixture { desk: Desk::new(slots), models: models.to_vec(), _dir: dir }
}

fn ids(number: usize) -> Ids {
    Ids { task_id: format!("t{number}"), attempt: 1, fence: "f".to_owned() }
}

impl Fixture {
    fn admit(&self, number: usize) -> Arc<Ids> {
        match self.desk.admit(&ids(number), Lane::Slots) {
            Admission::Taken(ids) => ids,
            _ => panic!("t{number} was not taken"),
        }
    }

    fn enqueue(&self, number: usize, model: usize) {
        self.admit(number);
        self.ready(number, model);
    }

    /// An admitted task can run.
    fn ready(&self, number: usize, model: usize) {
        let (received, deadline) = (Instant::now(), Instant::now() + Duration::from_secs(60));
        self.desk.enqueue([Task {
            ids: Arc::new(ids(number)),
            model: self.models[model].clone(),
            inputs: Vec::new(),
            outputs_url: None,
            stacked: false,
            received,
            deadline,
            ready: received,
            fetch_ms: 0.0,
            load_ms: 0.0,
        }]);
    }

    fn take(&self) -> Vec<String> {
        self.desk.take().unwrap().into_iter().map(|task| task.ids.task_id.clone()).collect()
    }

    fn outbox(&self) -> Vec<String> {
        let mut frames = Vec::new();
        self.desk.outbox(&mut frames);
        frames.into_iter().map(|frame| frame.to_string()).collect()
    }
}

#[test]
fn tasks_of_one_model_are_taken_together() {
    let fixture = fixture(4);
    for number in 0..6 {
        fixture.enqueue(number, number % 2);
    }
    assert_eq!(fixture.take(), ["t0", "t2", "t4"]);
    assert_eq!(fixture.take(), ["t1", "t3", "t5"]);
    assert_eq!(fixture.desk.counts().open, 6, "taken is not finished");
    fixture.desk.close();
    assert!(fixture.desk.take().is_none());
}

#[test]
fn waiting_work_that_is_cancelled_makes_room_at_once() {
    let fixture = fixture(1);
    (0..3).for_each(|number| fixture.enqueue(number, 0));
    assert!(matches!(fixture.desk.admit(&ids(3), Lane::Slots), Admission::Busy));
    fixture.desk.cancel(&ids(1));
    fixture.enqueue(3, 0);
    assert_eq!(fixture.take(), ["t0", "t2", "t3"]);
    // running work keeps its place until it is over, and leaves nothing
    fixture.desk.cancel(&ids(0));
    assert_eq!(fixture.desk.counts().open, 3);
    assert!(!fixture.desk.finish(&Arc::new(ids(0)), End::Failed, "result".to_owned()));
    assert_eq!(fixture.desk.counts().open, 2);
    assert!(fixture.outbox().is_empty());
    assert!(
        matches!(fixture.desk.admit(&ids(0), Lane::Slots), Admission::Known),
        "it is not run again"
    );
}

#[test]
fn fetching_work_that_is_cancelled_makes_room_at_once() {
    let fixture = fixture(1);
    let wanted = [0, 1].map(|number| fixture.desk.fetch(&fixture.admit(number)));
    fixture.desk.cancel(&ids(0));
    assert!(wanted[0].is_cancelled() && !wanted[1].is_cancelled());
    assert_eq!(fixture.desk.counts().open, 1);
    // both became ready in that moment
    fixture.ready(0, 0);
    fixture.ready(1, 0);
    assert_eq!(fixture.take(), ["t1"]);
    // it runs now, so it keeps its place
    fixture.desk.cancel(&ids(1));
    assert_eq!((fixture.desk.counts().open, wanted[1].is_cancelled()), (1, false));
}

#[test]
fn results_are_kept_in_order_until_acknowledged_or_old() {
    let fixture = fixture(4);
    for number in 0..5 {
        let ids = fixture.admit(number);
        assert!(fixture.desk.finish(&ids, End::Done(1.0), format!("result {number}")));
        assert!(!fixture.desk.finish(&ids, End::Failed, "a second end".to_owned()));
    }
    assert_eq!(fixture.outbox().len(), 5);
    fixture.desk.acknowledge(&ids(1));
    fixture.desk.acknowledge(&ids(1));
    fixture.desk.resend();
    assert_eq!(fixture.outbox(), ["result 0", "result 2", "result 3", "result 4"]);
    fixture.desk.expire(Duration::from_secs(3600));
    assert_eq!(fixture.desk.counts().unacknowledged, 4);
    fixture.desk.expire(Duration::ZERO);
    assert_eq!(fixture.desk.counts().unacknowledged, 0);
    assert!(matches!(fixture.desk.admit(&ids(0), Lane::Slots), Admission::Known));
    assert_eq!((fixture.desk.counts().done, fixture.desk.counts().failed), (5, 0));
}

#[test]
fn a_leaving_desk_takes_nothing_new() {
    let fixture = fixture(4);
    fixture.enqueue(0, 0);
    assert!(fixture.desk.drain() && !fixture.desk.drain());
    assert!(matches!(fixture.desk.admit(&ids(1), Lane::Slots), Admission::Leaving));
    assert!(matches!(fixture.desk.admit(&ids(0), Lane::Slots), Admission::Known));
    assert_eq!(fixture.take(), ["t0"]);
}
