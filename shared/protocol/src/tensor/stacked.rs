//! Many requests of one model in one list of tensors: each input, and each output, has one more
//! dimension in front, over the requests. Requests that failed have no row in the outputs, and are
//! told in a list beside them.

use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use super::{Dtype, Named, Tensor};

/// The name under which the requests that failed lie beside the outputs: a JSON list of [`Failed`], as bytes.
const FAILED: &str = "dcmp.failed";

/// What the names of outputs begin with that could not be stacked; the request's place and `/` follow.
const APART: &str = "dcmp.apart/";

/// A request of a stack that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// Its place among the requests.
    pub index: usize,
    /// A short name for programs.
    pub code: String,
    /// A sentence for people.
    pub message: String,
}

/// What a stack of requests gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Answers {
    outputs: Outputs,
    failed: Vec<Failed>,
    count: usize,
}

#[derive(Clone, Debug, PartialEq)]
enum Outputs {
    /// With a row for each request that did not fail.
    Stacked(Vec<Named>),
    /// Of each request that did not fail: their shapes differ.
    Apart(Vec<Vec<Named>>),
}

/// Puts requests with the same names, types and shapes together; `None` when they are not the same,
/// or there are none.
pub fn stack(requests: &[&[Named]]) -> Option<Vec<Named>> {
    let first = *requests.first()?;
    let alike = |request: &&[Named]| {
        request.len() == first.len()
            && request.iter().zip(first).all(|(a, b)| {
                a.name == b.name
                    && a.tensor.dtype == b.tensor.dtype
                    && a.tensor.shape == b.tensor.shape
            })
    };
    if !requests.iter().all(alike) {
        return None;
    }
    let stacked = first.iter().enumerate().map(|(place, named)| {
        let mut data = BytesMut::with_capacity(named.tensor.data.len() * requests.len());
        requests.iter().for_each(|request| data.extend_from_slice(&request[place].tensor.data));
        let mut shape = vec![requests.len()];
        shape.extend(&named.tensor.shape);
        let tensor = Tensor { dtype: named.tensor.dtype, shape, data: data.freeze() };
        Named { name: named.name.clone(), tensor }
    });
    Some(stacked.collect())
}

/// How many requests a stack holds; `None` when its tensors do not agree, or there are none.
pub fn height(stacked: &[Named]) -> Option<usize> {
    let height = *stacked.first()?.tensor.shape.first()?;
    stacked.iter().all(|named| named.tensor.shape.first() == Some(&height)).then_some(height)
}

/// The request at `index` of a stack, sharing its memory. `None` when there is none.
pub fn unstack(stacked: &[Named], index: usize) -> Option<Vec<Named>> {
    let height = height(stacked)?;
    if index >= height {
        return None;
    }
    let one = |named: &Named| {
        let size = named.tensor.data.len() / height;
        let data = named.tensor.data.slice(index * size..(index + 1) * size);
        let tensor =
            Tensor { dtype: named.tensor.dtype, shape: named.tensor.shape[1..].to_vec(), data };
        Named { name: named.name.clone(), tensor }
    };
    Some(stacked.iter().map(one).collect())
}

impl Answers {
    /// Of requests that all gave outputs, which are stacked already.
    pub fn stacked(outputs: Vec<Named>) -> Self {
        let count = height(&outputs).unwrap_or(0);
        Self { outputs: Outputs::Stacked(outputs), failed: Vec::new(), count }
    }

    /// Of requests that were answered each by itself; the error is a code and a sentence.
    pub fn of(answers: Vec<Result<Vec<Named>, (String, String)>>) -> Self {
        let count = answers.len();
        let (mut good, mut failed) = (Vec::with_capacity(count), Vec::new());
        for (index, answer) in answers.into_iter().enumerate() {
            match answer {
                Ok(outputs) => good.push(outputs),
                Err((code, message)) => failed.push(Failed { index, code, message }),
            }
        }
        let stacked = stack(&good.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let outputs = match stacked {
            Some(stacked) => Outputs::Stacked(stacked),
            None => Outputs::Apart(good),
        };
        Self { outputs, failed, count }
    }

    /// How many requests there were.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Those that failed, in their order.
    pub fn failed(&self) -> &[Failed] {
        &self.failed
    }

    /// The outputs of the request at `index`, or why it has none; `None` beyond the last.
    pub fn get(&self, index: usize) -> Option<Result<Vec<Named>, &Failed>> {
        if index >= self.count {
            return None;
        }
        match self.failed.binary_search_by_key(&index, |failed| failed.index) {
            Ok(place) => Some(Err(&self.failed[place])),
            Err(before) => match &self.outputs {
                Outputs::Stacked(outputs) => unstack(outputs, index - before).map(Ok),
                Outputs::Apart(outputs) => outputs.get(index - before).cloned().map(Ok),
            },
        }
    }

    /// The outputs of requests that differ in shape: of those that are stacked, one speaks for all.
    pub fn distinct(&self) -> impl Iterator<Item = Vec<Named>> {
        let (stacked, apart) = match &self.outputs {
            Outputs::Stacked(outputs) => (unstack(outputs, 0), &[][..]),
            Outputs::Apart(outputs) => (None, outputs.as_slice()),
        };
        stacked.into_iter().chain(apart.iter().cloned())
    }

    /// As the tensors of a message or a file.
    pub fn into_tensors(self) -> Vec<Named> {
        let mut tensors = match self.outputs {
            Outputs::Stacked(outputs) => outputs,
            Outputs::Apart(requests) => {
                let numbered = |(place, outputs): (usize, Vec<Named>)| {
                    outputs.into_iter().map(move |Named { name, tensor }| Named {
                        name: format!("{APART}{place}/{name}"),
                        tensor,
                    })
                };
                requests.into_iter().enumerate().flat_map(numbered).collect()
            }
        };
        if !self.failed.is_empty() {
            let json = serde_json::to_vec(&self.failed).expect("texts and numbers are JSON");
            let data = Bytes::from(json);
            let tensor = Tensor { dtype: Dtype::Uint8, shape: vec![data.len()], data };
            tensors.push(Named { name: FAILED.to_owned(), tensor });
        }
        tensors
    }

    /// Out of the tensors of a message or a file.
    ///
    /// # Errors
    /// A sentence, when they are not what `count` requests give.
    pub fn from_tensors(mut tensors: Vec<Named>, count: usize) -> Result<Self, String> {
        let failed = match tensors.iter().position(|named| named.name == FAILED) {
            Some(place) => serde_json::from_slice(&tensors.swap_remove(place).tensor.data)
                .map_err(|error| format!("its list of failed requests cannot be read: {error}"))?,
            None => Vec::<Failed>::new(),
        };
        let ordered = failed.windows(2).all(|pair| pair[0].index < pair[1].index);
        if !ordered || failed.last().is_some_and(|last| last.index >= count) {
            return Err("its list of failed requests is out of order".to_owned());
        }
        let good = count - failed.len();
        let is_apart = tensors.first().is_some_and(|named| named.name.starts_with(APART));
        let (found, outputs) = if is_apart {
            let requests = apart(tensors, good)?;
            (requests.len(), Outputs::Apart(requests))
        } else {
            (height(&tensors).unwrap_or(0), Outputs::Stacked(tensors))
        };
        if found != good {
            return Err(format!("it has outputs of {found} requests, and {good} were expected"));
        }
        Ok(Self { outputs, failed, count })
    }
}

/// Outputs that are numbered by their request.
fn apart(tensors: Vec<Named>, count: usize) -> Result<Vec<Vec<Named>>, String> {
    let mut requests = vec![Vec::new(); count];
    for Named { name, tensor } in tensors {
        let numbered = name.strip_prefix(APART).and_then(|rest| rest.split_once('/'));
        let place = numbered.and_then(|(place, name)| Some((place.parse::<usize>().ok()?, name)));
        let Some((place, name)) = place.filter(|(place, _)| *place < count) else {
            return Err("it names a request that there is not".to_owned());
        };
        requests[place].push(Named { name: name.to_owned(), tensor });
    }
    Ok(requests)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn request(value: f32) -> Vec<Named> {
        vec![Named { name: "x".to_owned(), tensor: Tensor::from_f32(vec![1, 2], &[value, -value]) }]
    }

    #[test]
    fn what_is_stacked_is_found_again() {
        let (one, two) = (request(1.0), request(2.0));
        let stacked = stack(&[&one, &two]).unwrap();
        assert_eq!(stacked[0].tensor.shape, [2, 1, 2]);
        assert_eq!((unstack(&stacked, 0), unstack(&stacked, 1)), (Some(one.clone()), Some(two)));
        assert_eq!(unstack(&stacked, 2), None);
        let other =
            vec![Named { name: "x".to_owned(), tensor: Tensor::from_f32(vec![2], &[0.0; 2]) }];
        assert_eq!(stack(&[&one, &other]), None);
        assert_eq!(stack(&[]), None);
    }

    fn no() -> (String, String) {
        ("MODEL_FAILED".to_owned(), "no".to_owned())
    }

    #[test]
    fn failed_requests_have_no_row() {
        let answers = Answers::of(vec![Ok(request(1.0)), Err(no()), Ok(request(2.0)), Err(no())]);
        let tensors = answers.clone().into_tensors();
        let read = Answers::from_tensors(tensors.clone(), 4).unwrap();
        assert_eq!(read, answers);
        assert_eq!(read.get(0), Some(Ok(request(1.0))));
        assert_eq!(read.get(1).unwrap().unwrap_err().message, "no");
        assert_eq!(read.get(2), Some(Ok(request(2.0))));
        assert!(read.get(3).unwrap().is_err() && read.get(4).is_none());
        assert!(Answers::from_tensors(tensors, 5).is_err());
    }

    #[test]
    fn a_list_of_failures_that_is_no_list_of_them_is_refused() {
        let failed = |index| Failed { index, code: String::new(), message: String::new() };
        for failed in [vec![failed(1), failed(0)], vec![failed(0), failed(0)], vec![failed(7)]] {
            let outputs = Outputs::Stacked(Vec::new());
            let tensors = Answers { outputs, failed, count: 2 }.into_tensors();
            assert!(Answers::from_tensors(tensors, 2).is_err());
        }
    }

    #[test]
    fn all_may_fail() {
        let answers = Answers::of(vec![Err(no()), Err(no())]);
        let read = Answers::from_tensors(answers.into_tensors(), 2).unwrap();
        assert!((0..2).all(|index| read.get(index).unwrap().is_err()));
    }

    #[test]
    fn outputs_of_different_shapes_stay_apart() {
        let other =
            vec![Named { name: "x".to_owned(), tensor: Tensor::from_f32(vec![3], &[0.0; 3]) }];
        let answers = Answers::of(vec![Ok(request(1.0)), Err(no()), Ok(other.clone())]);
        let tensors = answers.into_tensors();
        let read = Answers::from_tensors(tensors.clone(), 3).unwrap();
        assert_eq!((read.get(0), read.get(2)), (Some(Ok(request(1.0))), Some(Ok(other))));
        assert!(Answers::from_tensors(tensors, 2).is_err(), "two requests, and one failed");
    }
}
