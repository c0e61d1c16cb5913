//! The conformance suite on the store, and on a store with one fault at a time: every check is seen
//! to pass on the first and to fail on the second.
#![allow(clippy::unwrap_used, reason = "tests")]

mod broken;
mod subject;

use std::collections::BTreeSet;

use conformance::{Check, Subject};
use dcmp_embedded::Durability;
use tokio::task::JoinSet;

use self::{broken::Broken, subject::Local};

/// How many checks run at the same time: most of their time is waiting.
const PARALLEL: usize = 8;

/// Runs `jobs` a few at a time and returns their answers.
async fn all<T, F>(jobs: impl IntoIterator<Item = F>) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let (mut running, mut answers) = (JoinSet::new(), Vec::new());
    for job in jobs {
        if running.len() == PARALLEL {
            answers.push(running.join_next().await.unwrap().unwrap());
        }
        running.spawn(job);
    }
    answers.extend(running.join_all().await);
    answers
}

async fn passes(durability: Durability) {
    let run = |check: Check| async move {
        let result = check.run(&mut Local::open(durability)).await;
        result.err().map(|seen| format!("{} ({}): {seen}", check.must, check.name))
    };
    let failures: Vec<_> =
        all(conformance::checks().into_iter().map(run)).await.into_iter().flatten().collect();
    assert!(failures.is_empty(), "{failures:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_does_what_it_must() {
    passes(Durability::Power).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_quicker_store_does_what_it_must() {
    passes(Durability::Process).await;
}

/// Every MUST has a fault here, and the suite sees it.
#[tokio::test(flavor = "multi_thread")]
async fn every_fault_is_seen() {
    let musts: BTreeSet<_> = conformance::checks().iter().map(|check| check.must).collect();
    let faults: BTreeSet<_> = broken::FAULTS.iter().copied().collect();
    assert_eq!(musts, faults, "each MUST has a fault, and each fault a MUST");
    let run = |must: &'static str| async move {
        for check in conformance::checks() {
            let mut subject = Broken::open(must);
            if check.must == must && check.run(&mut subject as &mut dyn Subject).await.is_err() {
                return None;
            }
        }
        Some(must)
    };
    let unseen: Vec<_> = all(faults.into_iter().map(run)).await.into_iter().flatten().collect();
    assert!(unseen.is_empty(), "these faults were not seen: {unseen:?}");
}

/// A MUST that is added to the ports' documentation needs a check.
#[test]
fn every_documented_must_has_a_check() {
    let checked: BTreeSet<_> =
        conformance::checks().iter().map(|check| check.must.to_owned()).collect();
    let ports = concat!(env!("CARGO_MANIFEST_DIR"), "/../ports/src");
    let mut documented = BTreeSet::new();
    for file in std::fs::read_dir(ports).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let musts = text.lines().filter_map(|line| line.strip_prefix("/// * **"));
        documented.extend(musts.map(|line| line.split("**").next().unwrap().to_owned()));
    }
    assert_eq!(checked, documented);
}
