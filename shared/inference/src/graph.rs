//! Checks a graph before the engine sees it: what the engine would answer with a panic, with a huge
//! allocation, or with a text that helps nobody.

use std::collections::HashSet;

use protocol::tensor::Dtype;
use tract_onnx::pb::{
    AttributeProto, GraphProto, NodeProto, TensorProto, ValueInfoProto,
    tensor_proto::{DataLocation, DataType},
    tensor_shape_proto::dimension,
    type_proto,
};

use crate::{
    Refused,
    allowed::{self, Opsets},
    error::shortened,
    large::LeftOut,
};

/// Longer ones are not names; the engine parses them recursively.
const MAX_DIM_NAME: usize = 256;

type Checked = Result<(), Refused>;

/// Nodes in one graph: the engine's time grows with their square.
const MAX_NODES: usize = 20_000;

/// Checks the graph; none of its nodes holds another one.
pub(crate) fn check(graph: &GraphProto, opsets: &Opsets<'_>, left_out: &LeftOut) -> Checked {
    if graph.node.len() > MAX_NODES {
        return Err(Refused::new(format!(
            "the graph has {} nodes; at most {MAX_NODES} are accepted: simplify it, for example with \
             onnxsim, or split the model",
            graph.node.len()
        )));
    }
    allowed::check(graph, opsets, left_out)?;
    check_parts(graph, left_out)?;
    check_wiring(graph)
}

/// The graph's inputs that are no initializers: what a caller must give.
pub(crate) fn inputs(graph: &GraphProto) -> impl Iterator<Item = &ValueInfoProto> {
    let initialized: HashSet<&str> = graph.initializer.iter().map(|t| t.name.as_str()).collect();
    graph.input.iter().filter(move |input| !initialized.contains(input.name.as_str()))
}

fn check_parts(graph: &GraphProto, left_out: &LeftOut) -> Checked {
    if let Some(sparse) = graph.sparse_initializer.first() {
        let name = sparse.values.as_ref().map_or("", |values| &values.name);
        return Err(Refused::new(format!(
            "initializer `{}` is sparse; export the model with dense weights",
            shortened(name, 80)
        )));
    }
    for (index, initializer) in graph.initializer.iter().enumerate() {
        let place = format!("initializer `{}`", shortened(&initializer.name, 80));
        check_tensor(initializer, left_out.stored(index), &place)?;
    }
    for value in graph.input.iter().chain(&graph.output).chain(&graph.value_info) {
        check_dim_names(value)?;
    }
    for (index, node) in graph.node.iter().enumerate() {
        for attribute in &node.attribute {
            check_attribute(attribute, &place(index, node))?;
        }
    }
    Ok(())
}

fn check_attribute(attribute: &AttributeProto, place: &str) -> Checked {
    let place = format!("{place}, attribute `{}`", shortened(&attribute.name, 40));
    for tensor in attribute.t.iter().chain(&attribute.tensors) {
        check_tensor(tensor, None, &place)?;
    }
    if attribute.g.is_some() || !attribute.graphs.is_empty() {
        return Err(Refused::new(format!(
            "{place} holds a graph, which its operator does not take"
        )));
    }
    Ok(())
}

/// How a refusal names a node.
pub(crate) fn place(index: usize, node: &NodeProto) -> String {
    if node.name.is_empty() {
        format!("node {index}")
    } else {
        format!("node `{}`", shortened(&node.name, 80))
    }
}

/// A stored tensor must be in the file, of a type that the engine has, and as long as its shape says.
/// `left_out` are the bytes of its numbers that were not read.
fn check_tensor(tensor: &TensorProto, left_out: Option<u64>, place: &str) -> Checked {
    if tensor.data_location == Some(DataLocation::External as i32) {
        let file = tensor.external_data.iter().find(|entry| entry.key == "location");
        let file = file.map_or("another file", |entry| entry.value.as_str());
        return Err(Refused::new(format!(
            "{place} keeps its data outside, in `{}`; put it into the model: \
             torch.onnx.export(…, external_data=False), or onnx.save(onnx.load(\"model.onnx\"), \"one.onnx\")",
            shortened(file, 80)
        )));
    }
    let dtype = DataType::try_from(tensor.data_type).ok();
    if dtype == Some(DataType::String) {
        return Ok(()); // only attributes of label encoders; inputs and outputs are checked apart
    }
    let Some(size) = dtype.and_then(supported).map(Dtype::size) else {
        return Err(Refused::new(format!(
            "{place} has the unsupported element type {}; convert it to float32, float16 or an integer",
            type_name(tensor.data_type)
        )));
    };
    let elements = tensor
        .dims
        .iter()
        .try_fold(1usize, |product, dim| product.checked_mul(usize::try_from(*dim).ok()?));
    let lists = [
        tensor.float_data.len(),
        tensor.int32_data.len(),
        tensor.int64_data.len(),
        tensor.double_data.len(),
        tensor.uint64_data.len(),
    ];
    let raw = match left_out {
        // what was read beside it would be a second time
        Some(_) if !tensor.raw_data.is_empty() || lists != [0; 5] => None,
        Some(bytes) => usize::try_from(bytes).ok(),
        None => Some(tensor.raw_data.len()),
    };
    let stored = match raw {
        // complex numbers are refused above, so each list entry is one element
        Some(0) => lists.into_iter().max(),
        raw => raw.filter(|bytes| bytes.is_multiple_of(size)).map(|bytes| bytes / size),
    };
    if elements.is_none() || elements != stored {
        return Err(Refused::new(format!(
            "{place} of shape {:?} does not have as many elements as its shape says; the file is damaged",
            tensor.dims
        )));
    }
    Ok(())
}

fn check_dim_names(value: &ValueInfoProto) -> Checked {
    let Some(type_proto::Value::TensorType(tensor)) =
        value.r#type.as_ref().and_then(|kind| kind.value.as_ref())
    else {
        return Ok(());
    };
    let dims = tensor.shape.iter().flat_map(|shape| &shape.dim);
    for dim in dims {
        if let Some(dimension::Value::DimParam(name)) = &dim.value
            && name.len() > MAX_DIM_NAME
        {
            return Err(Refused::new(format!(
                "a dimension of `{}` has a name of {} characters; at most {MAX_DIM_NAME}",
                shortened(&value.name, 80),
                name.len()
            )));
        }
    }
    Ok(())
}

/// The constant called `name`: an initializer, or what a `Constant` node holds.
pub(crate) fn constant<'a>(graph: &'a GraphProto, name: &str) -> Option<&'a TensorProto> {
    graph.initializer.iter().find(|tensor| tensor.name == name).or_else(|| {
        let node = graph.node.iter().find(|node| {
            node.op_type == "Constant" && node.output.first().is_some_and(|output| output == name)
        })?;
        node.attribute.iter().find_map(|attribute| attribute.t.as_ref())
    })
}

/// Every name is made once, and before it is used: that also rules out cycles.
fn check_wiring(graph: &GraphProto) -> Checked {
    let mut made: HashSet<&str> = HashSet::new();
    for input in inputs(graph) {
        if !made.insert(&input.name) {
            let name = shortened(&input.name, 80);
            return Err(Refused::new(format!("two inputs are called `{name}`; rename one")));
        }
    }
    for initializer in &graph.initializer {
        if !made.insert(&initializer.name) {
            let name = shortened(&initializer.name, 80);
            return Err(Refused::new(format!("two initializers are called `{name}`; rename one")));
        }
    }
    for (index, node) in graph.node.iter().enumerate() {
        let missing =
            node.input.iter().find(|name| !name.is_empty() && !made.contains(name.as_str()));
        if let Some(name) = missing {
            let later = graph.node[index..].iter().any(|node| node.output.contains(name));
            let problem = if later {
                "which is made only after it: the graph has a cycle, or its nodes are not in order"
            } else {
                "which nothing in the graph makes; the file is damaged"
            };
            return Err(Refused::new(format!(
                "{} reads `{}`, {problem}",
                place(index, node),
                shortened(name, 80)
            )));
        }
        for name in node.output.iter().filter(|name| !name.is_empty()) {
            if !made.insert(name) {
                return Err(Refused::new(format!(
                    "{} makes `{}`, which is there already; rename one of them",
                    place(index, node),
                    shortened(name, 80)
                )));
            }
        }
    }
    match graph.output.iter().find(|output| !made.contains(output.name.as_str())) {
        None => Ok(()),
        Some(output) => Err(Refused::new(format!(
            "output `{}` is made by no node; the file is damaged",
            shortened(&output.name, 80)
        ))),
    }
}

/// Our type for ONNX's, where the engine has it.
pub(crate) fn supported(dtype: DataType) -> Option<Dtype> {
    Some(match dtype {
        DataType::Bool => Dtype::Bool,
        DataType::Int8 => Dtype::Int8,
        DataType::Int16 => Dtype::Int16,
        DataType::Int32 => Dtype::Int32,
        DataType::Int64 => Dtype::Int64,
        DataType::Uint8 => Dtype::Uint8,
        DataType::Uint16 => Dtype::Uint16,
        DataType::Uint32 => Dtype::Uint32,
        DataType::Uint64 => Dtype::Uint64,
        DataType::Float16 => Dtype::Float16,
        DataType::Float => Dtype::Float32,
        DataType::Double => Dtype::Float64,
        _ => return None,
    })
}

/// ONNX's name of an element type.
pub(crate) fn type_name(dtype: i32) -> String {
    DataType::try_from(dtype)
        .map_or_else(|_| format!("number {dtype}"), |d| d.as_str_name().to_owned())
}
