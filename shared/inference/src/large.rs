//! Checking files that are too large for memory: without their weights, whose types and shapes the
//! engine is told instead.

use std::{
    collections::HashSet,
    io::{self, Read, Seek},
};

use tract_onnx::pb::{
    GraphProto, ModelProto, TensorProto, TensorShapeProto, TypeProto, ValueInfoProto,
    tensor_shape_proto::{Dimension, dimension},
    type_proto,
};

use crate::{
    Refused, Report, Signature, allowed,
    bounded::Budget,
    file, signature,
    skeleton::{self, Omitted, Problem, Skeleton},
};

/// What is not known of a file because its weights were not read; nothing of a file that is whole.
#[derive(Default)]
pub(crate) struct LeftOut {
    numbers: Omitted,
    /// The name of an initializer that holds an infinity, if that matters.
    pub(crate) infinite: Option<String>,
}

impl LeftOut {
    /// How many bytes of numbers of the graph's initializer `index` were not read.
    pub(crate) fn stored(&self, index: usize) -> Option<u64> {
        self.numbers.get(&index).map(|stored| stored.length)
    }
}

/// Reads an ONNX file of `size` bytes as [`inspect`](crate::inspect) does, without its weights: in
/// little memory, however large it is. It is not run.
///
/// # Errors
/// Outside, that the file cannot be read; inside, as of `inspect`.
pub fn inspect_large(
    file: &mut (impl Read + Seek),
    size: u64,
) -> io::Result<Result<Report, Refused>> {
    match look(file, size) {
        Ok(signature) => {
            let profile =
                Err(format!("a file of {} MB is too large to be run at upload", size >> 20));
            Ok(Ok(Report { signature, profile }))
        }
        Err(Problem::Refused(refused)) => Ok(Err(refused)),
        Err(Problem::Io(error)) => Err(error),
    }
}

fn look(file: &mut (impl Read + Seek), size: u64) -> Result<Signature, Problem> {
    let mut start = Vec::new();
    file.rewind()?;
    file.by_ref().take(64).read_to_end(&mut start)?;
    file::check_start(&start)?;
    let Skeleton { bytes, omitted } = skeleton::read(file, size)?;
    let mut model = file::decode(&bytes)?;
    let infinite = match &model.graph {
        Some(graph) if allowed::asks_for_finite(graph) => infinite(file, graph, &omitted)?,
        _ => None,
    };
    let left_out = LeftOut { numbers: omitted, infinite };
    let inputs = signature::check(&model, &left_out)?;
    weights_as_inputs(&mut model, &left_out);
    match signature::followed(&model, inputs, Budget::of(bytes.len())) {
        Ok((_, signature)) => Ok(signature),
        Err(cause) => Err(Problem::Refused(signature::cannot_be_run(&format!(
            "{cause}; a file of this size is checked without its weights, so it cannot have operators \
             whose shapes depend on their values"
        )))),
    }
}

/// The first initializer whose numbers, which were not kept, hold an infinity.
fn infinite(
    file: &mut (impl Read + Seek),
    graph: &GraphProto,
    omitted: &Omitted,
) -> io::Result<Option<String>> {
    for (index, tensor) in graph.initializer.iter().enumerate() {
        let Some(stored) = omitted.get(&index) else { continue };
        let mut found = false;
        skeleton::numbers(file, *stored, |piece| {
            found = allowed::stores_infinity(tensor.data_type, piece);
            found
        })?;
        if found {
            return Ok(Some(tensor.name.clone()));
        }
    }
    Ok(None)
}

/// Makes inputs, behind the others, of the initializers that have no numbers.
fn weights_as_inputs(model: &mut ModelProto, left_out: &LeftOut) {
    let Some(graph) = &mut model.graph else { return };
    let mut weights = Vec::new();
    let mut index = 0;
    graph.initializer.retain(|tensor| {
        let omitted = left_out.stored(index).is_some();
        index += 1;
        if omitted {
            weights.push(declaration(tensor));
        }
        !omitted
    });
    // older files list all initializers among the inputs
    let names: HashSet<&str> = weights.iter().map(|weight| weight.name.as_str()).collect();
    graph.input.retain(|input| !names.contains(input.name.as_str()));
    graph.input.append(&mut weights);
}

fn declaration(tensor: &TensorProto) -> ValueInfoProto {
    let dim = |size: &i64| Dimension {
        value: Some(dimension::Value::DimValue(*size)),
        ..Dimension::default()
    };
    let shape = TensorShapeProto { dim: tensor.dims.iter().map(dim).collect() };
    let kind = type_proto::Tensor { elem_type: tensor.data_type, shape: Some(shape) };
    ValueInfoProto {
        name: tensor.name.clone(),
        r#type: Some(TypeProto {
            value: Some(type_proto::Value::TensorType(kind)),
            ..TypeProto::default()
        }),
        ..ValueInfoProto::default()
    }
}
