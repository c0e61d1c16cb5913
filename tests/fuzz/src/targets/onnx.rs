//! Model files, read as at their upload, whole and without their weights, and loaded as on a device.

use std::io::Cursor;

use inference::{Network, inspect, inspect_large};

use super::fixture;
use crate::{Memory, Target};

pub(super) const TARGET: Target = Target {
    name: "onnx",
    seeds,
    words: &["\u{8}\u{8}", "Conv", "Gemm", "Reshape", "Concat", "If", "Loop", "input", "\u{7f}"],
    read,
    memory: Memory { base: 48 << 20, per_byte: 256 },
    cases: 300,
};

fn seeds() -> Vec<Vec<u8>> {
    let mut seeds =
        ["mlp.onnx", "cnn.onnx", "two.onnx", "wide.onnx", "external.onnx", "unsupported.onnx"]
            .map(fixture)
            .to_vec();
    // an unknown group, and a model behind it
    seeds.push([&[0xc3, 0x3e, 0xc4, 0x3e], &seeds[0][..]].concat());
    seeds
}

fn read(input: &[u8]) {
    let large = inspect_large(&mut Cursor::new(input), input.len() as u64);
    assert!(large.is_ok(), "memory is read");
    if inspect(input).is_ok() {
        let loaded = Network::load(input).map(|network| network.signature().inputs.len());
        assert!(loaded.is_ok(), "what was accepted loads");
    }
}
