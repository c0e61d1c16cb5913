//! `binary_classification`: one class or the other, by a threshold.

use protocol::tensor::Spec;
use serde::{Deserialize, Serialize, de::IgnoredAny};
use serde_json::{Map, Value};

use super::{
    scores::{Activation, Scores},
    width,
};
use crate::options;

/// `x-adapter` of the model's `output_schema`.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Options {
    threshold: f32,
    activation: Activation,
    /// Read before, for every adapter.
    #[serde(rename = "output")]
    _output: IgnoredAny,
}

impl Default for Options {
    fn default() -> Self {
        Self { threshold: 0.5, activation: Activation::Auto, _output: IgnoredAny }
    }
}

pub(super) struct Binary {
    threshold: f32,
    activation: Activation,
    /// Of the negative class, then of the positive.
    labels: [String; 2],
    scores: Scores,
}

/// The answer for one row.
#[derive(Serialize)]
pub(super) struct Decision {
    label: String,
    /// The probability of the positive class.
    score: f32,
    positive: bool,
}

impl Binary {
    pub(super) fn new(
        schema: Option<&Map<String, Value>>,
        labels: Option<&[String]>,
        output: &Spec,
    ) -> Result<Self, String> {
        let Options { threshold, activation, .. } = options::read(schema)?;
        if !threshold.is_finite() {
            return Err("x-adapter.threshold: expected a number such as 0.5".to_owned());
        }
        let labels = match labels.unwrap_or_default() {
            [] => ["negative".to_owned(), "positive".to_owned()],
            [negative, positive] => [negative.clone(), positive.clone()],
            more => {
                let n = more.len();
                return Err(format!("needs two labels, the negative class first; there are {n}"));
            }
        };
        match width(output) {
            None | Some(1 | 2) => {
                Ok(Self { threshold, activation, labels, scores: Scores::default() })
            }
            Some(classes) => {
                Err(format!("needs one score or two for each row; `{}` has {classes}", output.name))
            }
        }
    }

    /// The answer for one row: the score of the positive class, or those of both.
    pub(super) fn row(&self, row: Vec<f64>) -> Result<Decision, String> {
        let positive_class = match row.len() {
            1 => 0,
            2 => 1,
            n => return Err(format!("expected one score or two for each row, the model gave {n}")),
        };
        let best = self.scores.best(&row, row.len(), self.activation)?;
        let score = best.into_iter().find(|(index, _)| *index == positive_class);
        let (_, score) = score.ok_or("the positive class has no score")?;
        let positive = score >= self.threshold;
        Ok(Decision { label: self.labels[usize::from(positive)].clone(), score, positive })
    }
}
