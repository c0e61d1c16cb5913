//! What running a model costs, estimated: the list prices of the cloud that the functions are written
//! for.

use protocol::rest::models as rest;

use super::inspect::Profile;

/// AWS Lambda, x86, us-east-1, in US dollars, as listed in November 2026: for a second of one GB of
/// memory, and for a call.
const GB_SECOND: f64 = 0.000_016_666_7;
const CALL: f64 = 0.000_000_2;

/// The least memory that is sold, in GB.
const LEAST_GB: f64 = 0.125;

/// The runs that a price is given for.
const RUNS: u32 = 1_000;

/// The profile as it is shown.
pub(super) fn priced(profile: &Profile) -> rest::Profile {
    let gb = (profile.memory_bytes as f64 / f64::from(1 << 30)).max(LEAST_GB);
    let run = profile.latency_ms / 1e3 * gb * GB_SECOND + CALL;
    rest::Profile {
        latency_ms: profile.latency_ms,
        memory_bytes: profile.memory_bytes,
        estimated_cost: rest::EstimatedCost {
            amount: run * f64::from(RUNS),
            currency: "USD".to_owned(),
            runs: RUNS,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_runs_of_a_second_and_a_gigabyte() {
        let shown = priced(&Profile { latency_ms: 1e3, memory_bytes: 1 << 30 });
        assert!((shown.estimated_cost.amount - (0.016_666_7 + 0.000_2)).abs() < 1e-9);
        let least = priced(&Profile { latency_ms: 1e3, memory_bytes: 1 });
        assert!(least.estimated_cost.amount > 0.002);
    }
}
