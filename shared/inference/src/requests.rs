//! Many requests of one caller, stacked along a dimension in front of their own: pieces of batches.

use std::sync::atomic::Ordering;

use protocol::tensor::{Answers, Named, Tensor, height, unstack};

use crate::{Error, Network, stack};

impl Network {
    /// Answers a stack of requests of the same shapes, each as [`run`](Self::run) would. One that
    /// fails does not hold up the others.
    ///
    /// # Errors
    /// A sentence, when the tensors are no stack.
    pub fn run_requests(&self, stacked: &[Named]) -> Result<Answers, String> {
        let count = height(stacked).ok_or("the inputs are not stacked alike")?;
        if let Some(outputs) = self.run_as_rows(stacked, count) {
            return Ok(Answers::stacked(outputs));
        }
        let requests: Vec<_> = (0..count).filter_map(|index| unstack(stacked, index)).collect();
        let requests: Vec<&[Named]> = requests.iter().map(Vec::as_slice).collect();
        let answers = self.run_stacked(&requests).into_iter();
        let told = |error: Error| match error {
            Error::Input(message) => ("INPUTS_INVALID".to_owned(), message),
            Error::Engine(_) => ("MODEL_FAILED".to_owned(), error.to_string()),
        };
        Ok(Answers::of(answers.map(|answer| answer.map_err(told)).collect()))
    }

    /// As rows of one request, where the model is known to treat them apart; `None` when it is not
    /// known, or when one of them makes the run fail.
    fn run_as_rows(&self, stacked: &[Named], count: usize) -> Option<Vec<Named>> {
        if self.stackable.load(Ordering::Relaxed) == stack::UNKNOWN && count >= 2 {
            // two of them tell
            let pair = [unstack(stacked, 0)?, unstack(stacked, count - 1)?];
            self.run_stacked(&[&pair[0], &pair[1]]);
        }
        if self.stackable.load(Ordering::Relaxed) != stack::STACKED {
            return None;
        }
        let rows: Vec<Named> = stacked.iter().map(flat).collect::<Option<_>>()?;
        let ordered = self.ordered(&rows).ok()?;
        let total = *ordered.first()?.tensor.shape.first()?;
        if ordered.iter().any(|input| input.tensor.shape[0] != total) {
            return None;
        }
        let outputs = self.run_many(&ordered, total)?;
        outputs.into_iter().map(|output| deep(output, count)).collect()
    }
}

/// The first two dimensions as one.
fn flat(named: &Named) -> Option<Named> {
    let [count, rows, rest @ ..] = named.tensor.shape.as_slice() else { return None };
    let mut shape = vec![count * rows];
    shape.extend(rest);
    Some(with_shape(named, shape))
}

/// The first dimension as two, `count` in front.
fn deep(named: Named, count: usize) -> Option<Named> {
    let (rows, rest) = named.tensor.shape.split_first()?;
    if rows % count != 0 {
        return None;
    }
    let mut shape = vec![count, rows / count];
    shape.extend(rest);
    Some(with_shape(&named, shape))
}

fn with_shape(named: &Named, shape: Vec<usize>) -> Named {
    let Tensor { dtype, data, .. } = &named.tensor;
    let tensor = Tensor { dtype: *dtype, shape, data: data.clone() };
    Named { name: named.name.clone(), tensor }
}
