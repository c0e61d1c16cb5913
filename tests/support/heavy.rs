//! ONNX models of any weight, written as protobuf by hand: `y = x · w`, `x` of shape `[N, 8]`.
//! <https://github.com/onnx/onnx/blob/main/onnx/onnx.proto>

use std::io::{Result, Write};

/// Rows of `w`, and numbers in a row of `x`.
const ROWS: u64 = 8;

/// Writes a model whose weights take about `bytes` bytes, a piece at a time.
pub(crate) fn write(bytes: u64, out: &mut impl Write) -> Result<()> {
    let columns = (bytes / (4 * ROWS)).max(1);
    let weights = 4 * ROWS * columns;
    let node = [text(1, "x"), text(1, "w"), text(2, "y"), text(4, "MatMul")].concat();
    let dims = [number(1, ROWS), number(1, columns)].concat();
    let tensor = [dims, number(2, 1), text(8, "w"), head(9, weights)].concat();
    let before =
        [field(1, &node), text(2, "graph"), head(5, tensor.len() as u64 + weights), tensor];
    let after = [field(11, &value("x", ROWS)), field(12, &value("y", columns))].concat();
    let before = before.concat();
    let graph = before.len() as u64 + weights + after.len() as u64;
    out.write_all(&[number(1, 8), head(7, graph), before].concat())?;
    let piece: Vec<u8> =
        (0..16 * 1024_u16).flat_map(|n| (f32::from(n) * 1e-5).to_le_bytes()).collect();
    let mut left = weights;
    while left > 0 {
        let now = left.min(piece.len() as u64);
        out.write_all(&piece[..now as usize])?;
        left -= now;
    }
    let opset = [text(1, ""), number(2, 13)].concat();
    out.write_all(&[after, field(8, &opset)].concat())
}

/// `ValueInfoProto` of float32 `[N, size]`
fn value(name: &str, size: u64) -> Vec<u8> {
    let shape = [field(1, &text(2, "N")), field(1, &number(1, size))].concat();
    let tensor = [number(1, 1), field(2, &shape)].concat();
    [text(1, name), field(2, &field(1, &tensor))].concat()
}

fn text(number: u64, text: &str) -> Vec<u8> {
    field(number, text.as_bytes())
}

fn field(number: u64, bytes: &[u8]) -> Vec<u8> {
    [head(number, bytes.len() as u64), bytes.to_vec()].concat()
}

fn head(number: u64, length: u64) -> Vec<u8> {
    [varint(number << 3 | 2), varint(length)].concat()
}

fn number(number: u64, value: u64) -> Vec<u8> {
    [varint(number << 3), varint(value)].concat()
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}
