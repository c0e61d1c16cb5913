//! What an owner says of a model beside its file, and whether the file agrees.

use domain::{
    model::{Placement, Postprocessing, Preprocessing},
    name,
};
use protocol::{rest::schema::Declared, tensor::Spec};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::schema;
use crate::{Error, Result};

/// Schemas, labels, adapters: what has revisions, which jobs pin.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Description {
    /// JSON Schema of the input; its `x-adapter` holds options of the adapters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_schema: Option<Map<String, Value>>,
    /// The names of its `properties` as they were declared, which a map forgets: the order of the
    /// columns of a table.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<String>,
    /// JSON Schema of the output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_schema: Option<Map<String, Value>>,
    /// Names of the classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<String>>,
    /// The adapter before the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preprocessing: Option<Preprocessing>,
    /// The adapter behind the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postprocessing: Option<Postprocessing>,
}

impl Description {
    /// The columns of a table, in the model's order.
    pub(crate) fn feature_names(&self) -> Vec<String> {
        let options = self.input_schema.as_ref().and_then(|schema| schema.get("x-adapter"));
        let listed = options.and_then(|options| options.get("features")?.as_array());
        match listed {
            Some(names) => names.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            None => self.features.clone(),
        }
    }
}

impl Description {
    /// The schema of the input as its owner is shown it. JSON objects have no order, so that of a table's
    /// columns is written out: whoever sends the schema back means the same.
    pub(super) fn shown_input_schema(&self) -> Option<Map<String, Value>> {
        let mut schema = self.input_schema.clone()?;
        if self.preprocessing == Some(Preprocessing::Tabular) && !self.features.is_empty() {
            let options = schema.entry("x-adapter").or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(options) = options {
                options.entry("features").or_insert_with(|| self.features.clone().into());
            }
        }
        Some(schema)
    }
}

/// What an owner says of a new model.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// What people call it.
    pub name: Option<String>,
    /// Where it may run.
    pub placement: Option<Placement>,
    /// Schemas, labels, adapters.
    pub description: Description,
}

/// A shape as its owner writes it; `null` and -1 stand for any size.
pub type Shape = Vec<Option<usize>>;

/// What the schemas and labels of one model may take together, in bytes of JSON.
pub const MAX_DESCRIPTION: usize = 4 << 20;

/// How many classes a model may name.
const MAX_LABELS: usize = 100_000;

/// How many sizes a shape may have; it is kept with the version until that is looked at.
const MAX_DIMENSIONS: usize = 64;

impl About {
    /// Sets one field of an upload's form.
    ///
    /// # Errors
    /// When the text is not what the field takes. A field that is none of these is `Ok(false)`.
    pub fn set(&mut self, field: &str, text: &str) -> Result<bool> {
        let description = &mut self.description;
        match field {
            "name" => self.name = Some(text.to_owned()),
            "placement" => self.placement = Some(placement(field, text)?),
            "input_schema" => description.declare_input(Some(declared(field, text)?))?,
            "output_schema" => description.declare_output(Some(declared(field, text)?))?,
            "labels" => {
                let labels = json(field, text, "a list of names such as [\"cat\",\"dog\"]")?;
                description.labels = Some(counted(field, labels)?);
            }
            "preprocessing" => description.preprocessing = Some(preprocessing(field, text)?),
            "postprocessing" => description.postprocessing = Some(postprocessing(field, text)?),
            _ => return Ok(false),
        }
        description.check_size(field)?;
        Ok(true)
    }

    /// The name of a field that is set, if one is.
    pub(super) fn first_field(&self) -> Option<&'static str> {
        let Description {
            input_schema, output_schema, labels, preprocessing, postprocessing, ..
        } = &self.description;
        let fields = [
            ("name", self.name.is_some()),
            ("placement", self.placement.is_some()),
            ("input_schema", input_schema.is_some()),
            ("output_schema", output_schema.is_some()),
            ("labels", labels.is_some()),
            ("preprocessing", preprocessing.is_some()),
            ("postprocessing", postprocessing.is_some()),
        ];
        fields.into_iter().find(|(_, is_set)| *is_set).map(|(name, _)| name)
    }
}

impl Description {
    /// Sets the schema of the input, and with it the order of its columns; `None` clears both.
    pub(super) fn declare_input(&mut self, given: Option<Declared>) -> Result<()> {
        let field = "input_schema";
        given.as_ref().map_or(Ok(()), |given| schema::check(field, &given.schema))?;
        let (schema, features) = given.map(|given| (given.schema, given.properties)).unzip();
        self.input_schema = schema;
        self.features = features.unwrap_or_default();
        self.check_size(field)
    }

    /// Sets the schema of the output, or clears it.
    pub(super) fn declare_output(&mut self, given: Option<Declared>) -> Result<()> {
        let field = "output_schema";
        given.as_ref().map_or(Ok(()), |given| schema::check(field, &given.schema))?;
        self.output_schema = given.map(|given| given.schema);
        self.check_size(field)
    }

    /// Refuses more than may be kept; `field` is what was added last.
    pub(super) fn check_size(&self, field: &str) -> Result<()> {
        let size = serde_json::to_vec(self).map_err(Error::internal)?.len();
        if size <= MAX_DESCRIPTION {
            return Ok(());
        }
        let message =
            format!("schemas and labels together may take {MAX_DESCRIPTION} bytes, not {size}");
        Err(Error::invalid(field, message))
    }
}

fn json<T: serde::de::DeserializeOwned>(field: &str, text: &str, expected: &str) -> Result<T> {
    serde_json::from_str(text)
        .map_err(|error| Error::invalid(field, format!("expected {expected}: {error}")))
}

fn declared(field: &str, text: &str) -> Result<Declared> {
    json(field, text, "a JSON Schema object")
}

/// Labels that are not too many.
pub(super) fn counted(field: &str, labels: Vec<String>) -> Result<Vec<String>> {
    if labels.len() <= MAX_LABELS {
        return Ok(labels);
    }
    let message = format!("{} are too many; {MAX_LABELS} are allowed", labels.len());
    Err(Error::invalid(field, message))
}

/// What people call a model.
pub(super) fn label(field: &str, text: &str) -> Result<String> {
    let label = name::label(text).map_err(|error| Error::invalid(field, error.to_string()))?;
    Ok(label.to_owned())
}

pub(super) fn placement(field: &str, name: &str) -> Result<Placement> {
    Placement::parse(name)
        .ok_or_else(|| Error::invalid(field, "expected `own`, `shared` or `platform`"))
}

pub(super) fn preprocessing(field: &str, name: &str) -> Result<Preprocessing> {
    one_of(field, name, &Preprocessing::ALL, Preprocessing::name)
}

pub(super) fn postprocessing(field: &str, name: &str) -> Result<Postprocessing> {
    one_of(field, name, &Postprocessing::ALL, Postprocessing::name)
}

/// The adapter of that name.
fn one_of<A: Copy>(field: &str, name: &str, all: &[A], called: fn(A) -> &'static str) -> Result<A> {
    all.iter().copied().find(|adapter| called(*adapter) == name).ok_or_else(|| {
        let names: Vec<_> = all.iter().map(|adapter| called(*adapter)).collect();
        let shown: String = name.chars().take(80).collect();
        let message = format!("`{shown}` is no adapter; use one of {}", names.join(", "));
        Error::invalid(field, message)
    })
}

/// Reads a shape such as `[1, 10]`, `[null, 10]` or `[-1, 10]`.
///
/// # Errors
/// When it is not a list of sizes, or longer than any file's.
pub fn read_shape(field: &str, text: &str) -> Result<Shape> {
    let dims: Vec<Option<i64>> = json(field, text, "a list of sizes such as [1, 10]")?;
    if dims.len() > MAX_DIMENSIONS {
        let message = format!("has {} sizes, and {MAX_DIMENSIONS} are allowed", dims.len());
        return Err(Error::invalid(field, message));
    }
    dims.into_iter()
        .map(|dim| match dim {
            None | Some(-1) => Ok(None),
            Some(size) => usize::try_from(size).map(Some).map_err(|_| {
                Error::invalid(field, format!("{size} is no size; use null or -1 for any"))
            }),
        })
        .collect()
}

/// Whether the shape that the owner gave agrees with the file's first input or output.
pub(super) fn compare(field: &str, given: Option<&Shape>, specs: &[Spec]) -> Result<()> {
    let (Some(given), Some(spec)) = (given, specs.first()) else { return Ok(()) };
    let agrees = given.len() == spec.shape.len()
        && given.iter().zip(&spec.shape).all(|(given, file)| match (given, file) {
            (Some(given), Some(file)) => given == file,
            _ => true,
        });
    if agrees {
        return Ok(());
    }
    let given = Spec { shape: given.clone(), ..spec.clone() };
    let message = format!(
        "says {}, but `{}` in the file has shape {}; correct it or leave the field out",
        given.shape_text(),
        spec.name,
        spec.shape_text()
    );
    Err(Error::invalid(field, message))
}
