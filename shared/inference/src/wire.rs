//! How much memory a file's structure takes once it is decoded, counted on the encoded bytes: two bytes
//! of the file can stand for a node of some hundred, and groups can lie in each other without end.
//! <https://protobuf.dev/programming-guides/encoding/>

use std::mem::size_of;

use tract_onnx::pb;

use crate::Refused;

/// What the structure may take, in bytes, beside [`GROWTH`] times the file.
const BASE: usize = 24 << 20;

/// Lists of small integers take up to eight times their bytes; in a genuine file they are few.
const GROWTH: usize = 4;

/// How deep graphs may lie in nodes; none is accepted, but the refusal should name the node.
const MAX_DEPTH: usize = 12;

/// The messages of a model that hold lists.
#[derive(Clone, Copy)]
enum Message {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
    Value,
    Type,
    TensorType,
    Shape,
    Function,
    Sparse,
    Annotation,
    Training,
}

/// What a length-delimited field holds.
enum Field {
    /// A message, and the bytes that an entry of it takes.
    Message(Message, usize),
    /// An entry without lists, and the bytes that it takes.
    Entry(usize),
    /// Numbers, each of at least one byte here and of so many in memory.
    Numbers(usize),
    /// Bytes that stay what they are, or that nobody reads.
    Bytes,
}

/// Checks that decoding the file takes memory in proportion to its size.
pub(crate) fn check(bytes: &[u8]) -> Result<(), Refused> {
    let mut left = BASE + GROWTH * bytes.len();
    walk(bytes, Message::Model, &mut left, 0)
}

/// Damaged bytes end the walk: the decoder says what is wrong with them.
fn walk(mut bytes: &[u8], message: Message, left: &mut usize, depth: usize) -> Result<(), Refused> {
    if depth > 4 * MAX_DEPTH {
        return Err(Refused::new(format!(
            "the model nests graphs in nodes more than {MAX_DEPTH} levels deep; flatten it: nodes with \
             graphs inside are not supported"
        )));
    }
    while let Some(tag) = varint(&mut bytes) {
        let number = tag >> 3;
        let content = match tag & 7 {
            0 if varint(&mut bytes).is_some() => {
                // a number of a list that is not packed
                if let Field::Numbers(size) = message.field(number) {
                    take(left, size)?;
                }
                continue;
            }
            1 if bytes.len() >= 8 => {
                bytes = &bytes[8..];
                continue;
            }
            5 if bytes.len() >= 4 => {
                bytes = &bytes[4..];
                continue;
            }
            2 => {
                let length = varint(&mut bytes).and_then(|length| usize::try_from(length).ok());
                let Some((content, rest)) = length.and_then(|at| bytes.split_at_checked(at)) else {
                    return Ok(());
                };
                bytes = rest;
                content
            }
            // the decoder skips a group that it does not know and goes on behind it, so must not end here
            3 | 4 => {
                return Err(Refused::new(
                    "not an ONNX model, or a damaged one: it holds a protobuf group, which ONNX does \
                     not have; export it again",
                ));
            }
            _ => return Ok(()),
        };
        let (taken, inner) = match message.field(number) {
            Field::Message(inner, size) => (size, Some(inner)),
            Field::Entry(size) => (size + content.len(), None),
            Field::Numbers(size) => (size * content.len(), None),
            Field::Bytes => (0, None),
        };
        take(left, taken)?;
        if let Some(inner) = inner {
            walk(content, inner, left, depth + 1)?;
        }
    }
    Ok(())
}

/// Counts an entry of a list; lists grow by doubling.
fn take(left: &mut usize, size: usize) -> Result<(), Refused> {
    *left = left.checked_sub(2 * size).ok_or_else(|| {
        Refused::new(
            "the model's structure (nodes, attributes, names and lists) takes far more memory than \
             the file is long; simplify it, for example with onnxsim, and store tensors as raw data",
        )
    })?;
    Ok(())
}

impl Message {
    /// What is in the field of that number; see onnx.proto.
    fn field(self, number: u64) -> Field {
        use Field::{Bytes, Entry, Numbers};
        const STRING: usize = size_of::<String>() + 16;
        let (graph, node) = (size_of::<pb::GraphProto>(), size_of::<pb::NodeProto>());
        let (tensor, value) = (size_of::<pb::TensorProto>(), size_of::<pb::ValueInfoProto>());
        let (attribute, kind) = (size_of::<pb::AttributeProto>(), size_of::<pb::TypeProto>());
        match (self, number) {
            (Self::Model, 7) => Field::Message(Self::Graph, graph),
            (Self::Model, 20) => Field::Message(Self::Training, size_of::<pb::TrainingInfoProto>()),
            (Self::Model, 25) => Field::Message(Self::Function, size_of::<pb::FunctionProto>()),
            (Self::Graph, 1) | (Self::Function, 7) => Field::Message(Self::Node, node),
            (Self::Graph, 5) => Field::Message(Self::Tensor, tensor),
            (Self::Graph, 11..=13) => Field::Message(Self::Value, value),
            (Self::Graph, 14) => {
                Field::Message(Self::Annotation, size_of::<pb::TensorAnnotation>())
            }
            (Self::Node, 5) => Field::Message(Self::Attribute, attribute),
            (Self::Attribute, 5 | 10) => Field::Message(Self::Tensor, tensor),
            (Self::Attribute, 6 | 11) | (Self::Training, 1 | 2) => {
                Field::Message(Self::Graph, graph)
            }
            (Self::Attribute, 15) => Field::Message(Self::Type, kind),
            (Self::Value, 2) => Field::Message(Self::Type, kind),
            (Self::Type, 1) => {
                Field::Message(Self::TensorType, size_of::<pb::type_proto::Tensor>())
            }
            (Self::TensorType, 2) => Field::Message(Self::Shape, size_of::<pb::TensorShapeProto>()),
            (Self::Attribute, 22 | 23) | (Self::Graph, 15) => {
                Field::Message(Self::Sparse, size_of::<pb::SparseTensorProto>())
            }
            (Self::Sparse, 1 | 2) => Field::Message(Self::Tensor, tensor),
            (Self::Shape, 1) => Entry(size_of::<pb::tensor_shape_proto::Dimension>()),
            (Self::Node, 1 | 2) | (Self::Attribute, 9) | (Self::Function, 4..=6) => Entry(STRING),
            (Self::Model, 8 | 14)
            | (Self::Function, 9)
            | (Self::Tensor, 6 | 13)
            | (Self::Annotation, 2)
            | (Self::Training, 3 | 4) => Entry(2 * STRING),
            (Self::Attribute, 8) | (Self::Tensor, 1 | 7 | 11) | (Self::Sparse, 3) => Numbers(8),
            (Self::Tensor, 5) => Numbers(4),
            _ => Bytes,
        }
    }
}

/// The next variable-length number.
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}
