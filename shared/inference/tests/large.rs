//! Files that are too large for memory: checked without their weights, to the same signature. An own
//! binary: its allocator counts.
#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(unsafe_code, reason = "an allocator that counts")]

#[path = "support/counting.rs"]
mod counting;
mod support;

use std::io::{self, Cursor, Read, Seek, SeekFrom};

use counting::Counting;
use dcmp_inference::{Refused, Report, inspect, inspect_large};
use prost::Message;
use support::*;
use tract_onnx::pb::{GraphProto, TensorProto, tensor_proto::DataType};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn large(bytes: &[u8]) -> Result<Report, Refused> {
    inspect_large(&mut Cursor::new(bytes), bytes.len() as u64).unwrap()
}

/// `x [N, 3, 16, 16]` through a convolution, a flattening and two layers whose weights are not kept.
fn network() -> GraphProto {
    let mut reshape = node("Reshape", &["c", "shape"], &["r"]);
    reshape.name = "flatten".to_owned();
    GraphProto {
        node: vec![
            node("Conv", &["x", "kernel", "shift"], &["c"]),
            reshape,
            node("Gemm", &["r", "wide"], &["h"]),
            node("Relu", &["h"], &["a"]),
            node("MatMul", &["a", "last"], &["y"]),
        ],
        initializer: vec![
            weights("kernel", &[1024, 3, 3, 3], &vec![0.5; 1024 * 27]),
            weights("shift", &[1024], &[0.1; 1024]),
            TensorProto {
                name: "shape".to_owned(),
                dims: vec![2],
                data_type: DataType::Int64 as i32,
                raw_data: [0i64, -1].iter().flat_map(|value| value.to_le_bytes()).collect(),
                ..TensorProto::default()
            },
            weights("wide", &[200_704, 4], &vec![0.25; 200_704 * 4]),
            // as a list of floats, not raw
            TensorProto {
                raw_data: Vec::new(),
                float_data: vec![1.0; 4 * 10_000],
                ..weights("last", &[4, 10_000], &[])
            },
        ],
        input: vec![
            value("x", DataType::Float, &[N("batch"), Is(3), Is(16), Is(16)]),
            // as older files list it
            value("wide", DataType::Float, &[Is(200_704), Is(4)]),
        ],
        output: vec![value("y", DataType::Float, &[N("batch"), Is(10_000)])],
        ..GraphProto::default()
    }
}

#[test]
fn the_signature_is_that_of_the_whole_file() {
    let bytes = model(network()).encode_to_vec();
    let (whole, large) = (inspect(&bytes).unwrap(), large(&bytes).unwrap());
    assert_eq!(whole.signature, large.signature);
    assert!(whole.profile.is_ok());
    assert!(large.profile.unwrap_err().contains("too large to be run at upload"));
}

#[test]
fn what_is_wrong_is_found_without_the_weights() {
    let refused = |change: fn(&mut GraphProto)| {
        let mut graph = network();
        change(&mut graph);
        large(&model(graph).encode_to_vec()).unwrap_err().to_string()
    };
    let short = refused(|graph| graph.initializer[0].dims[0] = 1025);
    assert!(short.contains("`kernel`") && short.contains("elements"), "{short}");
    let joined = refused(|graph| graph.initializer[3].dims = vec![200_703, 4]);
    assert!(joined.contains("`wide`"), "{joined}");
    let shapes = refused(|graph| {
        graph.initializer[4].dims = vec![5, 8_000];
    });
    assert!(shapes.contains("MatMul"), "{shapes}");
    let operator = refused(|graph| graph.node[3].op_type = "Loop".to_owned());
    assert!(operator.contains("Loop"), "{operator}");
    let infinite = refused(|graph| {
        graph.node[3] = node("ReduceMax", &["h"], &["a"]);
        let at = graph.initializer[3].raw_data.len() - 4;
        let mut raw = graph.initializer[3].raw_data.to_vec();
        raw[at..].copy_from_slice(&f32::INFINITY.to_le_bytes());
        graph.initializer[3].raw_data = raw;
    });
    assert!(infinite.contains("`wide`") && infinite.contains("infinite"), "{infinite}");
}

#[test]
fn damaged_files_have_sentences() {
    let bytes = model(network()).encode_to_vec();
    for length in [1, 10, 1_000, 300_000, bytes.len() - 8, bytes.len() - 1] {
        let refused = large(&bytes[..length]).unwrap_err().to_string();
        assert!(refused.contains("truncated"), "{length}: {refused}");
    }
    for (bytes, word) in [(&b"PK\x03\x04 and more"[..], "zip"), (&[0xff; 99], "not an ONNX model")]
    {
        let refused = large(bytes).unwrap_err().to_string();
        assert!(refused.contains(word), "{refused}");
    }
    assert!(large(&[]).unwrap_err().to_string().contains("empty"));
}

/// A file that has zeros in the middle, and takes no memory for them.
struct Hollow {
    head: Vec<u8>,
    zeros: u64,
    tail: Vec<u8>,
    at: u64,
}

impl Hollow {
    fn length(&self) -> u64 {
        self.head.len() as u64 + self.zeros + self.tail.len() as u64
    }
}

impl Read for Hollow {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let head = self.head.len() as u64;
        let read = if self.at < head {
            (&self.head[self.at as usize..]).read(out)?
        } else if self.at < head + self.zeros {
            let read = out.len().min((head + self.zeros - self.at) as usize);
            out[..read].fill(0);
            read
        } else {
            let at = (self.at - head - self.zeros) as usize;
            self.tail.get(at..).unwrap_or_default().read(out)?
        };
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for Hollow {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.at = match to {
            SeekFrom::Start(at) => at,
            SeekFrom::Current(by) => self.at.strict_add_signed(by),
            SeekFrom::End(by) => self.length().strict_add_signed(by),
        };
        Ok(self.at)
    }
}

/// A field of protobuf that holds bytes, without them.
fn head(number: u64, length: u64) -> Vec<u8> {
    let mut bytes = vec![(number << 3 | 2) as u8];
    prost::encoding::encode_varint(length, &mut bytes);
    bytes
}

#[test]
fn a_large_file_is_checked_in_little_memory() {
    // w [8, 24 Mi] of float32: 768 MB
    let zeros = 8 * 4 * (24 << 20);
    let tensor = TensorProto { raw_data: Vec::new(), ..weights("w", &[8, 24 << 20], &[]) };
    let tensor = [tensor.encode_to_vec(), head(9, zeros)].concat();
    let graph = GraphProto {
        node: vec![node("MatMul", &["x", "w"], &["y"])],
        input: vec![value("x", DataType::Float, &[N("n"), Is(8)])],
        output: vec![value("y", DataType::Float, &[N("n"), Is(24 << 20)])],
        ..GraphProto::default()
    };
    let initializer = [head(5, tensor.len() as u64 + zeros), tensor].concat();
    let rest = graph.encode_to_vec();
    let whole = head(7, initializer.len() as u64 + zeros + rest.len() as u64);
    let outer = model(GraphProto::default());
    let outer = tract_onnx::pb::ModelProto { graph: None, ..outer }.encode_to_vec();
    let file = |zeros, rest: &[u8]| Hollow {
        head: [&outer[..], &whole, &initializer].concat(),
        zeros,
        tail: rest.to_vec(),
        at: 0,
    };
    let ((), most) = counting::most(|| {
        let mut file = file(zeros, &rest);
        let size = file.length();
        let report = inspect_large(&mut file, size).unwrap().unwrap();
        assert_eq!(report.signature.outputs[0].shape, [None, Some(24 << 20)]);
    });
    assert!(most < 8 << 20, "{most} bytes");
    // the same, without its end
    let mut file = file(zeros - 1, &[]);
    let size = file.length();
    let refused = inspect_large(&mut file, size).unwrap().unwrap_err().to_string();
    assert!(refused.contains("truncated"), "{refused}");
}
