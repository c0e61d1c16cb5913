//! `top_k_labels`: the most probable classes with their names.

use protocol::tensor::Spec;
use serde::{Deserialize, Serialize, de::IgnoredAny};
use serde_json::{Map, Value};

use super::{
    scores::{Activation, Scores},
    width,
};
use crate::options;

/// `x-adapter` of a classifier's `output_schema`.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Options {
    k: usize,
    activation: Activation,
    /// Read before, for every adapter.
    #[serde(rename = "output")]
    _output: IgnoredAny,
}

impl Default for Options {
    fn default() -> Self {
        Self { k: 5, activation: Activation::Auto, _output: IgnoredAny }
    }
}

pub(super) struct TopK {
    k: usize,
    activation: Activation,
    labels: Vec<String>,
    scores: Scores,
}

/// The answer for one row.
#[derive(Serialize)]
pub(super) struct Predictions {
    predictions: Vec<Prediction>,
}

#[derive(Serialize)]
struct Prediction {
    label: String,
    index: usize,
    score: f32,
}

impl TopK {
    pub(super) fn new(
        schema: Option<&Map<String, Value>>,
        labels: Option<&[String]>,
        output: &Spec,
    ) -> Result<Self, String> {
        let Options { k, activation, .. } = options::read(schema)?;
        if k == 0 {
            return Err("x-adapter.k is 0; give 1 or more".to_owned());
        }
        let labels = labels.unwrap_or_default();
        match width(output) {
            Some(classes) if !labels.is_empty() && labels.len() != classes => Err(format!(
                "there are {} labels, but `{}` has {classes} classes",
                labels.len(),
                output.name
            )),
            _ => Ok(Self { k, activation, labels: labels.to_vec(), scores: Scores::default() }),
        }
    }

    /// The answer for one row of scores.
    pub(super) fn row(&self, row: Vec<f64>) -> Result<Predictions, String> {
        let best = self.scores.best(&row, self.k, self.activation)?;
        let named = |(index, score): (usize, f32)| {
            // a class without a name has its number
            let label = self.labels.get(index).cloned().unwrap_or_else(|| index.to_string());
            Prediction { label, index, score }
        };
        Ok(Predictions { predictions: best.into_iter().map(named).collect() })
    }
}
