//! Batches: how they are cut, counted and ended.

#![allow(clippy::unwrap_used, reason = "tests")]

use dcmp_domain::{
    batch::{Batch, Ended, New, Sizing, Source},
    job::{Chunk, State, Wants},
    model::Pin,
};
use proptest::prelude::*;

fn batch(total: u64) -> Batch {
    let new = New {
        id: "batch_1".to_owned(),
        customer: "cust_1".to_owned(),
        project: None,
        name: None,
        model: Pin { id: "model_1".to_owned(), version: 1, revision: 1 },
        raw: None,
        wants: Wants::default(),
        source: Source::Dataset { id: "dataset_1".to_owned() },
        total,
        body_hash: None,
        deadline_ms: 1_000,
    };
    Batch::new(new, 0)
}

fn chunk(batch: &Batch, inputs: u32) -> Chunk {
    Chunk {
        batch: batch.id.clone(),
        number: batch.chunks,
        first: batch.next_input,
        inputs,
        refused: 0,
    }
}

fn ended(number: u32, completed: u64, failed: u64) -> Ended {
    Ended { number, completed, failed, input_ms: None }
}

proptest! {
    /// However chunks are cut and their ends told: each input is counted once, and the batch ends with
    /// the last of them.
    #[test]
    fn each_input_is_counted_once(
        sizes in prop::collection::vec(1u32..50, 1..40),
        told in prop::collection::vec(any::<prop::sample::Index>(), 0..200),
    ) {
        let total = sizes.iter().map(|size| u64::from(*size)).sum();
        let mut batch = batch(total);
        let mut cut = 0;
        for index in told {
            if cut < sizes.len() {
                prop_assert!(batch.cut(&chunk(&batch.clone(), sizes[cut])));
                cut += 1;
            }
            let number = index.index(sizes.len());
            let news = batch.open.contains(&(number as u32));
            let inputs = u64::from(sizes[number]);
            prop_assert_eq!(batch.count(&ended(number as u32, inputs - 1, 1)), news);
            let text = serde_json::to_string(&batch).unwrap();
            prop_assert_eq!(serde_json::from_str::<Batch>(&text).unwrap(), batch.clone());
        }
        let over = batch.completed + batch.failed;
        let open: u64 = batch.open.iter().map(|number| u64::from(sizes[*number as usize])).sum();
        prop_assert_eq!(over + open, batch.next_input);
        prop_assert_eq!(batch.complete(5), over == total);
        prop_assert_eq!(batch.state.is_terminal(), over == total);
    }
}

#[test]
fn a_chunk_that_does_not_follow_is_not_cut() {
    let mut batch = batch(10);
    let first = chunk(&batch, 4);
    assert!(batch.cut(&first) && batch.state == State::Running);
    assert!(!batch.cut(&first), "it is cut already");
    assert!(!batch.cut(&Chunk { first: 5, ..chunk(&batch, 2) }), "an input is left out");
    assert!(!batch.cut(&chunk(&batch, 7)), "there are not so many");
    assert!(batch.cut(&chunk(&batch.clone(), 6)) && batch.is_cut());
}

#[test]
fn a_batch_that_is_over_changes_no_more() {
    let mut batch = batch(10);
    assert!(batch.cut(&chunk(&batch.clone(), 10)));
    assert!(!batch.stop(State::Running, None, 1), "that is no end");
    assert!(batch.stop(State::Cancelled, None, 1));
    let before = batch.clone();
    assert!(!batch.count(&ended(0, 10, 0)) && !batch.complete(2) && !batch.expire(u64::MAX));
    assert!(!batch.stop(State::Failed, None, 2));
    assert_eq!(batch, before);
}

#[test]
fn a_deadline_ends_what_is_not_over() {
    let mut batch = batch(10);
    assert!(!batch.expire(batch.deadline_us - 1));
    assert!(batch.expire(batch.deadline_us));
    assert_eq!(batch.state, State::TimedOut);
    assert!(batch.failure.unwrap().message.contains("0 of 10"));
}

#[test]
fn chunks_are_sized_by_time_and_bytes() {
    let unknown = Sizing { input_bytes: 40, output_bytes: Some(8), input_ms: None };
    assert_eq!(unknown.inputs(), 32);
    assert_eq!(Sizing { input_ms: Some(2.0), ..unknown }.inputs(), 100);
    assert_eq!(Sizing { input_ms: Some(0.0), ..unknown }.inputs(), 16_384);
    assert_eq!(Sizing { input_ms: Some(f64::INFINITY), ..unknown }.inputs(), 1);
    assert_eq!(Sizing { input_bytes: 1 << 20, input_ms: Some(0.0), ..unknown }.inputs(), 2);
    assert_eq!(Sizing { input_bytes: 1 << 30, ..unknown }.inputs(), 1);
    assert_eq!(Sizing { output_bytes: Some(4 << 20), ..unknown }.inputs(), 2);
}

#[test]
fn what_is_quicker_is_believed_at_once() {
    let mut batch = batch(30);
    for (number, took) in [(0, 5.0), (1, 1.0), (2, 2.0)] {
        assert!(batch.cut(&chunk(&batch.clone(), 10)));
        assert!(batch.count(&Ended { input_ms: Some(took), ..ended(number, 10, 0) }));
    }
    assert!((batch.input_ms.unwrap() - 1.3).abs() < 1e-9);
}
