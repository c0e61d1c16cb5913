//! Files that mean harm: each is refused with a sentence that names the place, and what reading it takes
//! stays within 64 MB. An own binary: its allocator counts.
#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(unsafe_code, reason = "an allocator that counts")]

#[path = "support/counting.rs"]
mod counting;
mod support;

use counting::Counting;
use dcmp_inference::inspect;
use prost::Message;
use support::*;
use tract_onnx::pb::{
    AttributeProto, GraphProto, NodeProto, OperatorSetIdProto, TensorProto,
    attribute_proto::AttributeType, tensor_proto::DataType,
};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What reading any of these files may take, in bytes.
const LIMIT: usize = 64 << 20;

/// A file and words of its refusal.
type Case = (&'static str, Vec<u8>, &'static [&'static str]);

fn ints(name: &str, values: &[i64]) -> TensorProto {
    TensorProto {
        name: name.to_owned(),
        dims: vec![values.len() as i64],
        data_type: DataType::Int64 as i32,
        raw_data: values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        ..TensorProto::default()
    }
}

/// `x [N, 4]`, some nodes, and `y`, which is `x` or what the nodes make.
fn graph(node: Vec<NodeProto>, initializer: Vec<TensorProto>) -> GraphProto {
    GraphProto {
        node,
        initializer,
        input: vec![value("x", DataType::Float, &[N("N"), Is(4)])],
        output: vec![value("y", DataType::Float, &[N("N"), Is(4)])],
        ..GraphProto::default()
    }
}

/// `y = x + made`, where the nodes make `made`.
fn plus(mut nodes: Vec<NodeProto>, initializer: Vec<TensorProto>) -> Vec<u8> {
    nodes.push(node("ReduceMax", &["made"], &["least"]));
    nodes.push(node("Add", &["x", "least"], &["y"]));
    file(graph(nodes, initializer))
}

fn list(name: &str, ints: Vec<i64>) -> AttributeProto {
    AttributeProto {
        name: name.to_owned(),
        r#type: AttributeType::Ints as i32,
        ints,
        ..AttributeProto::default()
    }
}

/// What makes a large constant out of a few bytes.
fn growing() -> Vec<Case> {
    const BIG: i64 = 1_000_000_000;
    let filled = |shape: &[i64]| {
        plus(vec![node("ConstantOfShape", &["shape"], &["made"])], vec![ints("shape", shape)])
    };
    let (one, two) = (weights("one", &[1], &[1.0]), weights("one", &[1, 1], &[1.0]));
    let grown = |op: &str, last: TensorProto, from: TensorProto| {
        plus(vec![node(op, &["one", "how"], &["made"])], vec![last, from])
    };
    let computed = vec![
        node("Mul", &["side", "side"], &["area"]),
        node("ConstantOfShape", &["area"], &["made"]),
    ];
    let mut doubled: Vec<NodeProto> = (0..40)
        .map(|step| {
            let (from, to) = (format!("d{step}"), format!("d{}", step + 1));
            let mut concat = node("Concat", &[&from, &from], &[&to]);
            concat.attribute = vec![int("axis", 0)];
            concat
        })
        .collect();
    doubled.push(node("Identity", &["d40"], &["made"]));
    let seed = weights("d0", &[1], &[1.0]);
    let column = weights("column", &[30_000, 1], &vec![1.0; 30_000]);
    let row = weights("row", &[1, 30_000], &vec![1.0; 30_000]);
    let mut range = node("Range", &["from", "to", "by"], &["made"]);
    range.name = "range".to_owned();
    let scalar = |name: &str, value: i64| TensorProto { dims: vec![], ..ints(name, &[value]) };
    let pad = plus(
        vec![node("Pad", &["one", "how"], &["made"])],
        vec![ints("how", &[0, BIG]), one.clone()],
    );
    let mut resize = node("Resize", &["image", "", "", "sizes"], &["made"]);
    resize.attribute = vec![];
    let image = weights("image", &[1, 1, 1, 1], &[1.0]);
    vec![
        ("ConstantOfShape", filled(&[BIG]), &["ConstantOfShape_made", "MB"]),
        (
            "one that no output needs",
            {
                let nodes = vec![
                    node("ConstantOfShape", &["shape"], &["made"]),
                    node("Relu", &["x"], &["y"]),
                ];
                file(graph(nodes, vec![ints("shape", &[BIG])]))
            },
            &["ConstantOfShape_made", "MB"],
        ),
        ("overflowing", filled(&[i64::MAX, i64::MAX]), &["ConstantOfShape_made"]),
        (
            "many constants of 15 MB",
            {
                let shapes = vec![ints("shape", &[3_900_000])];
                let each = |at: usize| node("ConstantOfShape", &["shape"], &[&format!("c{at}")]);
                let mut nodes: Vec<_> = (0..20).map(each).collect();
                nodes.push(node("Add", &["c0", "c19"], &["made"]));
                plus(nodes, shapes)
            },
            &["constants computed in the graph", "16 MB"],
        ),
        (
            "computed shape",
            plus(computed, vec![ints("side", &[40_000])]),
            &["ConstantOfShape_made"],
        ),
        ("Expand", grown("Expand", ints("how", &[BIG]), one.clone()), &["Expand_made"]),
        ("Tile", grown("Tile", ints("how", &[50_000, 50_000]), two), &["Tile_made"]),
        ("Pad", pad, &["Pad_made"]),
        (
            "Range",
            plus(vec![range], vec![scalar("from", 0), scalar("to", BIG), scalar("by", 1)]),
            &["range"],
        ),
        (
            "Resize",
            plus(vec![resize], vec![image, ints("sizes", &[1, 1, 60_000, 60_000])]),
            &["Resize_made"],
        ),
        ("doubling", plus(doubled, vec![seed]), &["Concat_d"]),
        (
            "outer sum",
            plus(
                vec![node("Add", &["column", "row"], &["made"])],
                vec![column.clone(), row.clone()],
            ),
            &["Add_made"],
        ),
        (
            "outer product",
            plus(vec![node("MatMul", &["column", "row"], &["made"])], vec![column, row]),
            &["MatMul_made"],
        ),
    ]
}

/// What the shapes alone make large.
fn shaped() -> Vec<Case> {
    const BIG: i64 = 1_000_000_000;
    let mut wide = graph(vec![node("Relu", &["x"], &["y"])], vec![]);
    wide.input = vec![value("x", DataType::Float, &[Is(BIG)])];
    let mut conv = node("Conv", &["x", "w"], &["y"]);
    conv.attribute = vec![list("pads", vec![BIG, BIG, BIG, BIG])];
    let mut padded = graph(vec![conv], vec![weights("w", &[1, 1, 1, 1], &[1.0])]);
    padded.input = vec![value("x", DataType::Float, &[Is(1), Is(1), Is(4), Is(4)])];
    vec![
        ("a dimension of 10^9", file(wide), &["input `x`", "1000000000", "1024 MB"]),
        ("a convolution's pads", file(padded), &["Conv_y"]),
    ]
}

/// What the graph's form does.
fn formed() -> Vec<Case> {
    let cycle = graph(
        vec![
            node("Add", &["x", "b"], &["a"]),
            node("Relu", &["a"], &["b"]),
            node("Relu", &["b"], &["y"]),
        ],
        vec![],
    );
    let twice = graph(vec![node("Relu", &["x"], &["y"]), node("Abs", &["x"], &["y"])], vec![]);
    let mut inner = graph(vec![node("Relu", &["x"], &["y"])], vec![]);
    // encoding is recursive, so the deepest is built of bytes below
    for _ in 0..20 {
        let mut branch = node("If", &["c"], &["y"]);
        branch.attribute = vec![AttributeProto {
            name: "then_branch".to_owned(),
            r#type: AttributeType::Graph as i32,
            g: Some(inner),
            ..AttributeProto::default()
        }];
        inner = graph(vec![branch], vec![]);
    }
    let deep = nested(10_000);
    let chain = |length: usize| {
        let step = |at: usize| node("Relu", &[&format!("n{at}")], &[&format!("n{}", at + 1)]);
        let mut nodes = vec![node("Relu", &["x"], &["n0"])];
        nodes.extend((0..length).map(step));
        nodes.push(node("Relu", &[&format!("n{length}")], &["y"]));
        graph(nodes, vec![])
    };
    let mut listed = node("Transpose", &["x"], &["y"]);
    listed.attribute = vec![list("perm", vec![0; 4 << 20])];
    let mut model = model(graph(vec![node("Relu", &["x"], &["y"])], vec![]));
    model.opset_import = vec![OperatorSetIdProto { domain: String::new(), version: 17 }; 1_000_000];
    let whole = Mlp::new([3, 4, 2]).file();
    let followed = [&whole[..], &[0xff; 64]].concat();
    vec![
        ("cycle", file(cycle), &["Add_a", "`b`", "cycle"]),
        ("output made twice", file(twice), &["Abs_y", "`y`", "already"]),
        ("20 graphs in nodes", file(inner), &["more than 12 levels"]),
        ("10 000 graphs in nodes", deep, &["more than 12 levels"]),
        ("many nodes", file(chain(20_000)), &["20002 nodes", "20000"]),
        ("two million empty nodes", empty_nodes(2_000_000), &["structure", "memory"]),
        ("integers one by one", integers(4_000_000), &["structure", "memory"]),
        ("empty nodes behind a group", behind_a_group(2_000_000), &["group", "damaged"]),
        ("a long list", file(graph(vec![listed], vec![])), &["structure", "lists"]),
        ("a million operator sets", model.encode_to_vec(), &["structure", "memory"]),
        ("truncated", whole[..whole.len() / 2].to_vec(), &["truncated"]),
        ("followed by something", followed, &["damaged"]),
    ]
}

/// A length-delimited field.
fn field(number: u64, content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    prost::encoding::encode_key(
        number as u32,
        prost::encoding::WireType::LengthDelimited,
        &mut bytes,
    );
    prost::encoding::encode_varint(content.len() as u64, &mut bytes);
    bytes.extend_from_slice(content);
    bytes
}

/// Graphs in attributes of nodes, one in the other.
fn nested(levels: usize) -> Vec<u8> {
    let mut graph = Vec::new();
    for _ in 0..levels {
        // NodeProto.attribute 5, AttributeProto.g 6, GraphProto.node 1
        graph = field(1, &field(5, &field(6, &graph)));
    }
    [vec![0x08, 8], field(7, &graph)].concat()
}

fn empty_nodes(count: usize) -> Vec<u8> {
    [vec![0x08, 8], field(7, &[0x0a, 0].repeat(count))].concat()
}

/// `AttributeProto.ints` of one node, each with a tag of its own.
fn integers(count: usize) -> Vec<u8> {
    let attribute = field(5, &[0x40, 1].repeat(count));
    [vec![0x08, 8], field(7, &field(1, &attribute))].concat()
}

/// Field 1000 of the model and of the graph is a group, begun and ended, that nobody knows.
fn behind_a_group(count: usize) -> Vec<u8> {
    const GROUP: [u8; 4] = [0xc3, 0x3e, 0xc4, 0x3e];
    let graph = [&GROUP[..], &[0x0a, 0].repeat(count)].concat();
    [&[0x08, 8], &GROUP[..], &field(7, &graph)].concat()
}

/// Reads a file; its refusal, if there is one, and the memory that reading took.
fn read(bytes: &[u8]) -> (Result<(), String>, usize) {
    counting::most(|| inspect(bytes).map(drop).map_err(|refused| refused.to_string()))
}

#[test]
fn harm_is_refused_by_name_within_its_bound() {
    let mut problems = Vec::new();
    for (what, bytes, words) in growing().into_iter().chain(shaped()).chain(formed()) {
        let (result, taken) = read(&bytes);
        match &result {
            Ok(()) => problems.push(format!("{what}: accepted")),
            Err(message) if !words.iter().all(|word| message.contains(word)) => {
                problems.push(format!("{what}: {message}"));
            }
            Err(_) => {}
        }
        if taken > LIMIT {
            problems.push(format!("{what}: took {} MB: {result:?}", taken >> 20));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn long_chains_of_shapes_do_not_end_the_process() {
    // shapes that are computed of open dimensions are expressions, followed recursively
    let mut nodes = vec![node("Shape", &["x"], &["s0"])];
    for step in 0..3_000 {
        let op = ["Mul", "Add", "Div"][step % 3];
        nodes.push(node(op, &[&format!("s{step}"), "three"], &[&format!("s{}", step + 1)]));
    }
    nodes.push(node("Reshape", &["x", "s3000"], &["y"]));
    let bytes = file(graph(nodes, vec![ints("three", &[3])]));
    std::thread::Builder::new()
        .stack_size(64 << 20)
        .spawn(move || drop(inspect(&bytes)))
        .unwrap()
        .join()
        .unwrap();
}
