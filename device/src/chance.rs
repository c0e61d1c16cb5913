//! Chance, so that many devices do not do the same at the same time.

use std::{ops::Range, time::Duration};

/// A duration picked evenly from the range.
pub(crate) fn between(range: &Range<Duration>) -> Duration {
    let mut bytes = [0; 4];
    // without randomness in the system there is nothing better than the middle
    let part = getrandom::fill(&mut bytes)
        .map_or(0.5, |()| f64::from(u32::from_le_bytes(bytes)) / 2f64.powi(32));
    range.start + range.end.saturating_sub(range.start).mul_f64(part)
}

/// How long to wait before the attempt after `failures` failed ones: up to twice as long each time.
pub(crate) fn backoff(first: Duration, longest: Duration, failures: u32) -> Duration {
    let most = first.saturating_mul(2u32.saturating_pow(failures)).min(longest);
    between(&(Duration::ZERO..most))
}
