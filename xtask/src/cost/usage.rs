//! What something uses of each service, and what that costs.

use std::ops::{Add, Mul};

use anyhow::{Context, Result};
use serde_json::Value;

/// Public list prices with their date and the pages that they were read from.
const PRICES: &str = include_str!("prices.json");

/// Amounts of what AWS counts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Usage {
    /// Runs of functions.
    pub(super) runs: f64,
    /// Their memory in GB times their seconds.
    pub(super) gb_seconds: f64,
    /// Requests to the HTTP API, up to 512 KB each.
    pub(super) requests: f64,
    /// Messages to and from devices, up to 32 KB each.
    pub(super) messages: f64,
    /// Minutes that connections are open.
    pub(super) minutes: f64,
    /// Write units of the table: 1 KB each.
    pub(super) writes: f64,
    /// Read units of the table: 4 KB each, consistent.
    pub(super) reads: f64,
    /// Requests to queues.
    pub(super) queue: f64,
    /// Gigabytes of logs.
    pub(super) log_gb: f64,
    /// Metrics that alarms look at, for a month.
    pub(super) alarm_metrics: f64,
    /// Metrics of our own, for a month.
    pub(super) custom_metrics: f64,
}

/// In US dollars.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cost {
    pub(super) functions: f64,
    pub(super) gateways: f64,
    pub(super) table: f64,
    pub(super) queues: f64,
    pub(super) watching: f64,
}

impl Cost {
    pub(super) fn total(&self) -> f64 {
        self.functions + self.gateways + self.table + self.queues + self.watching
    }
}

/// The price list.
pub(super) struct Prices(Value);

impl Prices {
    pub(super) fn read() -> Result<Self> {
        Ok(Self(serde_json::from_str(PRICES).context("prices.json is no JSON")?))
    }

    /// The day on which they were looked up, and the region.
    pub(super) fn date(&self) -> (&str, &str) {
        let text = |name| self.0[name].as_str().unwrap_or_default();
        (text("date"), text("region"))
    }

    /// Every page that they are from, once.
    pub(super) fn sources(&self) -> Vec<&str> {
        let entries = self.0.as_object().into_iter().flat_map(|all| all.values());
        let mut sources: Vec<_> = entries.filter_map(|entry| entry["source"].as_str()).collect();
        sources.sort_unstable();
        sources.dedup();
        sources
    }

    fn of(&self, name: &str) -> Result<f64> {
        self.0[name]["usd"].as_f64().with_context(|| format!("prices.json has no {name}"))
    }

    /// What it costs.
    pub(super) fn cost(&self, usage: Usage) -> Result<Cost> {
        let millions = |amount: f64, name: &str| anyhow::Ok(amount / 1e6 * self.of(name)?);
        Ok(Cost {
            functions: millions(usage.runs, "lambda_per_million_runs")?
                + usage.gb_seconds * self.of("lambda_per_gb_second")?,
            gateways: millions(usage.requests, "http_per_million_requests")?
                + millions(usage.messages, "socket_per_million_messages")?
                + millions(usage.minutes, "socket_per_million_minutes")?,
            table: millions(usage.writes, "table_per_million_writes")?
                + millions(usage.reads, "table_per_million_reads")?,
            queues: millions(usage.queue, "queue_per_million_requests")?,
            watching: usage.log_gb * self.of("log_per_gb")?
                + usage.alarm_metrics * self.of("alarm_metric_month")?
                + usage.custom_metrics * self.of("custom_metric_month")?,
        })
    }
}

impl Add for Usage {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            runs: self.runs + other.runs,
            gb_seconds: self.gb_seconds + other.gb_seconds,
            requests: self.requests + other.requests,
            messages: self.messages + other.messages,
            minutes: self.minutes + other.minutes,
            writes: self.writes + other.writes,
            reads: self.reads + other.reads,
            queue: self.queue + other.queue,
            log_gb: self.log_gb + other.log_gb,
            alarm_metrics: self.alarm_metrics + other.alarm_metrics,
            custom_metrics: self.custom_metrics + other.custom_metrics,
        }
    }
}

impl Mul<f64> for Usage {
    type Output = Self;

    fn mul(self, times: f64) -> Self {
        Self {
            runs: self.runs * times,
            gb_seconds: self.gb_seconds * times,
            requests: self.requests * times,
            messages: self.messages * times,
            minutes: self.minutes * times,
            writes: self.writes * times,
            reads: self.reads * times,
            queue: self.queue * times,
            log_gb: self.log_gb * times,
            alarm_metrics: self.alarm_metrics * times,
            custom_metrics: self.custom_metrics * times,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn amounts_become_dollars() {
        let prices = Prices::read().unwrap();
        let one = Usage { runs: 1.0, requests: 1.0, writes: 2.0, reads: 4.0, ..Usage::default() };
        let cost = prices.cost((one + one) * 500_000.0).unwrap();
        assert!((cost.functions - 0.2).abs() < 1e-9, "{cost:?}");
        assert!((cost.gateways - 1.0).abs() < 1e-9, "{cost:?}");
        assert!((cost.table - (1.25 + 0.5)).abs() < 1e-9, "{cost:?}");
        assert!((cost.total() - 2.95).abs() < 1e-9, "{cost:?}");
    }
}
