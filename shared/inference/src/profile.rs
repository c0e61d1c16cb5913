//! Running a model once at upload: what it costs, measured on inputs of zeros.
//!
//! The work is estimated first, and what would take long or much memory is not run: an upload must be
//! answered in time, and a run cannot be stopped.

use std::time::{Duration, Instant};

use tract_onnx::{
    prelude::{IntoTValue, TVec, Tensor, TypedModel},
    tract_hir::internal::DimLike,
};

use protocol::tensor::Spec;
use tract_onnx::prelude::{InferenceFact, InferenceModel};

use crate::{
    bounded::{self, Budget},
    dtype::to_engine,
    error::{STOPPED, engine, guarded},
    plan::Plan,
    work,
};

/// Multiplications that a run at upload may take: about a second.
const MAX_WORK: usize = 4 << 30;

/// Bytes that a run at upload may take beside the weights.
const MAX_MEMORY: usize = 256 << 20;

/// At most so many runs are timed, and none is begun after so long.
const RUNS: usize = 7;
const TIME: Duration = Duration::from_millis(200);

/// Sizes for open dimensions, tried in this order until the model can be planned.
const SIZES: [usize; 3] = [1, 2, 4];

/// What one run costs, with the smallest sizes for open dimensions.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// Median of a few runs after the first, in milliseconds, on the machine that read the file.
    pub latency_ms: f64,
    /// An estimate: the weights, and the largest sum of tensors that are needed at the same time.
    pub memory_bytes: u64,
}

/// Why there is no profile.
pub(crate) enum Unprofiled {
    /// The model may be good for other inputs, or is too large to try.
    Unknown(String),
    /// It cannot be run on any inputs of its shapes.
    Refused(String),
}

/// Runs the model on zeros.
pub(crate) fn measure(
    model: &InferenceModel,
    inputs: &[Spec],
    budget: Budget,
) -> Result<Profile, Unprofiled> {
    let mut planned = Err(String::new());
    for size in SIZES {
        planned = guarded(|| plan(model, inputs, size, budget));
        if planned.is_ok() || inputs.iter().all(|input| !input.shape.contains(&None)) {
            break;
        }
    }
    let planned = match planned.map_err(Unprofiled::Refused)? {
        Planned::Ready(ready) => ready,
        Planned::TooLarge(why) => return Err(Unprofiled::Unknown(why)),
    };
    let (plan, shapes, memory_bytes) = *planned;
    let run = |value: f32| guarded(|| run(&plan, inputs, &shapes, value));
    // an integer division by zero is no fault of the model
    let value = match run(0.0) {
        Ok(()) => 0.0,
        Err(zeros) => match run(1.0) {
            Ok(()) => 1.0,
            Err(ones) if zeros.starts_with(STOPPED) && ones.starts_with(STOPPED) => {
                return Err(Unprofiled::Refused(zeros));
            }
            Err(_) => return Err(Unprofiled::Unknown(format!("on zeros: {zeros}"))),
        },
    };
    let mut times = Vec::with_capacity(RUNS);
    let begun = Instant::now();
    while times.len() < RUNS && (times.is_empty() || begun.elapsed() < TIME) {
        let start = Instant::now();
        run(value).map_err(Unprofiled::Unknown)?;
        times.push(start.elapsed());
    }
    times.sort_unstable();
    let latency_ms = times[times.len() / 2].as_secs_f64() * 1e3;
    Ok(Profile { latency_ms, memory_bytes })
}

/// A model for one set of shapes, or why it is not tried.
enum Planned {
    Ready(Box<(Plan, Vec<Vec<usize>>, u64)>),
    TooLarge(String),
}

fn plan(
    model: &InferenceModel,
    inputs: &[Spec],
    size: usize,
    budget: Budget,
) -> Result<Planned, String> {
    let shapes: Vec<Vec<usize>> = inputs
        .iter()
        .map(|input| input.shape.iter().map(|dim| dim.unwrap_or(size)).collect())
        .collect();
    let facts = inputs
        .iter()
        .zip(&shapes)
        .map(|(input, shape)| InferenceFact::dt_shape(to_engine(input.dtype), shape))
        .collect::<Vec<_>>();
    let mut concrete = model.clone();
    for (index, fact) in facts.iter().enumerate() {
        concrete.set_input_fact(index, fact.clone()).map_err(engine)?;
    }
    let typed = bounded::typed(concrete, budget)?;
    let (weights, tensors) = memory(&typed)?;
    if tensors > MAX_MEMORY {
        let (needs, limit) = (tensors >> 20, MAX_MEMORY >> 20);
        return Ok(Planned::TooLarge(format!(
            "a run needs about {needs} MB beside the weights; at upload up to {limit} MB are tried"
        )));
    }
    let work = work::of(&typed);
    if work > MAX_WORK {
        return Ok(Planned::TooLarge(format!(
            "a run takes about {} million multiplications; at upload up to {} million are tried",
            work / 1_000_000,
            MAX_WORK / 1_000_000
        )));
    }
    let plan = Plan::build(model, facts, budget)?;
    Ok(Planned::Ready(Box::new((plan, shapes, (weights + tensors) as u64))))
}

fn run(plan: &Plan, inputs: &[Spec], shapes: &[Vec<usize>], value: f32) -> Result<(), String> {
    let values = inputs
        .iter()
        .zip(shapes)
        .map(|(input, shape)| {
            let value = Tensor::from(value);
            let value = value.cast_to_dt(to_engine(input.dtype)).map_err(engine)?;
            let filled = value.broadcast_scalar_to_shape(shape).map_err(engine)?;
            Ok(filled.into_tvalue())
        })
        .collect::<Result<TVec<_>, String>>()?;
    plan.run(values).map(drop)
}

/// Bytes of the weights, and the largest sum of tensors that are needed at the same time.
fn memory(model: &TypedModel) -> Result<(usize, usize), String> {
    let order = model.eval_order().map_err(engine)?;
    let size = |node: usize| {
        let outputs = model.nodes()[node].outputs.iter();
        outputs.fold(0usize, |sum, output| {
            let dims = output.fact.shape.iter().filter_map(|dim| dim.to_usize().ok());
            let bytes = dims.fold(output.fact.datum_type.size_of(), usize::saturating_mul);
            sum.saturating_add(bytes)
        })
    };
    let constant =
        |node: usize| model.nodes()[node].outputs.iter().all(|output| output.fact.konst.is_some());
    let mut last = vec![usize::MAX; model.nodes().len()];
    for (step, node) in order.iter().enumerate() {
        for input in &model.nodes()[*node].inputs {
            last[input.node] = step;
        }
    }
    let (mut weights, mut live, mut most) = (0usize, 0usize, 0usize);
    for (step, node) in order.iter().enumerate() {
        if constant(*node) {
            weights = weights.saturating_add(size(*node));
            continue;
        }
        live = live.saturating_add(size(*node));
        most = most.max(live);
        let mut over: Vec<usize> =
            model.nodes()[*node].inputs.iter().map(|input| input.node).collect();
        over.sort_unstable();
        over.dedup();
        for input in over {
            if last[input] == step && !constant(input) {
                live -= size(input).min(live);
            }
        }
    }
    Ok((weights, most))
}
