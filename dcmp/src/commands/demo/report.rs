//! The demo's results: a table, a summary, a JSON document.

use std::collections::BTreeMap;

use anyhow::Result;
use protocol::rest::{
    devices::Device,
    inference::{Job, Timings},
    models::Model,
};
use serde::{Deserialize, Serialize};

use crate::output::{self, Align};

/// An image's truth and what became of its job.
pub(super) struct Answered {
    pub(super) digit: u8,
    pub(super) job: Job,
}

/// All answers, ready to be shown.
pub(super) struct Report(Vec<Row>);

#[derive(Serialize)]
struct Row {
    image: usize,
    prediction: Option<usize>,
    truth: u8,
    correct: bool,
    /// Of the prediction, 0 to 1.
    confidence: Option<f64>,
    device: Option<String>,
    latency_ms: Option<f64>,
    timings_ms: Option<Timings>,
    status: String,
}

#[derive(Serialize)]
struct Summary {
    images: usize,
    answered: usize,
    correct: usize,
    median_latency_ms: Option<f64>,
}

impl Report {
    /// `devices` give their names to their ids.
    pub(super) fn new(answers: Vec<Answered>, devices: &[Device]) -> Self {
        let names: BTreeMap<_, _> = devices
            .iter()
            .filter_map(|device| Some((device.id.as_str(), device.name.as_deref()?)))
            .collect();
        let row = |(index, Answered { digit, job }): (usize, Answered)| {
            let best = job.result.as_ref().and_then(|result| best(result.get()));
            let device = job.device_id.map(|id| match names.get(id.as_str()) {
                Some(name) => (*name).to_owned(),
                None => id,
            });
            Row {
                image: index + 1,
                prediction: best.map(|(index, _)| index),
                truth: digit,
                correct: best.is_some_and(|(index, _)| index == usize::from(digit)),
                confidence: best.map(|(_, confidence)| confidence),
                device,
                latency_ms: job.latency_ms,
                timings_ms: job.timings_ms,
                status: job.status,
            }
        };
        Self(answers.into_iter().enumerate().map(row).collect())
    }

    /// Whether every image was answered, and this share of them rightly.
    pub(super) fn is_good(&self, share: f64) -> bool {
        let Summary { images, answered, correct, .. } = self.sum();
        images > 0 && answered == images && correct as f64 >= share * images as f64
    }

    pub(super) fn table(&self) -> String {
        let header = [
            ("image", Align::Right),
            ("prediction", Align::Right),
            ("truth", Align::Right),
            ("", Align::Left),
            ("confidence", Align::Right),
            ("device", Align::Left),
            ("latency ms", Align::Right),
            ("queue", Align::Right),
            ("transfer", Align::Right),
            ("compute", Align::Right),
        ];
        output::table(&header, &self.0.iter().map(cells).collect::<Vec<_>>())
    }

    /// One line for people.
    pub(super) fn summary(&self) -> String {
        let Summary { images, answered, correct, median_latency_ms } = self.sum();
        let median = median_latency_ms
            .map_or_else(String::new, |ms| format!(", median latency {} ms", output::ms(ms)));
        format!("{answered} of {images} images answered, {correct} right{median}")
    }

    pub(super) fn json(&self, model: &Model) -> Result<String> {
        #[derive(Serialize)]
        struct Document<'a> {
            model: &'a Model,
            images: &'a [Row],
            summary: Summary,
        }
        let document = Document { model, images: &self.0, summary: self.sum() };
        Ok(serde_json::to_string(&document)?)
    }

    fn sum(&self) -> Summary {
        let mut latencies: Vec<f64> = self.0.iter().filter_map(|row| row.latency_ms).collect();
        latencies.sort_by(f64::total_cmp);
        Summary {
            images: self.0.len(),
            answered: self.0.iter().filter(|row| row.prediction.is_some()).count(),
            correct: self.0.iter().filter(|row| row.correct).count(),
            median_latency_ms: latencies.get(latencies.len() / 2).copied(),
        }
    }
}

fn cells(row: &Row) -> Vec<String> {
    let or_status = |text: Option<String>| text.unwrap_or_else(|| row.status.clone());
    let time = |part: fn(&Timings) -> f64| {
        output::or_dash(row.timings_ms.as_ref().map(|ms| output::ms(part(ms))).as_deref())
    };
    vec![
        row.image.to_string(),
        or_status(row.prediction.map(|digit| digit.to_string())),
        row.truth.to_string(),
        if row.correct { "✓" } else { "✗" }.to_owned(),
        output::or_dash(row.confidence.map(|share| format!("{:.1} %", share * 100.0)).as_deref()),
        output::or_dash(row.device.as_deref()),
        output::or_dash(row.latency_ms.map(output::ms).as_deref()),
        time(|ms| ms.queue),
        time(|ms| ms.transfer),
        time(|ms| ms.compute),
    ]
}

/// The class with the highest probability, and that.
fn best(result: &str) -> Option<(usize, f64)> {
    #[derive(Deserialize)]
    struct Output {
        data: Vec<f64>,
    }
    let Output { data } = serde_json::from_str(result).ok()?;
    data.into_iter().enumerate().max_by(|(_, a), (_, b)| a.total_cmp(b))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn answered(digit: u8, result: Option<&str>) -> Answered {
        let mut job = serde_json::json!({
            "job_id": "infer_1", "status": if result.is_some() { "completed" } else { "failed" },
            "model_id": "model_1", "model_version": 1, "attempts": 1, "created_at": "",
            "device_id": "dev_1", "latency_ms": 2.0,
            "timings_ms": {"queue": 0.5, "transfer": 1.0, "compute": 0.5, "total": 2.0},
        });
        if let Some(result) = result {
            job["result"] = serde_json::from_str(result).unwrap();
        }
        Answered { digit, job: serde_json::from_str(&job.to_string()).unwrap() }
    }

    #[test]
    fn the_best_class_counts() {
        let two = r#"{"data":[0.1,0.2,0.7],"shape":[1,3]}"#;
        let report = Report::new(vec![answered(2, Some(two)), answered(1, Some(two))], &[]);
        let expected = ["1", "2", "2", "✓", "70.0 %", "dev_1", "2.00", "0.50", "1.00", "0.50"];
        assert_eq!(cells(&report.0[0]), expected);
        assert_eq!(cells(&report.0[1])[3], "✗");
        assert_eq!(report.summary(), "2 of 2 images answered, 1 right, median latency 2.00 ms");
        assert!(report.is_good(0.5) && !report.is_good(0.9));
    }

    #[test]
    fn no_answer_is_never_good() {
        let report = Report::new(vec![answered(0, None)], &[]);
        assert_eq!(cells(&report.0[0])[1], "failed");
        assert!(!report.is_good(0.0));
        assert!(!Report::new(Vec::new(), &[]).is_good(0.0));
    }
}
