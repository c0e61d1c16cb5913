//! How many multiplications a run takes, estimated before it is run: by the engine's own count, and for
//! the operators that it does not count, by what they read.

use tract_onnx::{
    prelude::{TypedFact, TypedModel, TypedNode},
    tract_core::ops::{
        cnn::{Deconv, MaxPool, SumPool},
        scan::Scan,
    },
    tract_hir::internal::DimLike,
};

/// Multiplications of one run, or as much of other work.
pub(crate) fn of(model: &TypedModel) -> usize {
    model.nodes().iter().fold(0, |sum, node| sum.saturating_add(of_node(model, node)))
}

fn of_node(model: &TypedModel, node: &TypedNode) -> usize {
    // weights and inputs are there already
    if node.inputs.is_empty() {
        return 0;
    }
    let Ok(inputs) = model.node_input_facts(node.id) else { return usize::MAX };
    let counted = node.op.cost(&inputs).unwrap_or_default();
    let counted = counted
        .iter()
        .filter(|(cost, _)| cost.is_compute())
        .fold(0usize, |sum, (_, n)| sum.saturating_add(n.to_usize().unwrap_or(usize::MAX)));
    if counted > 0 {
        return counted;
    }
    let read = inputs.iter().fold(0, |sum, fact| elements(fact).saturating_add(sum));
    let made =
        node.outputs.iter().fold(0, |sum, output| elements(&output.fact).saturating_add(sum));
    uncounted(node, &inputs, made).unwrap_or_else(|| read.saturating_add(made))
}

/// Of an operator that reads its input more than once; `None` for the others.
fn uncounted(node: &TypedNode, inputs: &[&TypedFact], made: usize) -> Option<usize> {
    let first = *inputs.first()?;
    if let Some(pool) = node.op_as::<MaxPool>() {
        return Some(made.saturating_mul(volume(&pool.pool_spec.kernel_shape)));
    }
    if let Some(pool) = node.op_as::<SumPool>() {
        return Some(made.saturating_mul(volume(&pool.pool_spec.kernel_shape)));
    }
    if let Some(deconv) = node.op_as::<Deconv>() {
        let spec = &deconv.pool_spec;
        let each = volume(&spec.kernel_shape).saturating_mul(spec.output_channels);
        return Some(elements(first).saturating_mul(each) / deconv.group.max(1));
    }
    if let Some(scan) = node.op_as::<Scan>() {
        let times = scan.iteration_count(inputs)?.to_usize().unwrap_or(usize::MAX);
        return Some(of(&scan.body).saturating_mul(times));
    }
    match node.op.name().as_ref() {
        // the engine's own types of these are not for others
        "Lrn" => Some(made.saturating_mul(dim(first, 1))),
        "NonMaxSuppression" => {
            // each box of a class is compared with those that were taken before
            let most = inputs.get(2).and_then(|most| most.konst.as_ref());
            let most = most.and_then(|most| most.cast_to_scalar::<i64>().ok());
            let most = most.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
            Some(elements(inputs.get(1)?).saturating_mul(most.min(dim(first, 1))))
        }
        _ => None,
    }
}

/// Elements of a tensor, those of dimensions that follow from values counted as one.
fn elements(fact: &TypedFact) -> usize {
    fact.shape.iter().filter_map(|dim| dim.to_usize().ok()).fold(1, usize::saturating_mul)
}

fn dim(fact: &TypedFact, axis: usize) -> usize {
    fact.shape.get(axis).and_then(|dim| dim.to_usize().ok()).unwrap_or(1)
}

fn volume(kernel: &[usize]) -> usize {
    kernel.iter().copied().fold(1, usize::saturating_mul)
}
