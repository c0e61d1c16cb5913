//! Metrics as lines of the log, from which CloudWatch takes them: no calls, no agent.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>

use serde::Serialize;
use serde_json::{Value, json};

/// Under which CloudWatch shows them.
const NAMESPACE: &str = "dcmp";

/// What they are told apart by: every further one is paid for.
const DIMENSIONS: [&str; 2] = ["area", "stage"];

/// How one event went.
#[derive(Serialize)]
pub struct Invocation<'a> {
    /// When it was over, in epoch milliseconds.
    #[serde(skip)]
    pub(crate) now_ms: u64,
    pub(crate) area: &'a str,
    pub(crate) stage: &'a str,
    /// Only in the log: it is no dimension.
    pub(crate) function: &'a str,
    pub(crate) count: u64,
    pub(crate) errors: u64,
    /// In milliseconds.
    pub(crate) latency: f64,
    /// 1 for the first event of a process.
    pub(crate) cold_start: u8,
    /// How long the oldest message of the batch had waited, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) queue_age: Option<u64>,
    /// How often the message of the batch that came most often was delivered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) receives: Option<u64>,
}

impl Invocation<'_> {
    /// The line of the log, without its end.
    pub fn line(&self) -> Value {
        let metric = |name: &str, unit: &str| json!({ "Name": name, "Unit": unit });
        let mut metrics = vec![
            metric("count", "Count"),
            metric("errors", "Count"),
            metric("latency", "Milliseconds"),
            metric("cold_start", "Count"),
        ];
        metrics.extend(self.queue_age.map(|_| metric("queue_age", "Milliseconds")));
        metrics.extend(self.receives.map(|_| metric("receives", "Count")));
        let mut line = json!(self);
        line["_aws"] = json!({
            "Timestamp": self.now_ms,
            "CloudWatchMetrics": [{
                "Namespace": NAMESPACE,
                "Dimensions": [DIMENSIONS],
                "Metrics": metrics,
            }],
        });
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every metric and dimension that the line announces must be in it, or CloudWatch drops it.
    #[test]
    fn a_line_has_what_it_announces() {
        for waited in [None, Some(1_200)] {
            let invocation = Invocation {
                now_ms: 1_768_469_400_000,
                area: "queue",
                stage: "prod",
                function: "queue-work",
                count: 1,
                errors: 0,
                latency: 12.5,
                cold_start: 1,
                queue_age: waited,
                receives: waited.map(|_| 2),
            };
            let line = invocation.line();
            assert_eq!(line["_aws"]["Timestamp"], 1_768_469_400_000_u64);
            let directive = &line["_aws"]["CloudWatchMetrics"][0];
            assert_eq!(directive["Namespace"], "dcmp");
            let metrics = directive["Metrics"].as_array().map(Vec::as_slice).unwrap_or_default();
            assert_eq!(metrics.len(), if waited.is_some() { 6 } else { 4 });
            for metric in metrics {
                let name = metric["Name"].as_str().unwrap_or_default();
                assert!(line[name].is_number(), "{name} is missing in {line}");
            }
            for dimension in ["area", "stage"] {
                assert!(
                    directive["Dimensions"][0]
                        .as_array()
                        .is_some_and(|all| { all.iter().any(|name| name == dimension) })
                );
                assert!(line[dimension].is_string(), "{dimension} is missing in {line}");
            }
        }
    }
}
