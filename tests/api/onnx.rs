//! Small ONNX files for what the fixtures lack, written as protobuf by hand.
//! <https://github.com/onnx/onnx/blob/main/onnx/onnx.proto>

/// `TensorProto.DataType`
pub(crate) const FLOAT: u64 = 1;
pub(crate) const INT64: u64 = 7;
pub(crate) const BOOL: u64 = 9;

/// A model with one node, `y = op(x)`, both of shape `[N, size]`.
pub(crate) fn unary(op: &str, element: u64, size: u64) -> Vec<u8> {
    model(&bytes(1, &node(op, "x", "y")), element, size)
}

/// A model of so many nodes, one after the other.
pub(crate) fn chain(count: usize) -> Vec<u8> {
    let name = |number| match number {
        0 => "x".to_owned(),
        number if number == count => "y".to_owned(),
        number => format!("h{number}"),
    };
    let nodes = (0..count).map(|n| bytes(1, &node("Relu", &name(n), &name(n + 1))));
    model(&nodes.collect::<Vec<_>>().concat(), FLOAT, 4)
}

/// A model whose node holds a graph, whose node holds a graph, to this depth.
pub(crate) fn nested(depth: usize) -> Vec<u8> {
    let inner = bytes(1, &node("Relu", "x", "y"));
    let kind = number(20, 5);
    // what stands before the inner graph at each depth, from the inside
    let (mut heads, mut length) = (Vec::new(), inner.len());
    for _ in 0..depth {
        let graph = [text(1, "then_branch"), head(6, length)].concat();
        let branch = graph.len() + length + kind.len();
        let holder = [node("If", "x", "y"), head(5, branch)].concat();
        let all = head(1, holder.len() + branch);
        length = all.len() + holder.len() + branch;
        heads.push([all, holder, graph].concat());
    }
    heads.reverse();
    model(&[heads.concat(), inner, kind.repeat(depth)].concat(), FLOAT, 4)
}

/// A model with a weight that says it has so many numbers, and has none.
pub(crate) fn wide_weights(size: u64) -> Vec<u8> {
    let weight = [number(1, size), number(2, FLOAT), text(8, "w"), bytes(9, &[])].concat();
    let add = [text(1, "x"), node("Add", "w", "y")].concat();
    model(&[bytes(1, &add), bytes(5, &weight)].concat(), FLOAT, size)
}

/// `NodeProto`
fn node(op: &str, input: &str, output: &str) -> Vec<u8> {
    [text(1, input), text(2, output), text(3, &format!("{op}_{output}")), text(4, op)].concat()
}

/// A model of these nodes and weights, from `x` to `y`, both of shape `[N, size]`.
fn model(parts: &[u8], element: u64, size: u64) -> Vec<u8> {
    let graph = [
        parts,
        &text(2, "graph"),
        &bytes(11, &value("x", element, size)),
        &bytes(12, &value("y", element, size)),
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
    [&head(field, bytes.len())[..], bytes].concat()
}

/// What stands before so many bytes.
fn head(field: u64, length: usize) -> Vec<u8> {
    [varint(field << 3 | 2), varint(length as u64)].concat()
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
