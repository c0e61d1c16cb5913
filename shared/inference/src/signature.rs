//! What a model takes and gives, as its file says and the engine infers.

use protocol::tensor::{Dtype, Spec};
use tract_onnx::{
    pb::{
        GraphProto, ModelProto, ValueInfoProto, tensor_proto::DataType,
        tensor_shape_proto::dimension, type_proto,
    },
    prelude::{DatumType, Framework, InferenceFact, InferenceModel, ToDim, TypedModel},
    tract_hir::infer::{DimFact, Factoid, ShapeFactoid},
    tract_hir::internal::DimLike,
};

use crate::{
    Refused,
    allowed::Opsets,
    bounded::{self, Budget, MAX_TENSOR},
    dtype::{from_engine, to_engine},
    error::{engine, guarded, shortened},
    file, graph,
    large::LeftOut,
    profile::{self, Profile, Unprofiled},
};

/// The inputs and outputs of a model, in the file's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// What a caller must give.
    pub inputs: Vec<Spec>,
    /// What it gets.
    pub outputs: Vec<Spec>,
}

impl Signature {
    /// Whether requests could be stacked along the first dimension, by their shapes.
    pub fn is_batched(&self) -> bool {
        self.inputs.iter().chain(&self.outputs).all(Spec::is_batched)
    }
}

/// What is known of a file that is accepted.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// What the model takes and gives.
    pub signature: Signature,
    /// What a run costs; a sentence when it was not run.
    pub profile: Result<Profile, String>,
}

/// Reads an ONNX file, checks that the engine can run it, says what it takes and gives, and runs it once
/// on zeros.
///
/// # Errors
/// When the bytes are not ONNX or use something that is not supported: a sentence that names it.
pub fn inspect(bytes: &[u8]) -> Result<Report, Refused> {
    let (model, signature) = parse(bytes)?;
    match profile::measure(&model, &signature.inputs, Budget::of(bytes.len())) {
        Ok(profile) => Ok(Report { signature, profile: Ok(profile) }),
        Err(Unprofiled::Unknown(why)) => Ok(Report { signature, profile: Err(why) }),
        Err(Unprofiled::Refused(cause)) => Err(cannot_be_run(&cause)),
    }
}

pub(crate) fn cannot_be_run(cause: &str) -> Refused {
    Refused::new(format!("the model cannot be run: {}", shortened(cause, 500)))
}

/// A model that may have open dimensions, and its signature.
pub(crate) fn parse(bytes: &[u8]) -> Result<(InferenceModel, Signature), Refused> {
    let file = file::decode(bytes)?;
    let inputs = check(&file, &LeftOut::default())?;
    followed(&file, inputs, Budget::of(bytes.len())).map_err(|cause| cannot_be_run(&cause))
}

/// Checks the file's graph and gives its inputs.
pub(crate) fn check(file: &ModelProto, left_out: &LeftOut) -> Result<Vec<Spec>, Refused> {
    let graph = graph_of(file);
    graph::check(graph, &Opsets::of(file), left_out)?;
    let inputs = declared_inputs(graph)?;
    if graph.output.is_empty() {
        return Err(Refused::new(
            "the model has no outputs; mark what it should answer as an output",
        ));
    }
    Ok(inputs)
}

/// The engine's model of a file that was checked, with types and shapes followed from `inputs`.
pub(crate) fn followed(
    file: &ModelProto,
    inputs: Vec<Spec>,
    budget: Budget,
) -> Result<(InferenceModel, Signature), String> {
    let onnx = tract_onnx::onnx()
        .with_ignore_output_shapes(true)
        .with_ignore_output_types(true)
        .with_ignore_value_info(true);
    guarded(|| read(&onnx, file, graph_of(file), inputs, budget))
}

fn graph_of(file: &ModelProto) -> &GraphProto {
    file.graph.as_ref().expect("`decode` refuses a file without a graph")
}

fn read(
    onnx: &tract_onnx::Onnx,
    file: &ModelProto,
    graph: &GraphProto,
    mut inputs: Vec<Spec>,
    budget: Budget,
) -> Result<(InferenceModel, Signature), String> {
    let mut model = onnx.model_for_proto_model(file).map_err(engine)?;
    // The engine lists the inputs of the file, initializers apart, in the same order.
    let outputs = match symbolic(&model, &inputs, budget) {
        Ok(outputs) => outputs,
        // Some models can only be followed with numbers. What differs between two sizes is open; where
        // only one row works, the file says "any" but means one.
        Err(_) => {
            let one = typed_outputs(&typed(&model, &inputs, 1, budget)?)?;
            match typed(&model, &inputs, 3, budget).and_then(|model| typed_outputs(&model)) {
                Ok(three) if same_ranks(&one, &three) => {
                    let open = |(one, three): (Outline, Outline)| {
                        let shape = one.1.iter().zip(three.1);
                        (one.0, shape.map(|(a, b)| if *a == b { b } else { None }).collect())
                    };
                    one.into_iter().zip(three).map(open).collect()
                }
                _ => {
                    for input in &mut inputs {
                        input.shape.iter_mut().for_each(|dim| *dim = dim.or(Some(1)));
                    }
                    one
                }
            }
        }
    };
    let outputs = graph
        .output
        .iter()
        .zip(outputs)
        .map(|(output, (dtype, shape))| Spec { name: output.name.clone(), dtype, shape })
        .collect();
    for (index, input) in inputs.iter().enumerate() {
        model.set_input_fact(index, open_fact(input)).map_err(engine)?;
    }
    Ok((model, Signature { inputs, outputs }))
}

/// Element type and shape of an output.
type Outline = (Dtype, Vec<Option<usize>>);

/// Follows the shapes with names for the open dimensions.
fn symbolic(
    model: &InferenceModel,
    inputs: &[Spec],
    budget: Budget,
) -> Result<Vec<Outline>, String> {
    let mut model = model.clone();
    for (index, input) in inputs.iter().enumerate() {
        let declared: Vec<DimFact> =
            model.input_fact(index).map_err(engine)?.shape.dims().cloned().collect();
        let dims = declared
            .into_iter()
            .map(|dim| {
                dim.concretize().unwrap_or_else(|| model.symbols.new_with_prefix("open").to_dim())
            })
            .map(DimFact::from);
        let shape = ShapeFactoid::closed(dims.collect());
        let fact = InferenceFact::dt_shape(to_engine(input.dtype), shape);
        model.set_input_fact(index, fact).map_err(engine)?;
    }
    typed_outputs(&bounded::typed(model, budget)?)
}

/// Follows the shapes with `size` for every open dimension.
fn typed(
    model: &InferenceModel,
    inputs: &[Spec],
    size: usize,
    budget: Budget,
) -> Result<TypedModel, String> {
    let mut model = model.clone();
    for (index, input) in inputs.iter().enumerate() {
        let shape: Vec<usize> = input.shape.iter().map(|dim| dim.unwrap_or(size)).collect();
        let fact = InferenceFact::dt_shape(to_engine(input.dtype), &shape);
        model.set_input_fact(index, fact).map_err(engine)?;
    }
    bounded::typed(model, budget)
}

fn typed_outputs(model: &TypedModel) -> Result<Vec<Outline>, String> {
    let outlets = model.output_outlets().map_err(engine)?;
    outlets
        .iter()
        .map(|outlet| {
            let fact = model.outlet_fact(*outlet).map_err(engine)?;
            let dtype = from_engine(fact.datum_type).ok_or_else(|| {
                let kind = match fact.datum_type {
                    DatumType::String => "text".to_owned(),
                    other => format!("{other:?}"),
                };
                format!("an output of it is {kind}; outputs must be numbers or booleans")
            })?;
            let dims = fact.shape.iter().map(|dim| dim.to_usize().ok());
            Ok((dtype, dims.collect()))
        })
        .collect()
}

fn same_ranks(one: &[Outline], other: &[Outline]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(a, b)| a.1.len() == b.1.len())
}

/// What the engine knows of an input before its sizes are chosen.
fn open_fact(input: &Spec) -> InferenceFact {
    let dims =
        input.shape.iter().map(|dim| dim.map_or_else(DimFact::default, |d| d.to_dim().into()));
    InferenceFact::dt_shape(to_engine(input.dtype), ShapeFactoid::closed(dims.collect()))
}

/// The inputs as the file declares them.
fn declared_inputs(graph: &GraphProto) -> Result<Vec<Spec>, Refused> {
    let inputs = graph::inputs(graph).map(declared_input).collect::<Result<Vec<_>, _>>()?;
    if inputs.is_empty() {
        return Err(Refused::new(
            "the model has no inputs, only constants; export it with an example input",
        ));
    }
    Ok(inputs)
}

fn declared_input(input: &ValueInfoProto) -> Result<Spec, Refused> {
    let name = shortened(&input.name, 80);
    let Some(type_proto::Value::TensorType(tensor)) =
        input.r#type.as_ref().and_then(|kind| kind.value.as_ref())
    else {
        return Err(Refused::new(format!(
            "input `{name}` is not a tensor (a sequence, a map or untyped); only tensors are supported"
        )));
    };
    let dtype = DataType::try_from(tensor.elem_type).ok().and_then(graph::supported);
    let Some(dtype) = dtype else {
        return Err(Refused::new(format!(
            "input `{name}` has the unsupported element type {}; use float32, float16, float64, an integer or bool",
            graph::type_name(tensor.elem_type)
        )));
    };
    let Some(shape) = &tensor.shape else {
        return Err(Refused::new(format!(
            "input `{name}` declares no shape; export the model with one, for example [N, 10]"
        )));
    };
    let shape = shape.dim.iter().map(|dim| match dim.value {
        Some(dimension::Value::DimValue(size)) => usize::try_from(size).ok(),
        _ => None,
    });
    let spec = Spec { name: input.name.clone(), dtype, shape: shape.collect() };
    let fixed =
        spec.shape.iter().try_fold(dtype.size(), |bytes, dim| bytes.checked_mul(dim.unwrap_or(1)));
    match fixed {
        Some(0) => {
            Err(Refused::new(format!("input `{name}` of shape {} is empty", spec.shape_text())))
        }
        Some(bytes) if bytes <= MAX_TENSOR => Ok(spec),
        _ => Err(Refused::new(format!(
            "input `{name}` of shape {} is larger than {} MB",
            spec.shape_text(),
            MAX_TENSOR >> 20
        ))),
    }
}
