//! JSON bodies: an inference that is really run.

use super::world::{JSON, world};
use crate::{Memory, Target};

pub(super) const TARGET: Target = Target {
    name: "bodies",
    seeds,
    words: super::JSON,
    read,
    memory: Memory { base: 64 << 20, per_byte: 256 },
    cases: 300,
};

/// Stands for the id of a model that is there.
const MODEL: &str = "MODEL";

fn seeds() -> Vec<Vec<u8>> {
    let ten = "[0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9,1.0]";
    [
        format!(r#"{{"model_id":"MODEL","input":{{"data":{ten},"shape":[1,10]}}}}"#),
        format!(
            r#"{{"model_id":"MODEL@1","input":{{"inputs":{{"input":{{"data":{ten},"shape":[1,10]}}}}}},"options":{{"timeout":100,"deadline_ms":1000,"prefer_gpu":true}},"async":false,"placement":"platform"}}"#
        ),
        r#"{"model_id":"MODEL","input":{"data_b64":"AACAPwAAgD8=","shape":[1,2],"dtype":"float32"}}"#
            .to_owned(),
    ]
    .map(String::into_bytes)
    .to_vec()
}

fn read(input: &[u8]) {
    let text = String::from_utf8_lossy(input).replace(MODEL, &world().model);
    world().answers("POST", "/inference", JSON, text.into_bytes());
}
