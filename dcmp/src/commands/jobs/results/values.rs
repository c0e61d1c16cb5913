//! What a result holds: tensors, or what an adapter made of them.

use std::collections::BTreeMap;

use anyhow::Result;
use base64::{Engine, engine::general_purpose::STANDARD};
use protocol::tensor::{Dtype, Tensor, parse};
use serde::Deserialize;
use serde_json::{Map, Value, value::RawValue};

use crate::exit::{Exit, error};

/// What a model's only output is called.
pub(super) const OUTPUT: &str = "output";

/// A result, read.
#[derive(Debug, PartialEq)]
pub(super) enum Values {
    /// By the names of the outputs.
    Tensors(Vec<(String, Tensor)>),
    /// An answer in words: of several predictions the best.
    Words(Map<String, Value>),
    /// Anything else, such as the answers to an input that is several.
    Other,
}

/// A tensor as the API shows it: with the exact bytes when the numbers alone do not say it all.
#[derive(Deserialize)]
struct Shown {
    shape: Vec<usize>,
    #[serde(default = "float32")]
    dtype: Dtype,
    data_b64: Option<String>,
}

fn float32() -> Dtype {
    Dtype::Float32
}

#[derive(Deserialize)]
struct Outputs {
    outputs: BTreeMap<String, Box<RawValue>>,
}

impl Values {
    pub(super) fn read(result: &RawValue) -> Result<Self> {
        // a list would be read as the fields of a struct
        if !result.get().starts_with('{') {
            return Ok(Self::Other);
        }
        if let Ok(Outputs { outputs }) = serde_json::from_str(result.get()) {
            let tensors = outputs.into_iter().map(|(name, raw)| Ok((name, tensor(&raw)?)));
            return Ok(Self::Tensors(tensors.collect::<Result<_>>()?));
        }
        if serde_json::from_str::<Shown>(result.get()).is_ok() {
            return Ok(Self::Tensors(vec![(OUTPUT.to_owned(), tensor(result)?)]));
        }
        let Ok(mut words) = serde_json::from_str::<Map<String, Value>>(result.get()) else {
            return Ok(Self::Other);
        };
        Ok(match words.remove("predictions") {
            None => Self::Words(words),
            Some(Value::Array(predictions)) => match predictions.into_iter().next() {
                Some(Value::Object(best)) => Self::Words(best),
                _ => Self::Other,
            },
            Some(_) => Self::Other,
        })
    }
}

fn tensor(raw: &RawValue) -> Result<Tensor> {
    let strange = |why: &dyn std::fmt::Display| {
        error(Exit::Failed, format!("a result is not what this version of dcmp expects: {why}"))
    };
    let shown: Shown = serde_json::from_str(raw.get()).map_err(|why| strange(&why))?;
    let Shown { shape, dtype, data_b64 } = shown;
    let Some(text) = data_b64 else {
        return parse(raw, "result", dtype).map_err(|why| strange(&why));
    };
    let data = STANDARD.decode(text).map_err(|why| strange(&why))?;
    let bytes = Tensor::elements(&shape).and_then(|elements| elements.checked_mul(dtype.size()));
    if bytes != Some(data.len()) {
        return Err(strange(&"its bytes are not its shape's"));
    }
    Ok(Tensor { dtype, shape, data: data.into() })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    pub(in super::super) fn raw(json: &str) -> Box<RawValue> {
        RawValue::from_string(json.to_owned()).unwrap()
    }

    fn read(json: &str) -> Values {
        Values::read(&raw(json)).unwrap()
    }

    #[test]
    fn tensors_are_read_exactly() {
        let Values::Tensors(one) = read(r#"{"data":[0.5,1],"shape":[1,2]}"#) else { panic!() };
        assert_eq!(one, [("output".to_owned(), Tensor::from_f32(vec![1, 2], &[0.5, 1.0]))]);
        let nan = json!({ "data": [null], "shape": [1], "data_b64": STANDARD.encode(f32::NAN.to_le_bytes()) });
        let Values::Tensors(one) = read(&nan.to_string()) else { panic!() };
        assert!(one[0].1.to_f64()[0].is_nan());
        let named = r#"{"outputs":{"b":{"data":[1],"shape":[1]},"a":{"data":[2],"shape":[1],"dtype":"int64"}}}"#;
        let Values::Tensors(two) = read(named) else { panic!() };
        assert_eq!(two[0].0, "a");
        assert_eq!(two[0].1.dtype, Dtype::Int64);
    }

    #[test]
    fn of_words_the_best_count() {
        let best = r#"{"predictions":[{"label":"cat","score":0.75},{"label":"dog","score":0.25}]}"#;
        let Values::Words(words) = read(best) else { panic!() };
        assert_eq!(Value::Object(words), json!({ "label": "cat", "score": 0.75 }));
        assert!(matches!(read(r#"{"value":1}"#), Values::Words(_)));
        for other in [r#"[{"value":1}]"#, "1", r#"{"predictions":[]}"#] {
            assert_eq!(read(other), Values::Other, "{other}");
        }
    }
}
