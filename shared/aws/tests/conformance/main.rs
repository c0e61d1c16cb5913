//! The conformance suite on AWS's services as others built them: DynamoDB with its streams, S3 and SQS
//! are independent emulators, which the SDK reaches over HTTP as it does AWS. For `@connections` and
//! Lambda there are none that say a connection is gone or run anything; those two are small servers
//! here that speak the documented wire format.
#![allow(clippy::unwrap_used, reason = "tests")]

mod cloud;
mod emulators;
mod items;
mod missing;

use std::time::Duration;

use conformance::Check;
use tokio::task::JoinSet;

use self::cloud::Cloud;

/// How many checks run at the same time: most of their time is waiting.
const PARALLEL: usize = 8;

/// A check that takes longer waits for what will never come.
const LIMIT: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn aws_does_what_it_must() {
    let run = |check: Check| async move {
        let mut cloud = Cloud::start().await;
        let result = tokio::time::timeout(LIMIT, check.run(&mut cloud)).await;
        let result = result.unwrap_or_else(|_| Err("it did not end".to_owned()));
        result.err().map(|seen| format!("{} ({}): {seen}", check.must, check.name))
    };
    let (mut running, mut failures) = (JoinSet::new(), Vec::new());
    for check in conformance::checks() {
        if running.len() == PARALLEL {
            failures.extend(running.join_next().await.unwrap().unwrap());
        }
        running.spawn(run(check));
    }
    failures.extend(running.join_all().await.into_iter().flatten());
    assert!(failures.is_empty(), "{failures:#?}");
}
