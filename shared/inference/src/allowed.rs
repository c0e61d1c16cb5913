//! Whether a node keeps to what is accepted of its operator; see [`operators`](crate::operators).

use std::{cell::OnceCell, collections::HashSet};

use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, tensor_proto::DataType,
};

use crate::{
    Refused,
    error::shortened,
    graph::{constant, place},
    large::LeftOut,
    operators::{self, DISTRUSTED, Limit, Operator},
};

/// The versions of the operator sets that a file's nodes are written for.
pub(crate) struct Opsets<'a>(&'a ModelProto);

impl<'a> Opsets<'a> {
    pub(crate) fn of(file: &'a ModelProto) -> Self {
        Self(file)
    }

    /// The engine takes the first import of the default domain, so this does, too.
    fn version(&self, domain: &str) -> Option<i64> {
        let default = |domain: &str| domain.is_empty() || domain == "ai.onnx";
        let same = |import: &str| import == domain || (default(import) && default(domain));
        self.0.opset_import.iter().find(|import| same(&import.domain)).map(|import| import.version)
    }
}

/// Operators that a refusal names; of the others it tells how many.
const SHOWN: usize = 5;

/// A constant of the graph that holds an infinity, looked for once when a node asks.
struct Infinite<'a> {
    graph: &'a GraphProto,
    left_out: &'a LeftOut,
    found: OnceCell<Option<String>>,
}

/// Checks every node of a graph, and names all operators that are not accepted at once.
pub(crate) fn check(
    graph: &GraphProto,
    opsets: &Opsets<'_>,
    left_out: &LeftOut,
) -> Result<(), Refused> {
    let infinite = Infinite { graph, left_out, found: OnceCell::new() };
    let mut unknown: HashSet<(&str, &str)> = HashSet::new();
    let mut shown: Vec<String> = Vec::new();
    for (index, node) in graph.node.iter().enumerate() {
        let place = place(index, node);
        match operators::find(&node.domain, &node.op_type) {
            Some(operator) => check_node(&infinite, node, operator, opsets)
                .map_err(|problem| Refused::new(format!("{place}: {problem}")))?,
            None => {
                let domain = if node.domain == "ai.onnx" { "" } else { node.domain.as_str() };
                let new = unknown.insert((domain, &node.op_type));
                if new && shown.len() < SHOWN {
                    shown.push(format!("{} ({place})", called(node)));
                }
            }
        }
    }
    if unknown.is_empty() {
        return Ok(());
    }
    let more = unknown.len() - shown.len();
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    Err(Refused::new(format!(
        "unsupported operators: {}{more}; export the model without them",
        shown.join(", ")
    )))
}

/// The operator as a refusal names it.
fn called(node: &NodeProto) -> String {
    let name = shortened(&node.op_type, 40);
    let distrusted = DISTRUSTED.iter().find(|(distrusted, _)| *distrusted == node.op_type);
    match (node.domain.as_str(), distrusted) {
        ("" | "ai.onnx", Some((_, why))) => format!("{name}, since {why},"),
        ("" | "ai.onnx", None) => name,
        (domain, _) => format!("{name} of the domain `{}`", shortened(domain, 40)),
    }
}

fn check_node(
    infinite: &Infinite<'_>,
    node: &NodeProto,
    operator: &Operator,
    opsets: &Opsets<'_>,
) -> Result<(), String> {
    let (name, range) = (operator.name, &operator.opsets);
    let Some(version) = opsets.version(&node.domain) else {
        return Err(format!(
            "the file imports no operator set for {name}'s domain `{}`; it is damaged",
            shortened(&node.domain, 40)
        ));
    };
    if !range.contains(&version) {
        let (from, to) = (range.start(), range.end());
        return Err(format!(
            "{name} is accepted from operator sets {from} to {to}, not {version}; export the model \
             with opset_version={to}, or convert it with onnx.version_converter"
        ));
    }
    for attribute in &node.attribute {
        if !operator.attributes.contains(&attribute.name.as_str()) {
            return Err(format!(
                "the attribute `{}` of {name} is not supported; export the model without it",
                shortened(&attribute.name, 40)
            ));
        }
    }
    operator.limits.iter().try_for_each(|limit| keeps(infinite, node, limit))
}

fn keeps(infinite: &Infinite<'_>, node: &NodeProto, limit: &Limit) -> Result<(), String> {
    let graph = infinite.graph;
    let attribute = |name: &str| node.attribute.iter().find(|attribute| attribute.name == name);
    let input = |index: usize| node.input.get(index).filter(|name| !name.is_empty());
    let name = &node.op_type;
    match limit {
        Limit::OneOf(which, accepted) => {
            let Some(given) = attribute(which) else { return Ok(()) };
            if accepted.iter().any(|accepted| accepted.as_bytes() == &given.s[..]) {
                return Ok(());
            }
            let given = shortened(&String::from_utf8_lossy(&given.s), 40);
            Err(format!(
                "`{which}` of {name} is `{given}`, and only {} gives right answers here",
                accepted.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" or ")
            ))
        }
        Limit::Is(which, accepted) => match attribute(which).map(number) {
            Some(given) if given != *accepted => Err(format!(
                "`{which}` of {name} is {given}, and only {accepted} gives right answers here"
            )),
            _ => Ok(()),
        },
        Limit::Off(index) => {
            let Some(given) = input(*index) else { return Ok(()) };
            let off = constant(graph, given).is_some_and(|tensor| {
                tensor.raw_data.iter().all(|byte| *byte == 0)
                    && tensor.int32_data.iter().all(|value| *value == 0)
            });
            off.then_some(()).ok_or_else(|| {
                format!(
                    "{name} is in training mode (its input `{}`); export the model for inference, \
                     after model.eval()",
                    shortened(given, 80)
                )
            })
        }
        Limit::Unsigned(index) => {
            let tensor = input(*index).and_then(|given| constant(graph, given));
            if tensor.is_some_and(|tensor| tensor.data_type == DataType::Uint8 as i32) {
                return Ok(());
            }
            Err(format!(
                "the zero points of {name} must be constants of type uint8; quantize with unsigned \
                 activations and weights"
            ))
        }
        Limit::Inputs(most) if node.input.len() > *most => {
            Err(format!("{name} is accepted with at most {most} inputs; it has {}", node.input.len()))
        }
        Limit::Finite => infinite.name().map_or(Ok(()), |constant| {
            Err(format!(
                "{name} is not accepted beside infinite constants, and {constant} holds one; use a large \
                 number such as -3e38 in its place"
            ))
        }),
        // types are known only when the engine has followed them: see `bounded`
        Limit::Inputs(_) | Limit::NotBool => Ok(()),
    }
}

/// A number attribute's value, whichever type it is stored as.
fn number(attribute: &AttributeProto) -> f32 {
    if attribute.f == 0.0 { attribute.i as f32 } else { attribute.f }
}

impl Infinite<'_> {
    fn name(&self) -> Option<&str> {
        let find = || find_infinite(self.graph, self.left_out);
        self.found.get_or_init(find).as_deref()
    }
}

/// Whether a node is accepted only where all constants are finite.
pub(crate) fn asks_for_finite(graph: &GraphProto) -> bool {
    graph
        .node
        .iter()
        .filter_map(|node| operators::find(&node.domain, &node.op_type))
        .any(|operator| operator.limits.iter().any(|limit| matches!(limit, Limit::Finite)))
}

fn find_infinite(graph: &GraphProto, left_out: &LeftOut) -> Option<String> {
    let stored = graph.initializer.iter().map(|tensor| (&tensor.name, tensor));
    let nodes = graph.node.iter().filter(|node| node.op_type.starts_with("Constant"));
    let values = |node: &NodeProto| {
        node.attribute.iter().any(|attribute| {
            let listed = attribute.floats.iter().chain([&attribute.f]);
            listed.into_iter().any(|value| value.is_infinite())
                || attribute.t.as_ref().is_some_and(holds_infinity)
        })
    };
    let mut made = nodes.filter(|node| values(node)).filter_map(|node| node.output.first());
    let mut stored = stored.filter(|(_, tensor)| holds_infinity(tensor)).map(|(name, _)| name);
    let found = stored.next().or_else(|| made.next()).or(left_out.infinite.as_ref());
    found.map(|name| format!("`{}`", shortened(name, 80)))
}

fn holds_infinity(tensor: &TensorProto) -> bool {
    let listed = match DataType::try_from(tensor.data_type) {
        Ok(DataType::Float) => tensor.float_data.iter().any(|value| value.is_infinite()),
        Ok(DataType::Double) => tensor.double_data.iter().any(|value| value.is_infinite()),
        Ok(DataType::Float16) => tensor.int32_data.iter().any(|bits| infinite_half(*bits as u16)),
        _ => false,
    };
    listed || stores_infinity(tensor.data_type, &tensor.raw_data)
}

/// Whether one of these raw numbers is infinite.
pub(crate) fn stores_infinity(dtype: i32, raw: &[u8]) -> bool {
    match DataType::try_from(dtype) {
        Ok(DataType::Float) => {
            raw.as_chunks::<4>().0.iter().any(|b| f32::from_le_bytes(*b).is_infinite())
        }
        Ok(DataType::Double) => {
            raw.as_chunks::<8>().0.iter().any(|b| f64::from_le_bytes(*b).is_infinite())
        }
        Ok(DataType::Float16) => {
            raw.as_chunks::<2>().0.iter().any(|b| infinite_half(u16::from_le_bytes(*b)))
        }
        _ => false,
    }
}

/// All exponent bits, and no other.
fn infinite_half(bits: u16) -> bool {
    bits & 0x7fff == 0x7c00
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn infinite_constants_are_looked_for_once() {
        let stored = TensorProto {
            name: "mask".to_owned(),
            data_type: DataType::Float as i32,
            float_data: vec![f32::NEG_INFINITY],
            ..TensorProto::default()
        };
        let graph = GraphProto { initializer: vec![stored], ..GraphProto::default() };
        let left_out = LeftOut::default();
        let infinite = Infinite { graph: &graph, left_out: &left_out, found: OnceCell::new() };
        let first = infinite.name().unwrap();
        assert_eq!(first, "`mask`");
        assert!(std::ptr::eq(first, infinite.name().unwrap()));
    }
}
