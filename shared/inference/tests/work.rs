//! What would take long is not run at upload, whichever operator it is that takes long.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use dcmp_inference::inspect;
use support::*;
use tract_onnx::pb::{
    AttributeProto, GraphProto, NodeProto, TensorProto, attribute_proto::AttributeType,
    tensor_proto::DataType,
};

/// `y = node(x)` for an `x` of that shape.
fn of(node: NodeProto, shape: &[i64], initializer: Vec<TensorProto>) -> GraphProto {
    let dims: Vec<Dim> = shape.iter().map(|size| Is(*size)).collect();
    GraphProto {
        output: vec![value(&node.output[node.output.len() - 1], DataType::Float, &[])],
        node: vec![node],
        initializer,
        input: vec![value("x", DataType::Float, &dims)],
        ..GraphProto::default()
    }
}

fn kernel(op: &str, input: &str, size: i64) -> NodeProto {
    let mut pool = node(op, &[input], &["y"]);
    pool.attribute = vec![AttributeProto {
        name: "kernel_shape".to_owned(),
        r#type: AttributeType::Ints as i32,
        ints: vec![size, size],
        ..AttributeProto::default()
    }];
    pool
}

fn lstm(steps: i64) -> GraphProto {
    const SIZE: i64 = 64;
    let mut lstm = node("LSTM", &["x", "w", "r"], &["y"]);
    lstm.attribute = vec![int("hidden_size", SIZE)];
    let zeros =
        |name: &str| weights(name, &[1, 4 * SIZE, SIZE], &vec![0.0; (4 * SIZE * SIZE) as usize]);
    of(lstm, &[steps, 1, SIZE], vec![zeros("w"), zeros("r")])
}

/// Why the model was not run.
fn unprofiled(graph: GraphProto) -> Option<String> {
    inspect(&file(graph)).unwrap().profile.err()
}

#[test]
fn what_takes_long_is_not_run() {
    let deconv = {
        let mut deconv = kernel("ConvTranspose", "x", 100);
        deconv.input.push("w".to_owned());
        of(deconv, &[1, 1, 1_000, 1_000], vec![weights("w", &[1, 1, 100, 100], &[0.0; 10_000])])
    };
    let mut norm = node("LRN", &["x"], &["y"]);
    norm.attribute = vec![int("size", 1_000_000)];
    for (what, graph) in [
        ("MaxPool", of(kernel("MaxPool", "x", 500), &[1, 1, 1_000, 1_000], vec![])),
        ("AveragePool", of(kernel("AveragePool", "x", 500), &[1, 1, 1_000, 1_000], vec![])),
        ("LSTM", lstm(200_000)),
        ("ConvTranspose", deconv),
        ("LRN", of(norm, &[1, 1_000_000], vec![])),
    ] {
        let why = unprofiled(graph);
        let said = why.as_ref().is_some_and(|why| why.contains("million multiplications"));
        assert!(said, "{what}: {why:?}");
    }
}

#[test]
fn what_takes_little_is_run() {
    for (what, graph) in [
        ("MaxPool", of(kernel("MaxPool", "x", 3), &[1, 3, 100, 100], vec![])),
        ("AveragePool", of(kernel("AveragePool", "x", 3), &[1, 3, 100, 100], vec![])),
        ("LSTM", lstm(10)),
    ] {
        assert_eq!(unprofiled(graph), None, "{what}");
    }
}

#[test]
fn a_pool_of_constants_is_not_computed_while_reading() {
    let made = weights("made", &[1, 1, 1_000, 1_000], &vec![0.0; 1_000_000]);
    let graph = of(kernel("MaxPool", "made", 500), &[1], vec![made]);
    let refused = inspect(&file(graph)).unwrap_err().to_string();
    assert!(refused.contains("MaxPool_y") && refused.contains("takes too long"), "{refused}");
}
