//! Tensors: in JSON as people write them, and in files as devices store them.

use protocol::tensor::{Dtype, Named, Tensor, from_safetensors, parse_named, to_safetensors};
use serde_json::value::RawValue;

use crate::{Memory, Target};

pub(super) const TARGET: Target = Target {
    name: "tensors",
    seeds,
    words: super::JSON,
    read,
    // `[0,0,…` is four bytes a number as float64, and the list grows by doubling
    memory: Memory { base: 64 << 10, per_byte: 48 },
    cases: 2_000,
};

fn seeds() -> Vec<Vec<u8>> {
    let tensor = Named { name: "x".to_owned(), tensor: Tensor::from_f32(vec![1, 2], &[0.5, -1.0]) };
    let mut seeds: Vec<_> = [
        r#"{"data":[0.5,-1,1e3,4],"shape":[2,2]}"#,
        r#"{"data":[true,false,0,1],"shape":[4],"dtype":"bool"}"#,
        r#"{"data_b64":"AACAPwAAgD8=","shape":[1,2],"dtype":"float32"}"#,
        r#"{"inputs":{"a":{"data":[1],"shape":[1]},"b":{"data":[2],"shape":[1]}}}"#,
        r#"{"data":[],"shape":[0,18446744073709551615]}"#,
        r#"[[[[0.5]]]]"#,
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec();
    seeds.push(to_safetensors(&[tensor]).to_vec());
    seeds
}

const DTYPES: [Dtype; 5] =
    [Dtype::Bool, Dtype::Int8, Dtype::Uint64, Dtype::Float16, Dtype::Float64];

fn read(input: &[u8]) {
    if let Ok(raw) = serde_json::from_slice::<&RawValue>(input) {
        for dtype in DTYPES {
            for expected in [&[("a", dtype)][..], &[("a", dtype), ("b", Dtype::Float32)]] {
                parse_named(raw, expected).into_iter().flatten().for_each(whole);
            }
        }
    }
    let file = input.to_vec().into();
    from_safetensors(&file).into_iter().flatten().for_each(whole);
}

/// A tensor has the bytes of its shape.
fn whole(Named { tensor, .. }: Named) {
    let elements = Tensor::elements(&tensor.shape);
    let bytes = elements.and_then(|elements| elements.checked_mul(tensor.dtype.size()));
    assert_eq!(Some(tensor.data.len()), bytes, "{:?} {:?}", tensor.shape, tensor.dtype);
}
