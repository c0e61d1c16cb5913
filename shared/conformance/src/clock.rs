//! Clock: K1 to K4.

use std::{collections::HashSet, time::Duration};

use tokio::time::Instant;

use crate::{
    Subject,
    support::{Outcome, checks, ensure},
};

checks! {
    "K1" "time does not go back" forwards;
    "K2" "ids are unique and sort by time" ids;
    "K3" "random bytes look random" random;
    "K4" "a sleep is not short" sleep;
}

async fn forwards(subject: &mut dyn Subject) -> Outcome {
    let clock = subject.ports().clock;
    let mut last = 0;
    for _ in 0..100_000 {
        let now = clock.now_us();
        ensure!(now >= last, "time went back from {last} to {now}");
        last = now;
    }
    ensure!(clock.now_ms() >= last / 1000, "milliseconds are behind microseconds");
    Ok(())
}

async fn ids(subject: &mut dyn Subject) -> Outcome {
    let clock = subject.ports().clock;
    let ids: HashSet<String> = (0..10_000).map(|_| clock.id("x")).collect();
    ensure!(ids.len() == 10_000, "{} of 10000 ids are different", ids.len());
    let mut last = String::new();
    for _ in 0..50 {
        let id = clock.id("job");
        let digits = id.strip_prefix("job_").unwrap_or_default();
        let hex = digits.len() == 32
            && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let is_v7 = digits.as_bytes().get(12) == Some(&b'7')
            && digits.as_bytes().get(16).is_some_and(|variant| b"89ab".contains(variant));
        ensure!(hex && is_v7, "{id} is not `job_` and the 32 digits of a UUIDv7");
        ensure!(id > last, "{id} was made after {last} and sorts before it");
        last = id;
        clock.sleep(Duration::from_millis(2)).await;
    }
    Ok(())
}

async fn random(subject: &mut dyn Subject) -> Outcome {
    let clock = subject.ports().clock;
    let mut drawn = HashSet::new();
    let mut bytes = vec![0; 1 << 16];
    clock.random(&mut bytes);
    for chunk in bytes.chunks_exact(16) {
        ensure!(drawn.insert(chunk.to_vec()), "16 random bytes came twice");
    }
    // Each bit is set in half of the bytes; this far off by chance once in 10^15 runs.
    for bit in 0..8 {
        let set = bytes.iter().filter(|byte| *byte >> bit & 1 == 1).count();
        let expected = bytes.len() / 2;
        ensure!(
            set.abs_diff(expected) < 1024,
            "bit {bit} is set in {set} of {} bytes",
            bytes.len()
        );
    }
    Ok(())
}

async fn sleep(subject: &mut dyn Subject) -> Outcome {
    let clock = subject.ports().clock;
    for ms in [0, 1, 20, 50, 100, 200] {
        let start = Instant::now();
        clock.sleep(Duration::from_millis(ms)).await;
        let slept = start.elapsed();
        ensure!(slept >= Duration::from_millis(ms), "a sleep of {ms} ms took {slept:?}");
    }
    Ok(())
}
