//! What is done before a model: the input as people write it becomes the model's tensors.

use protocol::{
    rest::errors::Detail,
    tensor::{Named, Spec},
};
use serde_json::{Map, Value, value::RawValue};

use crate::{image::Images, tabular::Table, text::Texts};

/// Faults of one input that are told at once.
pub(crate) const MAX_FAULTS: usize = 20;

/// The tensors of one input hold this much at most, in bytes.
pub(crate) const MAX_BYTES: usize = 64 << 20;

/// What an input holds, each with its path, and whether it came as a list.
pub(crate) type Several<T> = (Vec<(String, T)>, bool);

/// Why an adapter cannot be used with a model: a sentence that names the option or the input.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct NotUsable(pub(crate) String);

/// The adapter before one model; made once, used for every input.
pub struct Before(Kind);

enum Kind {
    Images(Box<Images>),
    Table(Table),
    Texts(Box<Texts>),
}

/// Tensors, and whether they are a batch.
#[derive(Debug)]
pub struct Made {
    /// One for every input of the model.
    pub tensors: Vec<Named>,
    /// The caller gave a list, and gets one.
    pub many: bool,
}

impl Before {
    /// The adapter of that name for a model with these inputs. `schema` is the model's
    /// `input_schema`, whose `x-adapter` holds the options; `features` are the names of its
    /// `properties` as they were declared.
    ///
    /// # Errors
    /// When there is no such adapter, or an option or the model does not fit it.
    pub fn new(
        name: &str,
        schema: Option<&Map<String, Value>>,
        features: &[String],
        inputs: &[Spec],
    ) -> Result<Self, NotUsable> {
        let kind = match name {
            "image_classification" => {
                Images::new(schema, inputs).map(|images| Kind::Images(Box::new(images)))
            }
            "tabular" => Table::new(schema, features, inputs).map(Kind::Table),
            "text_tokens" => Texts::new(schema, inputs).map(|texts| Kind::Texts(Box::new(texts))),
            _ => Err(format!("there is no adapter `{name}`")),
        };
        kind.map(Self).map_err(NotUsable)
    }

    /// The tensors that the model takes for this input.
    ///
    /// # Errors
    /// What is wrong with the input, each with its path from `input` on; a bounded number at once.
    pub fn run(&self, input: &RawValue) -> Result<Made, Vec<Detail>> {
        let input: Value = serde_json::from_str(input.get())
            .map_err(|error| vec![detail("input", format!("not valid JSON: {error}"))])?;
        match &self.0 {
            Kind::Images(images) => images.run(input),
            Kind::Table(table) => table.run(&input),
            Kind::Texts(texts) => texts.run(input),
        }
    }
}

/// One fault.
pub(crate) fn detail(path: impl Into<String>, message: impl Into<String>) -> Detail {
    Detail { path: path.into(), message: message.into() }
}
