//! Scores as probabilities, and the best of them: plans of the engine, one for each number of classes.

use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;
use tract_onnx::{
    prelude::{DatumType, DatumTypeExt, IntoTValue, tensor0, tensor1, tvec},
    tract_core::ops::{
        array::Topk,
        nn::{self, Softmax, SoftmaxKind},
    },
    tract_hir::internal::ToDim,
};

use crate::plan::Plan;

/// How far the sum of probabilities may be from 1.
const TOLERANCE: f64 = 1e-3;

/// Rows of so many different lengths are remembered; a model has one.
const KEPT: usize = 4;

/// What makes probabilities of a model's scores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Activation {
    /// Softmax, or sigmoid of a single score, unless they are probabilities already.
    #[default]
    Auto,
    Softmax,
    Sigmoid,
    None,
}

/// A row's best scores, best first, with their indices.
pub(super) type Best = Vec<(usize, f32)>;

/// What a plan is made for: scores in a row, how many of them are wanted, and the activation.
type Wanted = (usize, usize, Activation);

/// The arithmetic of one adapter.
#[derive(Default)]
pub(super) struct Scores {
    plans: Mutex<Vec<(Wanted, Arc<Plan>)>>,
}

impl Scores {
    /// The `k` best of a row after the activation.
    pub(super) fn best(
        &self,
        row: &[f64],
        k: usize,
        activation: Activation,
    ) -> Result<Best, String> {
        let activation = match activation {
            Activation::Auto if are_probabilities(row) => Activation::None,
            Activation::Auto if row.len() == 1 => Activation::Sigmoid,
            Activation::Auto => Activation::Softmax,
            chosen => chosen,
        };
        let plan = self.plan(row.len(), k.min(row.len()), activation)?;
        let row: Vec<f32> = row.iter().map(|value| *value as f32).collect();
        let outputs = plan.run(tensor1(&row).into_tvalue())?;
        let values = outputs[0].as_bytes().chunks_exact(4);
        let indices = outputs[1].as_bytes().chunks_exact(8);
        let best = values.zip(indices).map(|(value, index)| {
            let value = f32::from_le_bytes([value[0], value[1], value[2], value[3]]);
            let low = [index[0], index[1], index[2], index[3]];
            (u32::from_le_bytes(low) as usize, value)
        });
        Ok(best.collect())
    }

    fn plan(&self, width: usize, k: usize, activation: Activation) -> Result<Arc<Plan>, String> {
        let key = (width, k, activation);
        let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, plan)) = plans.iter().find(|(kept, _)| *kept == key) {
            return Ok(plan.clone());
        }
        let plan = Arc::new(make(width, k, activation)?);
        if plans.len() >= KEPT {
            plans.remove(0);
        }
        plans.push((key, plan.clone()));
        Ok(plan)
    }
}

fn make(width: usize, k: usize, activation: Activation) -> Result<Plan, String> {
    Plan::new(DatumType::F32.fact([width]), |graph, row| {
        let scores = match activation {
            Activation::Softmax => {
                let kind = SoftmaxKind::Softmax;
                let softmax = Softmax { axes: tvec!(0), quant_output_dt: None, kind };
                graph.node(softmax, &[row])?
            }
            Activation::Sigmoid => graph.node(nn::sigmoid(), &[row])?,
            Activation::Auto | Activation::None => row,
        };
        let count = graph.constant(tensor0(k as i64))?;
        let top = Topk { axis: 0, largest: true, fallback_k: k.to_dim() };
        Ok(graph.nodes(top, &[scores, count])?.to_vec())
    })
}

/// Whether a row holds probabilities: of one class each, or a single one.
fn are_probabilities(row: &[f64]) -> bool {
    let in_range = row.iter().all(|value| (0.0..=1.0).contains(value));
    let sum: f64 = row.iter().sum();
    in_range && (row.len() == 1 || (sum - 1.0).abs() <= TOLERANCE)
}
