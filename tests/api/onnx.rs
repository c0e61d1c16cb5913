//! Small ONNX files for what the fixtures lack, written as protobuf by hand.
//! <https://github.com/onnx/onnx/blob/main/onnx/onnx.proto>

/// `TensorProto.DataType`
pub(crate) const FLOAT: u64 = 1;
pub(crate) const INT64: u64 = 7;
pub(crate) const BOOL: u64 = 9;

/// A model with one node, `y = op(x)`, both of shape `[N, size]`.
pub(crate) fn unary(op: &str, element: u64, size: u64) -> Vec<u8> {
    let node = [text(1, "x"), text(2, "y"), text(3, "node"), text(4, op)].concat();
    let graph = [
        bytes(1, &node),
        text(2, "graph"),
        bytes(11, &value("x", element, size)),
        bytes(12, &value("y", element, size)),
    ]
    .concat();
    let opset = [text(1, ""), number(2, 13)].concat();
    [number(1, 8), bytes(7, &graph), bytes(8, &opset)].concat()
}

/// `ValueInfoProto`
fn value(name: &str, element: u64, size: u64) -> Vec<u8> {
    let shape = [bytes(1, &text(2, "N")), bytes(1, &number(1, size))].concat();
    let tensor = [number(1, element), bytes(2, &shape)].concat();
    [text(1, name), bytes(2, &bytes(1, &tensor))].concat()
}

fn text(field: u64, text: &str) -> Vec<u8> {
    bytes(field, text.as_bytes())
}

fn bytes(field: u64, bytes: &[u8]) -> Vec<u8> {
    [&varint(field << 3 | 2)[..], &varint(bytes.len() as u64), bytes].concat()
}

fn number(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
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
