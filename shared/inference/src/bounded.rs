//! From the file's graph to one with types and shapes, within bounds of memory and work.
//!
//! The engine computes whatever depends on constants alone while it follows the shapes, before anybody
//! could look at them. So the shapes are followed here first, node by node: what would be too large is
//! refused before it is allocated.

use tract_onnx::{
    prelude::{DatumType, InferenceModel, InferenceModelExt, TVec, TypedModel},
    tract_hir::{
        infer::{Factoid, InferenceFact, InferenceOp},
        internal::DimLike,
    },
};

use crate::error::{engine, shortened};

/// The largest tensor, in bytes, that a model may hold anywhere.
pub(crate) const MAX_TENSOR: usize = 1 << 30;

/// What constants computed while reading may take beside four times the file (weights that are stored
/// as int8 become float32), in bytes.
const BASE: usize = 16 << 20;

/// Multiplications, roughly, that computing constants may take.
const MAX_WORK: usize = 1 << 30;

/// What computing constants while reading may cost.
#[derive(Clone, Copy)]
pub(crate) struct Budget {
    bytes: usize,
}

impl Budget {
    /// For a file of so many bytes.
    pub(crate) fn of(file: usize) -> Self {
        Self { bytes: BASE.saturating_add(file.saturating_mul(4)) }
    }
}

/// The model with all types and shapes, or a sentence that names the node that is too large.
pub(crate) fn typed(model: InferenceModel, budget: Budget) -> Result<TypedModel, String> {
    follow(model.clone(), budget)?;
    let model = model.into_typed().map_err(engine)?;
    check_typed(&model)?;
    Ok(model)
}

/// Follows the facts from the inputs on, each node's shapes before its values.
fn follow(mut model: InferenceModel, budget: Budget) -> Result<(), String> {
    let (mut bytes, mut work) = (0usize, 0usize);
    // in the file's order, in which nothing comes before what it reads; all nodes, since the engine
    // computes also those that no output needs
    for id in 0..model.nodes.len() {
        if model.nodes[id].inputs.is_empty() {
            continue;
        }
        let (given, declared) = model.node_facts(id).map_err(engine)?;
        let given: TVec<InferenceFact> = given.into_iter().cloned().collect();
        let declared: TVec<InferenceFact> = declared.into_iter().cloned().collect();
        let named =
            |cause: String| format!("node `{}`: {cause}", shortened(&model.nodes[id].name, 80));
        let mut op: Box<dyn InferenceOp> = model.nodes[id].op.clone();
        let (_, shaped, _) = op
            .infer_facts(given.iter().collect(), declared.iter().collect(), TVec::new())
            .map_err(|cause| named(engine(cause)))?;
        let mut made = 0usize;
        for fact in &shaped {
            made = made.saturating_add(size(fact));
        }
        if made > MAX_TENSOR {
            return Err(named(format!(
                "it needs a tensor of more than {} MB, which is too large; use smaller dimensions, or \
                 send fewer rows at once",
                MAX_TENSOR >> 20
            )));
        }
        if given.iter().all(|fact| fact.value.is_concrete()) {
            bytes = bytes.saturating_add(made);
            work = work.saturating_add(effort(op.as_ref(), &given, made));
            if bytes > budget.bytes {
                return Err(named(format!(
                    "constants computed in the graph, up to this one, take more than {} MB; store them \
                     as weights, or make them smaller",
                    budget.bytes >> 20
                )));
            }
            if work > MAX_WORK {
                return Err(named(
                    "computing the graph's constants, up to this one, takes too long; store them as \
                     weights: torch.onnx.export(…, do_constant_folding=True), or onnxsim"
                        .to_owned(),
                ));
            }
        }
        let (_, known, _) = op
            .infer(given.iter().collect(), declared.iter().collect(), TVec::new())
            .map_err(|cause| named(engine(cause)))?;
        for (slot, fact) in known.into_iter().enumerate() {
            model.set_outlet_fact((id, slot).into(), fact).map_err(engine)?;
        }
    }
    Ok(())
}

/// Bytes of a tensor of that fact, open dimensions counted as one; 0 while the rank is unknown.
fn size(fact: &InferenceFact) -> usize {
    let element = fact.datum_type.concretize().map_or(8, |dtype| dtype.size_of());
    let dims = fact.shape.dims().filter_map(|dim| dim.concretize()?.to_usize().ok());
    dims.fold(element, usize::saturating_mul)
}

/// How many multiplications a constant takes, at most: outputs times what one of them may read.
fn effort(op: &dyn InferenceOp, given: &[InferenceFact], made: usize) -> usize {
    const CHEAP: [&str; 12] = [
        "Cast",
        "Reshape",
        "Concat",
        "Gather",
        "Slice",
        "Unsqueeze",
        "Squeeze",
        "Shape",
        "Const",
        "Broadcast",
        "Identity",
        "StridedSlice",
    ];
    let name = op.name();
    let read: usize = given.iter().map(|fact| size(fact) / 4).max().unwrap_or(0);
    if CHEAP.iter().any(|cheap| name.contains(cheap)) || read <= 64 {
        return made.saturating_add(read);
    }
    let heavy = [
        "MatMul",
        "EinSum",
        "Einsum",
        "Gemm",
        "Conv",
        "LSTM",
        "GRU",
        "RNN",
        "DFT",
        "STFT",
        "NonMax",
        "Attention",
        "Scan",
        "GridSample",
        "Lrn",
    ];
    if name.contains("Pool") {
        // each output reads a window of one plane, which may be all of it
        return (made / 4).saturating_mul(given.first().map_or(1, plane));
    }
    if heavy.iter().any(|heavy| name.contains(heavy)) {
        // each output reads at most one row of the largest input
        let row = given.iter().map(longest).max().unwrap_or(1);
        (made / 4).saturating_mul(row)
    } else {
        made.saturating_add(read)
    }
}

/// Elements of one channel of one image.
fn plane(fact: &InferenceFact) -> usize {
    let dims = fact.shape.dims().skip(2).filter_map(|dim| dim.concretize()?.to_usize().ok());
    dims.fold(1, usize::saturating_mul)
}

/// The product of all dimensions but the smallest that is not one.
fn longest(fact: &InferenceFact) -> usize {
    let dims: Vec<usize> =
        fact.shape.dims().filter_map(|dim| dim.concretize()?.to_usize().ok()).collect();
    let least = dims.iter().copied().filter(|dim| *dim > 1).min().unwrap_or(1);
    dims.iter().copied().fold(1, usize::saturating_mul) / least
}

/// What can be said only of a typed model: sizes of everything, and types that an operator lacks.
fn check_typed(model: &TypedModel) -> Result<(), String> {
    for node in model.nodes() {
        let name = shortened(&node.name, 80);
        for output in &node.outputs {
            let dims = output.fact.shape.iter().filter_map(|dim| dim.to_usize().ok());
            let bytes = dims.fold(output.fact.datum_type.size_of(), usize::saturating_mul);
            if bytes > MAX_TENSOR {
                return Err(format!(
                    "node `{name}` needs a tensor of more than {} MB; send fewer rows at once",
                    MAX_TENSOR >> 20
                ));
            }
        }
        if matches!(node.op.name().as_ref(), "Reduce<Max>" | "Reduce<Min>")
            && let Some(input) = node.inputs.first()
            && model.outlet_fact(*input).is_ok_and(|fact| fact.datum_type == DatumType::Bool)
        {
            return Err(format!(
                "node `{name}` takes the largest or smallest of booleans, which is not supported; cast \
                 them to an integer before"
            ));
        }
    }
    Ok(())
}
