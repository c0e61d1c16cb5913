//! Whatever the bytes are, the answer is a sentence; nothing panics.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use dcmp_inference::inspect;
use prost::Message;
use support::*;
use tract_onnx::pb::{
    GraphProto, StringStringEntryProto, TensorProto, TypeProto, ValueInfoProto,
    tensor_proto::{DataLocation, DataType},
};

fn refusal(bytes: &[u8]) -> String {
    inspect(bytes).unwrap_err().to_string()
}

fn identity(input: ValueInfoProto) -> Vec<u8> {
    let output = ValueInfoProto { name: "y".to_owned(), ..input.clone() };
    file(GraphProto {
        node: vec![node("Identity", &["x"], &["y"])],
        input: vec![input],
        output: vec![output],
        ..GraphProto::default()
    })
}

#[track_caller]
fn assert_says(bytes: &[u8], words: &[&str]) {
    let message = refusal(bytes);
    for word in words {
        assert!(message.contains(word), "`{message}` does not say `{word}`");
    }
}

#[test]
fn other_formats_are_named() {
    assert_says(b"", &["empty"]);
    assert_says(b"PK\x03\x04 archive/data.pkl", &["zip", "torch.onnx.export"]);
    assert_says(b"\x80\x04\x95pickle", &["pickle"]);
    assert_says(b"\x89HDF\r\n\x1a\n", &["HDF5", "tf2onnx"]);
    assert_says(b"\x1c\0\0\0TFL3", &["TensorFlow Lite"]);
    assert_says(b"\x30\0\0\0\0\0\0\0{\"w\":{}}", &["safetensors"]);
    assert_says(b"<!DOCTYPE html>", &["HTML"]);
    assert_says(b"{\"model\": 1}", &["JSON"]);
    assert_says(b"hello, world", &["not an ONNX model"]);
}

#[test]
fn every_truncation_is_refused() {
    let file = Mlp::new([3, 4, 2]).file();
    assert!(inspect(&file).is_ok());
    for length in 0..file.len() {
        let message = refusal(&file[..length]);
        assert!(
            ["truncated", "empty", "not an ONNX model"].iter().any(|word| message.contains(word)),
            "at {length}: {message}"
        );
    }
}

#[test]
fn damaged_bytes_never_panic() {
    let file = Mlp::new([3, 4, 2]).file();
    // each byte replaced by some others: most are refused, none may stop the process
    for place in 0..file.len() {
        for change in [0x00, 0x7f, 0xff, file[place] ^ 1, file[place].wrapping_add(1)] {
            let mut damaged = file.clone();
            damaged[place] = change;
            let _ = inspect(&damaged);
        }
    }
}

#[test]
fn noise_is_refused() {
    let mut state = 1u64;
    for length in 1..400 {
        let noise: Vec<u8> = (0..length)
            .map(|_| {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                (state >> 56) as u8
            })
            .collect();
        assert!(inspect(&noise).is_err());
    }
}

#[test]
fn unsupported_operators_are_listed_with_their_nodes() {
    let mut custom = node("MyOp", &["h"], &["y"]);
    custom.domain = "com.example".to_owned();
    let x = value("x", DataType::Float, &[N("N")]);
    let graph = GraphProto {
        node: vec![node("Unique", &["x"], &["h"]), custom],
        input: vec![x.clone()],
        output: vec![ValueInfoProto { name: "y".to_owned(), ..x }],
        ..GraphProto::default()
    };
    assert_says(
        &file(graph),
        &[
            "MyOp of the domain `com.example` (node `MyOp_y`)",
            "Unique (node `Unique_h`)",
            "without them",
        ],
    );
}

#[test]
fn each_unknown_operator_is_counted_once() {
    let mut nodes: Vec<_> = ["FooBar", "Foo", "FooBar", "Foo", "B", "C", "D", "E", "F", "F"]
        .into_iter()
        .enumerate()
        .map(|(at, op)| node(op, &["x"], &[&format!("n{at}")]))
        .collect();
    nodes[3].domain = "ai.onnx".to_owned();
    let graph = GraphProto { node: nodes, ..Mlp::new([3, 4, 2]).graph(|| N("N")) };
    assert_says(
        &file(graph),
        &["FooBar (node `FooBar_n0`), Foo (node `Foo_n1`), B (", "D (node `D_n6`) and 2 more;"],
    );
}

#[test]
fn external_data_is_refused_with_the_remedy() {
    let mut graph = Mlp::new([3, 4, 2]).graph(|| N("N"));
    graph.initializer[0].raw_data.clear();
    graph.initializer[0].data_location = Some(DataLocation::External as i32);
    graph.initializer[0].external_data = vec![StringStringEntryProto {
        key: "location".to_owned(),
        value: "../../etc/passwd".to_owned(),
    }];
    assert_says(&file(graph), &["initializer `w1`", "../../etc/passwd", "external_data=False"]);
}

#[test]
fn inputs_that_are_not_plain_tensors() {
    assert_says(&identity(value("x", DataType::String, &[N("N")])), &["input `x`", "STRING"]);
    assert_says(&identity(value("x", DataType::Bfloat16, &[N("N")])), &["input `x`", "BFLOAT16"]);
    assert_says(&identity(value("x", DataType::Undefined, &[N("N")])), &["input `x`", "UNDEFINED"]);
    let mut sequence = value("x", DataType::Float, &[N("N")]);
    sequence.r#type = Some(TypeProto::default());
    assert_says(&identity(sequence), &["input `x`", "not a tensor"]);
    assert_says(&identity(value("x", DataType::Float, &[Is(0), Is(2)])), &["input `x`", "empty"]);
}

#[test]
fn models_without_an_end() {
    let mut graph = Mlp::new([3, 4, 2]).graph(|| N("N"));
    graph.output.clear();
    assert_says(&file(graph), &["no outputs"]);

    let graph = GraphProto {
        node: vec![node("Relu", &["w"], &["y"])],
        initializer: vec![weights("w", &[1], &[1.0])],
        output: vec![value("y", DataType::Float, &[Is(1)])],
        ..GraphProto::default()
    };
    assert_says(&file(graph), &["no inputs"]);

    let mut graph = Mlp::new([3, 4, 2]).graph(|| N("N"));
    graph.output[0].name = "nowhere".to_owned();
    assert_says(&file(graph), &["output `nowhere`", "made by no node"]);

    let mut graph = Mlp::new([3, 4, 2]).graph(|| N("N"));
    graph.node[1].input[0] = "nowhere".to_owned();
    assert_says(&file(graph), &["node `Relu_active` reads `nowhere`"]);

    let mut headless = model(GraphProto::default());
    headless.graph = None;
    assert_says(&headless.encode_to_vec(), &["no `graph`"]);
}

#[test]
fn weights_must_be_as_long_as_their_shape() {
    let mut graph = Mlp::new([3, 4, 2]).graph(|| N("N"));
    graph.initializer[0].dims = vec![1 << 40, 1 << 40];
    assert_says(&file(graph), &["initializer `w1`", "damaged"]);
}

#[test]
fn shapes_that_do_not_fit_together() {
    let mut graph = Mlp::new([3, 4, 2]).graph(|| N("N"));
    graph.initializer[2] = weights("w2", &[5, 2], &[0.0; 10]);
    assert_says(&file(graph), &["cannot be run", "Gemm_y"]);
}

#[test]
fn sizes_out_of_the_world_are_refused_before_memory_is_asked_for() {
    let billion = 1_000_000_000;
    assert_says(
        &identity(value("x", DataType::Float, &[Is(billion)])),
        &["input `x`", "larger than"],
    );
    let shape = TensorProto {
        name: "shape".to_owned(),
        dims: vec![1],
        data_type: DataType::Int64 as i32,
        raw_data: billion.to_le_bytes().to_vec(),
        ..TensorProto::default()
    };
    let graph = GraphProto {
        node: vec![
            node("ConstantOfShape", &["shape"], &["big"]),
            node("Add", &["x", "big"], &["y"]),
        ],
        initializer: vec![shape],
        input: vec![value("x", DataType::Float, &[N("N")])],
        output: vec![value("y", DataType::Float, &[N("N")])],
        ..GraphProto::default()
    };
    assert_says(&file(graph), &["ConstantOfShape_big", "too large"]);
}

#[test]
fn names_cannot_be_used_to_exhaust_the_stack() {
    let deep: &'static str = "(".repeat(100_000).leak();
    assert_says(
        &identity(value("x", DataType::Float, &[N(deep)])),
        &["a dimension of `x`", "characters"],
    );
    let most: &'static str = "(".repeat(256).leak();
    let _ = inspect(&identity(value("x", DataType::Float, &[N(most)])));
}
