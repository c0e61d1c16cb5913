//! Stacking: requests of several callers in one run, along the batch dimension.
//!
//! Open first dimensions do not prove that a model treats its rows apart (a softmax over the batch does
//! not), so the first two requests are run both ways and compared; only then are others stacked.

use std::sync::atomic::Ordering;

use bytes::{Bytes, BytesMut};
use protocol::tensor::{Dtype, Named, Tensor};
use tract_onnx::prelude::TVec;

use crate::{Error, Network, Signature};

pub(crate) const UNKNOWN: u8 = 0;
const APART: u8 = 1;
pub(crate) const STACKED: u8 = 2;

/// The most rows in one run: beyond it, small networks gain nothing more.
const MAX_ROWS: usize = 64;

/// The most input bytes in one run; large inputs fill the processor by themselves.
const MAX_BYTES: usize = 4 << 20;

/// A request's inputs in order, and its rows.
struct Request<'a> {
    inputs: TVec<&'a Named>,
    rows: usize,
}

pub(crate) fn initially(signature: &Signature) -> u8 {
    if signature.is_batched() { UNKNOWN } else { APART }
}

impl Network {
    /// Runs requests of several callers, in as few runs as possible; each has its own answer.
    /// Models that do not treat rows apart run one request after the other.
    pub fn run_stacked(&self, requests: &[&[Named]]) -> Vec<Result<Vec<Named>, Error>> {
        if requests.len() < 2 || self.stackable.load(Ordering::Relaxed) == APART {
            return requests.iter().map(|request| self.run(request)).collect();
        }
        let mut answers: Vec<Option<Result<Vec<Named>, Error>>> = vec![None; requests.len()];
        let mut stack = Vec::with_capacity(requests.len());
        for (index, request) in requests.iter().enumerate() {
            match self.ordered(request) {
                Ok(inputs) => match rows(&inputs) {
                    Some(rows) => stack.push((index, Request { inputs, rows })),
                    None => answers[index] = Some(self.run_ordered(&inputs)),
                },
                Err(error) => answers[index] = Some(Err(error)),
            }
        }
        if self.stackable.load(Ordering::Relaxed) == UNKNOWN && stack.len() >= 2 {
            let pair = stack.split_off(stack.len() - 2);
            for ((index, _), answer) in pair.iter().zip(self.prove(&pair[0].1, &pair[1].1)) {
                answers[*index] = Some(answer);
            }
        }
        if self.stackable.load(Ordering::Relaxed) == STACKED && stack.len() >= 2 {
            let requests: Vec<&Request> = stack.iter().map(|(_, request)| request).collect();
            // When one request makes the run fail, the others must not: they run alone below.
            if let Some(outputs) = self.run_rows(&requests) {
                for ((index, _), outputs) in stack.drain(..).zip(outputs) {
                    answers[index] = Some(Ok(outputs));
                }
            }
        }
        for (index, request) in stack {
            answers[index] = Some(self.run_ordered(&request.inputs));
        }
        answers.into_iter().map(|answer| answer.expect("each request was answered above")).collect()
    }

    /// Answers two requests one by one, and together to see whether that is the same.
    fn prove<'a>(&self, one: &Request<'a>, two: &Request<'a>) -> Vec<Result<Vec<Named>, Error>> {
        let pair = [one, two];
        let alone: Vec<_> = pair.iter().map(|request| self.run_ordered(&request.inputs)).collect();
        let [Ok(first), Ok(second)] = &alone[..] else { return alone };
        let differ = one.inputs.iter().zip(&two.inputs).any(|(a, b)| a.tensor != b.tensor);
        if differ {
            let inputs = concat(&pair);
            let together = self.run_ordered(&inputs.iter().collect::<TVec<_>>());
            let same = together.is_ok_and(|together| {
                let cut = split(&[together], &[one.rows, two.rows]);
                cut.is_some_and(|cut| close(&cut[0], first) && close(&cut[1], second))
            });
            self.stackable.store(if same { STACKED } else { APART }, Ordering::Relaxed);
        }
        alone
    }

    /// Runs all requests in pieces whose sizes are powers of two, so that few plans serve any number.
    fn run_rows(&self, requests: &[&Request]) -> Option<Vec<Vec<Named>>> {
        let rows: Vec<usize> = requests.iter().map(|request| request.rows).collect();
        let inputs = concat(requests);
        let total: usize = rows.iter().sum();
        split(&self.pieces(&inputs.iter().collect::<TVec<_>>(), total)?, &rows)
    }

    /// Runs `total` rows, and puts the outputs together again; `None` when a piece of them fails.
    pub(crate) fn run_many(&self, inputs: &[&Named], total: usize) -> Option<Vec<Named>> {
        split(&self.pieces(inputs, total)?, &[total])?.pop()
    }

    /// The outputs of the pieces of so many rows.
    fn pieces(&self, inputs: &[&Named], total: usize) -> Option<Vec<Vec<Named>>> {
        let row_bytes: usize = inputs.iter().map(|input| input.tensor.data.len() / total).sum();
        let limit = (MAX_BYTES / row_bytes.max(1)).clamp(1, MAX_ROWS);
        let mut outputs = Vec::new();
        let mut from = 0;
        while from < total {
            let size = 1 << (total - from).min(limit).ilog2();
            let chunk: Vec<Named> = inputs.iter().map(|input| slice(input, from, size)).collect();
            outputs.push(self.run_ordered(&chunk.iter().collect::<TVec<_>>()).ok()?);
            from += size;
        }
        Some(outputs)
    }
}

/// The rows of a request, when all its inputs have as many.
fn rows(inputs: &[&Named]) -> Option<usize> {
    let rows = *inputs.first()?.tensor.shape.first()?;
    inputs.iter().all(|input| input.tensor.shape[0] == rows).then_some(rows)
}

/// All requests' inputs as those of one.
fn concat(requests: &[&Request]) -> Vec<Named> {
    let rows = requests.iter().map(|request| request.rows).sum();
    (0..requests[0].inputs.len())
        .map(|input| {
            let parts = || requests.iter().map(|request| &request.inputs[input].tensor);
            let mut data = BytesMut::with_capacity(parts().map(|part| part.data.len()).sum());
            parts().for_each(|part| data.extend_from_slice(&part.data));
            let first = requests[0].inputs[input];
            Named {
                name: first.name.clone(),
                tensor: with_rows(&first.tensor, rows, data.freeze()),
            }
        })
        .collect()
}

/// `count` rows from row `from` on, sharing the memory.
fn slice(named: &Named, from: usize, count: usize) -> Named {
    let tensor = &named.tensor;
    let row = tensor.data.len() / tensor.shape[0];
    let data = tensor.data.slice(from * row..(from + count) * row);
    Named { name: named.name.clone(), tensor: with_rows(tensor, count, data) }
}

fn with_rows(like: &Tensor, rows: usize, data: Bytes) -> Tensor {
    let mut shape = like.shape.clone();
    shape[0] = rows;
    Tensor { dtype: like.dtype, shape, data }
}

/// Deals the rows of the runs' outputs out to requests of `rows` rows each; `None` when an output does
/// not have a row for each row of the input.
fn split(runs: &[Vec<Named>], rows: &[usize]) -> Option<Vec<Vec<Named>>> {
    let names: Vec<&str> = runs.first()?.iter().map(|output| output.name.as_str()).collect();
    let total: usize = rows.iter().sum();
    let mut dealt: Vec<Vec<Named>> = rows.iter().map(|_| Vec::with_capacity(names.len())).collect();
    for (output, name) in names.iter().enumerate() {
        let mut pieces = runs.iter().map(|run| &run[output]);
        let given: usize =
            pieces.clone().map(|piece| piece.tensor.shape.first()).sum::<Option<_>>()?;
        if given != total {
            return None;
        }
        let mut piece = pieces.next()?;
        let mut used = 0;
        for (request, wanted) in dealt.iter_mut().zip(rows) {
            let mut parts = Vec::with_capacity(1);
            let mut missing = *wanted;
            while missing > 0 {
                if used == piece.tensor.shape[0] {
                    (piece, used) = (pieces.next()?, 0);
                }
                let take = missing.min(piece.tensor.shape[0] - used);
                parts.push(slice(piece, used, take));
                (used, missing) = (used + take, missing - take);
            }
            request.push(match <[Named; 1]>::try_from(parts) {
                Ok([whole]) => whole,
                Err(parts) => {
                    let bytes = parts.iter().map(|part| part.tensor.data.len()).sum();
                    let mut data = BytesMut::with_capacity(bytes);
                    parts.iter().for_each(|part| data.extend_from_slice(&part.tensor.data));
                    let tensor = with_rows(&parts[0].tensor, *wanted, data.freeze());
                    Named { name: (*name).to_owned(), tensor }
                }
            });
        }
    }
    Some(dealt)
}

/// Equal but for rounding: kernels add up in another order for other batch sizes.
fn close(one: &[Named], other: &[Named]) -> bool {
    one.iter().zip(other).all(|(a, b)| {
        let (a, b) = (&a.tensor, &b.tensor);
        let tolerance = if a.dtype == Dtype::Float16 { 1e-2 } else { 1e-4 };
        a.shape == b.shape
            && a.to_f64().into_iter().zip(b.to_f64()).all(|(a, b)| {
                let scale = 1.0 + a.abs().max(b.abs());
                a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= tolerance * scale
            })
    })
}
