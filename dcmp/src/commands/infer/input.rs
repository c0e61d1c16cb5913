//! What people type as an input: tensors as the API takes them, or plain lists, whose shape is
//! found. Numbers are passed on as they are written.

use protocol::tensor::Spec;
use serde_json::value::RawValue;

/// The input as it was given.
#[derive(Debug)]
pub(in crate::commands) enum Input {
    /// As the API takes it.
    Tensors(Box<RawValue>),
    /// A list that still needs its shape.
    List(List),
}

/// Numbers in row-major order.
#[derive(Debug, PartialEq)]
pub(in crate::commands) struct List {
    numbers: String,
    /// As the brackets are nested.
    shape: Vec<usize>,
}

/// Reads an input; the error is a sentence.
pub(in crate::commands) fn parse(text: &str) -> Result<Input, String> {
    if text.trim().is_empty() {
        return Err("is empty".to_owned());
    }
    let raw: Box<RawValue> =
        serde_json::from_str(text).map_err(|error| format!("is not JSON ({error})"))?;
    match raw.get().as_bytes().first() {
        Some(b'{') => Ok(Input::Tensors(raw)),
        Some(b'[') => Ok(Input::List(List::flatten(&raw)?)),
        _ => Err("is no tensor; give a tensor {\"data\": [1, 2], \"shape\": [1, 2]} or a list"
            .to_owned()),
    }
}

impl List {
    /// Numbers in a row, as JSON writes them.
    pub(in crate::commands) fn flat(numbers: &[String]) -> Self {
        Self { numbers: numbers.join(","), shape: vec![numbers.len()] }
    }

    fn flatten(raw: &RawValue) -> Result<Self, String> {
        let mut level = vec![raw];
        let mut shape = Vec::new();
        loop {
            let lists = level.iter().filter(|item| item.get().starts_with('[')).count();
            if lists == 0 {
                break;
            }
            let depth = shape.len();
            if lists < level.len() {
                return Err(format!("has lists and numbers mixed at depth {depth}"));
            }
            let mut next = Vec::new();
            let mut len = None;
            for list in level {
                let items: Vec<&RawValue> =
                    serde_json::from_str(list.get()).map_err(|error| error.to_string())?;
                let first = *len.get_or_insert(items.len());
                if items.len() != first {
                    let n = items.len();
                    return Err(format!(
                        "has lists of different lengths at depth {depth}: {first} and {n}"
                    ));
                }
                next.extend(items);
            }
            level = next;
            shape.push(len.unwrap_or(0));
            if level.is_empty() {
                return Err("has no numbers".to_owned());
            }
        }
        let numbers: Vec<&str> = level.into_iter().map(RawValue::get).collect();
        Ok(Self { numbers: numbers.join(","), shape })
    }

    /// The tensor in the shape that a model with these inputs takes; the error is a sentence.
    pub(in crate::commands) fn tensor(&self, inputs: &[Spec]) -> Result<Box<RawValue>, String> {
        let [spec] = inputs else {
            let names: Vec<_> = inputs.iter().map(|spec| spec.name.as_str()).collect();
            return Err(format!(
                "is one tensor, but the model has the inputs {}; give {{\"inputs\": {{name: tensor}}}}",
                names.join(", ")
            ));
        };
        // if nothing fits, the platform says so better
        let shape = fit(&self.shape, spec).unwrap_or_else(|| self.shape.clone());
        let tensor = format!("{{\"data\":[{}],\"shape\":{shape:?}}}", self.numbers);
        RawValue::from_string(tensor).map_err(|error| error.to_string())
    }
}

/// The shape to send: as it is nested, with a batch of one before it, or for a flat list the
/// model's own with its one open size found.
fn fit(shape: &[usize], spec: &Spec) -> Option<Vec<usize>> {
    if spec.fits(shape) {
        return Some(shape.to_vec());
    }
    let one: Vec<usize> = [1].into_iter().chain(shape.iter().copied()).collect();
    if spec.fits(&one) {
        return Some(one);
    }
    let &[count] = shape else { return None };
    let known: usize = spec.shape.iter().flatten().product();
    let open = spec.shape.iter().filter(|dim| dim.is_none()).count();
    let found = match open {
        0 if known == count => 1,
        1 if known > 0 && count % known == 0 => count / known,
        _ => return None,
    };
    Some(spec.shape.iter().map(|dim| dim.unwrap_or(found)).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use protocol::tensor::Dtype;

    use super::*;

    fn spec(shape: &[Option<usize>]) -> Spec {
        Spec { name: "x".to_owned(), dtype: Dtype::Float32, shape: shape.to_vec() }
    }

    fn sent(text: &str, shape: &[Option<usize>]) -> String {
        match parse(text).unwrap() {
            Input::List(list) => list.tensor(&[spec(shape)]).unwrap().get().to_owned(),
            Input::Tensors(raw) => raw.get().to_owned(),
        }
    }

    #[test]
    fn tensors_are_passed_on() {
        let tensor = r#"{"data": [0.10, 2], "shape": [1, 2]}"#;
        assert_eq!(sent(&format!(" {tensor}\n"), &[]), tensor);
    }

    #[test]
    fn lists_get_the_shape_that_the_model_takes() {
        let any_by_2 = [None, Some(2)];
        for (text, model, expected) in [
            ("[1, 2.50]", &any_by_2[..], r#"{"data":[1,2.50],"shape":[1, 2]}"#),
            ("[1,2,3,4]", &any_by_2, r#"{"data":[1,2,3,4],"shape":[2, 2]}"#),
            ("[[1,2],[3,4]]", &any_by_2, r#"{"data":[1,2,3,4],"shape":[2, 2]}"#),
            ("[1,2]", &[None], r#"{"data":[1,2],"shape":[2]}"#),
            ("[[1],[2]]", &[Some(1), Some(2), Some(1)], r#"{"data":[1,2],"shape":[1, 2, 1]}"#),
            ("[1,2,3,4]", &[Some(1), Some(2), Some(2)], r#"{"data":[1,2,3,4],"shape":[1, 2, 2]}"#),
            // the platform says what is wrong with these
            ("[1,2,3]", &any_by_2, r#"{"data":[1,2,3],"shape":[3]}"#),
            ("[1,\"a\"]", &any_by_2, r#"{"data":[1,"a"],"shape":[1, 2]}"#),
        ] {
            assert_eq!(sent(text, model), expected);
        }
    }

    #[test]
    fn odd_inputs_are_explained() {
        for (text, word) in [
            (" ", "is empty"),
            ("[1,", "not JSON"),
            ("12", "is no tensor"),
            ("[]", "no numbers"),
            ("[[1,2],[3]]", "lengths at depth 1: 2 and 1"),
            ("[[1],2]", "mixed at depth 1"),
        ] {
            let fault = parse(text).unwrap_err();
            assert!(fault.contains(word), "{fault}");
        }
        let Input::List(list) = parse("[1]").unwrap() else { panic!("is a list") };
        let fault = list.tensor(&[spec(&[None]), spec(&[None])]).unwrap_err();
        assert!(fault.contains("inputs x, x"), "{fault}");
    }
}
