//! Tensors come back as they went, by every way there is, and no bytes make the readers panic.

#![allow(clippy::unwrap_used, reason = "tests")]

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use dcmp_protocol::tensor::{
    Dtype, Named, Tensor, from_safetensors, parse, parse_named, to_safetensors,
};
use proptest::{collection::vec, prelude::*};
use serde_json::{
    Value, json,
    value::{RawValue, to_raw_value},
};

const DTYPES: [Dtype; 12] = [
    Dtype::Bool,
    Dtype::Int8,
    Dtype::Int16,
    Dtype::Int32,
    Dtype::Int64,
    Dtype::Uint8,
    Dtype::Uint16,
    Dtype::Uint32,
    Dtype::Uint64,
    Dtype::Float16,
    Dtype::Float32,
    Dtype::Float64,
];

/// Any tensor whose elements are finite.
fn tensor() -> impl Strategy<Value = Tensor> {
    let shape = vec(0..4usize, 0..4);
    (prop::sample::select(&DTYPES[..]), shape).prop_flat_map(|(dtype, shape)| {
        let bytes = Tensor::elements(&shape).unwrap() * dtype.size();
        vec(any::<u8>(), bytes).prop_map(move |mut data| {
            match dtype {
                Dtype::Bool => data.iter_mut().for_each(|byte| *byte &= 1),
                // without the highest bit of the exponent no value is infinite or not a number
                Dtype::Float16 | Dtype::Float32 | Dtype::Float64 => {
                    data.chunks_exact_mut(dtype.size()).for_each(|e| e[e.len() - 1] &= 0xbf);
                }
                _ => {}
            }
            Tensor { dtype, shape: shape.clone(), data: data.into() }
        })
    })
}

fn names() -> impl Strategy<Value = Vec<String>> {
    prop::collection::btree_set("[a-z_/.:é\"]{1,8}", 1..4)
        .prop_map(|names| names.into_iter().filter(|name| name != "__metadata__").collect())
}

fn raw(value: &Value) -> Box<RawValue> {
    to_raw_value(value).unwrap()
}

/// Whether they hold the same numbers: the same bytes, but for a float64, of which the JSON reader
/// may miss the last bits. Who needs them sends `data_b64`.
fn same_numbers(read: &Tensor, sent: &Tensor) -> bool {
    let close = |(a, b): (f64, f64)| (a - b).abs() <= b.abs() * 4.0 * f64::EPSILON;
    match sent.dtype {
        Dtype::Float64 => {
            (read.dtype, &read.shape) == (sent.dtype, &sent.shape)
                && read.to_f64().into_iter().zip(sent.to_f64()).all(close)
        }
        _ => read == sent,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn by_numbers(tensor in tensor()) {
        // what the API answers can be sent back to it
        let shown = to_raw_value(&tensor).unwrap();
        prop_assert!(same_numbers(&parse(&shown, "input", tensor.dtype).unwrap(), &tensor));
    }

    #[test]
    fn by_base64(tensor in tensor()) {
        let data_b64 = STANDARD.encode(&tensor.data);
        let sent = json!({ "dtype": tensor.dtype, "shape": tensor.shape, "data_b64": data_b64 });
        prop_assert_eq!(parse(&raw(&sent), "input", tensor.dtype).unwrap(), tensor);
    }

    #[test]
    fn by_message(name in "\\PC{0,12}", tensor in tensor()) {
        let named = Named { name, tensor };
        let text = serde_json::to_string(&named).unwrap();
        prop_assert_eq!(serde_json::from_str::<Named>(&text).unwrap(), named);
    }

    #[test]
    fn by_file(names in names(), tensors in vec(tensor(), 3)) {
        let tensors: Vec<Named> =
            names.into_iter().zip(tensors).map(|(name, tensor)| Named { name, tensor }).collect();
        let mut read = from_safetensors(&to_safetensors(&tensors)).unwrap();
        read.sort_by(|a, b| a.name.cmp(&b.name));
        prop_assert_eq!(read, tensors);
    }

    #[test]
    fn by_name(names in names(), tensors in vec(tensor(), 3)) {
        let tensors: Vec<Named> =
            names.into_iter().zip(tensors).map(|(name, tensor)| Named { name, tensor }).collect();
        let inputs: serde_json::Map<String, Value> = tensors
            .iter()
            .map(|named| (named.name.clone(), serde_json::to_value(&named.tensor).unwrap()))
            .collect();
        let expected: Vec<_> =
            tensors.iter().map(|named| (named.name.as_str(), named.tensor.dtype)).collect();
        let read = parse_named(&raw(&json!({ "inputs": inputs })), &expected).unwrap();
        prop_assert_eq!(read.len(), tensors.len());
        for (read, sent) in read.iter().zip(&tensors) {
            prop_assert!(read.name == sent.name && same_numbers(&read.tensor, &sent.tensor));
        }
    }

    #[test]
    fn no_bytes_make_a_reader_panic(bytes in vec(any::<u8>(), 0..200)) {
        let _ = from_safetensors(&Bytes::from(bytes.clone()));
        if let Ok(raw) = serde_json::from_slice::<Box<RawValue>>(&bytes) {
            read_all(&raw);
        }
    }

    #[test]
    fn no_json_makes_a_reader_panic(value in json_like_a_tensor()) {
        read_all(&raw(&value));
    }
}

/// Reads it as everything that it might be.
fn read_all(raw: &RawValue) {
    for dtype in DTYPES {
        let one = parse_named(raw, &[("x", dtype)]);
        if let Ok(tensors) = one {
            let tensor = &tensors[0].tensor;
            assert_eq!(tensor.data.len(), Tensor::elements(&tensor.shape).unwrap() * dtype.size());
        }
        let _ = parse_named(raw, &[("x", dtype), ("y", Dtype::Float32)]);
        let _ = parse_named(raw, &[]);
    }
}

/// Objects with a tensor's fields, or nearly, and anything in them.
fn json_like_a_tensor() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        Just(json!("float32")),
        Just(json!("AAAAAA==")),
        "\\PC{0,6}".prop_map(Value::from),
    ];
    let field =
        prop::sample::select(&["data", "shape", "dtype", "data_b64", "inputs", "x", "y"][..]);
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(field.clone().prop_map(str::to_owned), inner, 0..5)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

#[track_caller]
fn refused(tensor: &str, expected: Dtype) -> String {
    let raw: &RawValue = serde_json::from_str(tensor).unwrap();
    parse(raw, "input", expected).unwrap_err().to_string()
}

#[test]
fn a_refusal_names_the_place_and_what_to_change() {
    let f32 = Dtype::Float32;
    for (tensor, sentence) in [
        (r#"[1,2]"#, r#"input: expected a tensor {"data": [numbers], "shape": [sizes]}"#),
        (
            r#"{"shape":[1]}"#,
            r#"input.data: expected a tensor {"data": [numbers], "shape": [sizes]} of float32; `data` is missing"#,
        ),
        (r#"{"data":[1]}"#, "input.shape: missing; for example [1, 10]"),
        (r#"{"data":[1],"shape":[2]}"#, "input.shape: shape [2] needs 2 elements, data has 1"),
        (
            r#"{"data":[1],"shape":[-1]}"#,
            "input.shape: expected a list of non-negative whole numbers, for example [1, 10]",
        ),
        (
            r#"{"data":[1],"shape":"1"}"#,
            "input.shape: expected a list of non-negative whole numbers, for example [1, 10]",
        ),
        (
            r#"{"data":[1],"shape":[18446744073709551615,3]}"#,
            "input.shape: shape [18446744073709551615, 3] needs more elements than fit in memory, data has 1",
        ),
        (
            r#"{"data":[1,"two"],"shape":[2]}"#,
            r#"input.data[1]: expected a float32 number, got "two""#,
        ),
        (r#"{"data":[null],"shape":[1]}"#, "input.data[0]: expected a float32 number, got null"),
        (
            r#"{"data":[[1],[2]],"shape":[2,1]}"#,
            "input.data[0]: expected a float32 number, got [1]; flatten nested lists row by row",
        ),
        (
            r#"{"data":"1,2","shape":[2]}"#,
            "input.data: expected a flat list of numbers in row-major order",
        ),
        (r#"{"data":[1e39],"shape":[1]}"#, "input.data[0]: element 0 is not a finite float32"),
        (r#"{"data":[1e400],"shape":[1]}"#, "input.data[0]: expected a float32 number, got 1e400"),
        (
            r#"{"data_b64":"AADAfw==","shape":[1]}"#,
            "input.data[0]: element 0 is not a finite float32",
        ),
        (
            r#"{"data_b64":"AAAA","shape":[1]}"#,
            "input.data_b64: 3 bytes are not a whole number of float32 elements of 4 bytes",
        ),
        (r#"{"data_b64":5,"shape":[1]}"#, "input.data_b64: expected a text of base64"),
        (
            r#"{"data":[1],"data_b64":"AAAAAA==","shape":[1]}"#,
            "input: give `data` or `data_b64`, not both",
        ),
        (
            r#"{"data":[1],"shape":[1],"dtype":"int64"}"#,
            "input.dtype: the model takes float32, not int64",
        ),
        (
            r#"{"data":[1],"shape":[1],"dtype":"double"}"#,
            r#"input.dtype: "double" is no element type; use a NumPy name such as "float32""#,
        ),
    ] {
        assert_eq!(refused(tensor, f32), sentence, "{tensor}");
    }
    let half = r#"{"data":[0.5],"shape":[1]}"#;
    assert_eq!(refused(half, Dtype::Int64), "input.data[0]: expected a int64 number, got 0.5");
    let wide = r#"{"data":[1,256],"shape":[2]}"#;
    assert_eq!(refused(wide, Dtype::Uint8), "input.data[1]: expected a uint8 number, got 256");
    let number = r#"{"data":[1],"shape":[1]}"#;
    assert!(refused(number, Dtype::Bool).starts_with("input.data[0]: expected"));
}

#[test]
fn inputs_by_name_are_exactly_those_of_the_model() {
    let expected = [("a", Dtype::Float32), ("b", Dtype::Int64)];
    let refused = |text: &str| {
        let raw: &RawValue = serde_json::from_str(text).unwrap();
        parse_named(raw, &expected).unwrap_err().to_string()
    };
    let one = r#"{"data":[1],"shape":[1]}"#;
    assert_eq!(
        refused(one),
        r#"input: expected {"inputs": {name: tensor}} with the model's inputs `a`, `b`"#
    );
    let missing = format!(r#"{{"inputs":{{"a":{one}}}}}"#);
    assert_eq!(refused(&missing), "input.inputs.b: missing; the model needs it");
    let unknown = format!(r#"{{"inputs":{{"a":{one},"b":{one},"c":{one}}}}}"#);
    assert_eq!(refused(&unknown), "input.inputs.c: the model has no such input; it has `a`, `b`");
}

#[test]
fn numbers_are_written_in_another_type_that_takes_them() {
    let bytes = |dtype, data: &'static [u8]| Tensor { dtype, shape: vec![2], data: data.into() };
    let small = bytes(Dtype::Int8, &[0xff, 2]);
    let numbers = |tensor: Option<Tensor>| tensor.map(|tensor| tensor.to_f64());
    for dtype in [Dtype::Int8, Dtype::Int64, Dtype::Float16, Dtype::Float32, Dtype::Float64] {
        assert_eq!(numbers(small.converted(dtype)), Some(vec![-1.0, 2.0]), "{dtype}");
    }
    for dtype in [Dtype::Bool, Dtype::Uint8, Dtype::Uint64] {
        assert_eq!(small.converted(dtype), None, "{dtype}");
    }
    let unsigned = bytes(Dtype::Uint8, &[0xff, 1]);
    assert_eq!(numbers(unsigned.converted(Dtype::Int16)), Some(vec![255.0, 1.0]));
    assert_eq!(numbers(unsigned.converted(Dtype::Uint32)), Some(vec![255.0, 1.0]));
    assert_eq!(unsigned.converted(Dtype::Int8), None);
    assert_eq!(Tensor::from_f32(vec![1], &[1.5]).converted(Dtype::Int64), None);
}
