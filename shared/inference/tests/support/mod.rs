//! Small ONNX files, built field by field; also used by the agent's tests.
#![allow(dead_code, reason = "each test binary uses some of them")]

use prost::Message;
use protocol::tensor::{Named, Tensor};
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
    TensorShapeProto, TypeProto, ValueInfoProto,
    attribute_proto::AttributeType,
    tensor_proto::DataType,
    tensor_shape_proto::{Dimension, dimension},
    type_proto,
};

/// A dimension: a size, or a name.
pub(crate) enum Dim {
    Is(i64),
    Named(&'static str),
}

pub(crate) use Dim::{Is, Named as N};

pub(crate) fn value(name: &str, dtype: DataType, dims: &[Dim]) -> ValueInfoProto {
    let dim = dims
        .iter()
        .map(|dim| Dimension {
            value: Some(match dim {
                Is(size) => dimension::Value::DimValue(*size),
                N(name) => dimension::Value::DimParam((*name).to_owned()),
            }),
            denotation: String::new(),
        })
        .collect();
    let tensor =
        type_proto::Tensor { elem_type: dtype as i32, shape: Some(TensorShapeProto { dim }) };
    ValueInfoProto {
        name: name.to_owned(),
        r#type: Some(TypeProto {
            value: Some(type_proto::Value::TensorType(tensor)),
            denotation: String::new(),
        }),
        ..ValueInfoProto::default()
    }
}

pub(crate) fn weights(name: &str, dims: &[i64], values: &[f32]) -> TensorProto {
    TensorProto {
        name: name.to_owned(),
        dims: dims.to_vec(),
        data_type: DataType::Float as i32,
        raw_data: values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        ..TensorProto::default()
    }
}

pub(crate) fn node(op: &str, inputs: &[&str], outputs: &[&str]) -> NodeProto {
    NodeProto {
        op_type: op.to_owned(),
        name: format!("{op}_{}", outputs[0]),
        input: inputs.iter().map(|name| (*name).to_owned()).collect(),
        output: outputs.iter().map(|name| (*name).to_owned()).collect(),
        ..NodeProto::default()
    }
}

pub(crate) fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto {
        name: name.to_owned(),
        r#type: AttributeType::Int as i32,
        i: value,
        ..AttributeProto::default()
    }
}

pub(crate) fn model(graph: GraphProto) -> ModelProto {
    ModelProto {
        ir_version: 8,
        producer_name: "tests".to_owned(),
        graph: Some(graph),
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: 17 }],
        ..ModelProto::default()
    }
}

pub(crate) fn file(graph: GraphProto) -> Vec<u8> {
    model(graph).encode_to_vec()
}

/// A network of two dense layers with a ReLU between them, and its answer in plain Rust.
pub(crate) struct Mlp {
    pub sizes: [usize; 3],
    w1: Vec<f32>,
    b1: Vec<f32>,
    w2: Vec<f32>,
    b2: Vec<f32>,
}

impl Mlp {
    pub(crate) fn new(sizes: [usize; 3]) -> Self {
        let [i, h, o] = sizes;
        // small, different everywhere, of both signs
        let some = |n: usize, seed: usize| {
            (0..n).map(|k| ((k * 37 + seed) % 101) as f32 / 101.0 - 0.5).collect()
        };
        Self { sizes, w1: some(i * h, 3), b1: some(h, 5), w2: some(h * o, 7), b2: some(o, 11) }
    }

    /// As a file whose batch is `batch`.
    pub(crate) fn graph(&self, batch: fn() -> Dim) -> GraphProto {
        let [i, h, o] = self.sizes.map(|size| size as i64);
        GraphProto {
            name: "mlp".to_owned(),
            node: vec![
                node("Gemm", &["x", "w1", "b1"], &["hidden"]),
                node("Relu", &["hidden"], &["active"]),
                node("Gemm", &["active", "w2", "b2"], &["y"]),
            ],
            initializer: vec![
                weights("w1", &[i, h], &self.w1),
                weights("b1", &[h], &self.b1),
                weights("w2", &[h, o], &self.w2),
                weights("b2", &[o], &self.b2),
            ],
            input: vec![value("x", DataType::Float, &[batch(), Is(i)])],
            output: vec![value("y", DataType::Float, &[batch(), Is(o)])],
            ..GraphProto::default()
        }
    }

    pub(crate) fn file(&self) -> Vec<u8> {
        file(self.graph(|| N("N")))
    }

    /// One row, computed by hand.
    pub(crate) fn row(&self, x: &[f32]) -> Vec<f32> {
        let [_, h, o] = self.sizes;
        let dense = |x: &[f32], w: &[f32], b: &[f32], n: usize| -> Vec<f32> {
            (0..n)
                .map(|j| b[j] + x.iter().enumerate().map(|(k, x)| x * w[k * n + j]).sum::<f32>())
                .collect()
        };
        let hidden: Vec<f32> = dense(x, &self.w1, &self.b1, h).iter().map(|v| v.max(0.0)).collect();
        dense(&hidden, &self.w2, &self.b2, o)
    }

    /// An input of `rows` rows, and the answer.
    pub(crate) fn example(&self, rows: usize, seed: usize) -> (Named, Vec<f32>) {
        let [i, ..] = self.sizes;
        let x: Vec<f32> =
            (0..rows * i).map(|k| ((k * 13 + seed * 29) % 97) as f32 / 48.0 - 1.0).collect();
        let y = x.chunks(i).flat_map(|row| self.row(row)).collect();
        (Named { name: "x".to_owned(), tensor: Tensor::from_f32(vec![rows, i], &x) }, y)
    }
}

/// Compares with a tolerance for the order of additions.
pub(crate) fn assert_close(tensor: &Tensor, expected: &[f32]) {
    let values = tensor.to_f64();
    assert_eq!(values.len(), expected.len());
    for (index, (is, want)) in values.iter().zip(expected).enumerate() {
        assert!((is - f64::from(*want)).abs() < 1e-4, "element {index}: {is} instead of {want}");
    }
}
