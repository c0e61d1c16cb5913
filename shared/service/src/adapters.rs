//! The adapters before and behind a model, as the service reaches them: by calling the functions
//! `preprocess` and `postprocess`, so that only these carry decoders, tokenizers and an engine.

use domain::{
    job::StoredFile,
    model::{Pin, Postprocessing, Preprocessing},
};
use protocol::{
    rest::errors::Detail,
    tensor::{Named, Spec},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, value::RawValue};

use crate::{
    App, Error, POSTPROCESS_FUNCTION, PREPROCESS_FUNCTION, Result, attempts,
    models::{self, Description},
    tensors,
};

/// Tensors whose encoded form is larger go between functions as a file, in bytes: a call holds 6 MB.
pub(crate) const MAX_IN_CALL: usize = 4 << 20;

/// An adapter and what it is used with.
#[derive(Debug, Serialize, Deserialize)]
pub struct Setup {
    /// The adapter.
    pub name: String,
    /// `input_schema` before a model, `output_schema` behind it.
    pub schema: Option<Map<String, Value>>,
    /// The schema's properties as they were declared.
    pub features: Vec<String>,
    /// Names of the classes.
    pub labels: Option<Vec<String>>,
    /// The model's inputs, or its outputs.
    pub specs: Vec<Spec>,
}

/// What an adapter's function is asked about.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Asked<T> {
    /// Whether the adapter can be used at all.
    Check(Box<Setup>),
    /// To use it.
    Run {
        /// Whose model.
        customer: String,
        /// The model, with the revision that says which adapter.
        model: Pin,
        /// On what.
        on: T,
    },
}

/// What `postprocess` is given.
#[derive(Debug, Serialize, Deserialize)]
pub struct Outputs {
    /// The model's outputs.
    pub tensors: Carried,
    /// The caller gave a list, and gets one.
    pub many: bool,
}

/// Tensors between functions.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Carried {
    /// In the call.
    Inline(Vec<Named>),
    /// In a safetensors file of the object store.
    File(StoredFile),
}

/// What `preprocess` answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Preprocessed {
    /// The adapter can be used.
    Usable,
    /// The model's inputs, and whether they are a list of the caller's.
    Made(Carried, bool),
    /// What is wrong with the input, or with the adapter.
    Refused(Vec<Detail>),
}

/// What `postprocess` answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Postprocessed {
    /// The adapter can be used.
    Usable,
    /// The result in words.
    Answer(Box<RawValue>),
    /// Why there is none.
    Refused(String),
}

impl Carried {
    /// Puts tensors into a call, or into a file that the callee's caller deletes.
    pub async fn pack(app: &App, tensors: Vec<Named>) -> Result<Self> {
        if attempts::encoded_len(&tensors) <= MAX_IN_CALL {
            return Ok(Self::Inline(tensors));
        }
        let key = format!("adapted/{}", app.ports.clock.id("file"));
        Ok(Self::File(tensors::store(app, key, &tensors).await?))
    }

    /// The tensors.
    pub async fn unpack(self, app: &App) -> Result<Vec<Named>> {
        match self {
            Self::Inline(tensors) => Ok(tensors),
            Self::File(file) => {
                let missing = || Error::internal("a file of tensors is missing");
                tensors::load(app, &file).await?.ok_or_else(missing)
            }
        }
    }
}

impl Setup {
    fn before(adapter: Preprocessing, description: &Description, inputs: &[Spec]) -> Self {
        Self {
            name: adapter.name().to_owned(),
            schema: description.input_schema.clone(),
            features: description.features.clone(),
            labels: None,
            specs: inputs.to_vec(),
        }
    }

    fn after(adapter: Postprocessing, description: &Description, outputs: &[Spec]) -> Self {
        Self {
            name: adapter.name().to_owned(),
            schema: description.output_schema.clone(),
            features: Vec::new(),
            labels: description.labels.clone(),
            specs: outputs.to_vec(),
        }
    }
}

/// The adapter before a model, as the pinned revision says; for `preprocess`.
///
/// # Errors
/// `NoModel` when the model was deleted.
pub async fn before(app: &App, customer: &str, model: &Pin) -> Result<Setup> {
    let record = models::find_pinned(app, customer, model).await?;
    let description = models::description(app, &model.id, model.revision).await?;
    let adapter = preprocessing(&description).ok_or_else(|| Error::internal("no adapter"))?;
    Ok(Setup::before(adapter, &description, &record.version.inputs))
}

/// The adapter behind a model, as the pinned revision says; for `postprocess`.
///
/// # Errors
/// As [`before`].
pub async fn after(app: &App, customer: &str, model: &Pin) -> Result<Setup> {
    let record = models::find_pinned(app, customer, model).await?;
    let description = models::description(app, &model.id, model.revision).await?;
    let adapter = postprocessing(&description).ok_or_else(|| Error::internal("no adapter"))?;
    Ok(Setup::after(adapter, &description, &record.version.outputs))
}

/// The adapter before the model, unless it does nothing.
fn preprocessing(description: &Description) -> Option<Preprocessing> {
    description.preprocessing.filter(|adapter| *adapter != Preprocessing::Passthrough)
}

/// The adapter behind the model, unless it does nothing.
fn postprocessing(description: &Description) -> Option<Postprocessing> {
    description.postprocessing.filter(|adapter| *adapter != Postprocessing::Passthrough)
}

/// Whether the adapters that a description names can be used with a model of these inputs and
/// outputs.
///
/// # Errors
/// `Invalid`, naming the adapter and the option, schema or label that does not fit.
pub(crate) async fn check(
    app: &App,
    description: &Description,
    inputs: &[Spec],
    outputs: &[Spec],
) -> Result<()> {
    let mut faults = Vec::new();
    if let Some(adapter) = preprocessing(description) {
        let setup = Box::new(Setup::before(adapter, description, inputs));
        let asked: Asked<()> = Asked::Check(setup);
        if let Preprocessed::Refused(details) = call(app, PREPROCESS_FUNCTION, &asked).await? {
            faults.extend(details);
        }
    }
    if let Some(adapter) = postprocessing(description) {
        let setup = Box::new(Setup::after(adapter, description, outputs));
        let asked: Asked<()> = Asked::Check(setup);
        if let Postprocessed::Refused(message) = call(app, POSTPROCESS_FUNCTION, &asked).await? {
            faults.push(Detail { path: "postprocessing".to_owned(), message });
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(Error::Invalid(faults)) }
}

/// The model's inputs for an input as people write it, and whether it was a list.
///
/// # Errors
/// `Invalid`, with everything that is wrong with the input.
pub(crate) async fn preprocess(
    app: &App,
    customer: &str,
    model: &Pin,
    input: &RawValue,
) -> Result<(Vec<Named>, bool)> {
    let (customer, model) = (customer.to_owned(), model.clone());
    let asked = Asked::Run { customer, model, on: input };
    match call(app, PREPROCESS_FUNCTION, &asked).await? {
        Preprocessed::Made(tensors, many) => {
            let file = match &tensors {
                Carried::File(file) => Some(file.key.clone()),
                Carried::Inline(_) => None,
            };
            let tensors = tensors.unpack(app).await?;
            if let Some(file) = file {
                app.ports.blobs.delete(&file).await?;
            }
            Ok((tensors, many))
        }
        Preprocessed::Refused(details) => Err(Error::Invalid(details)),
        Preprocessed::Usable => Err(Error::internal("`preprocess` made nothing")),
    }
}

/// A result in words; the inner error is a sentence.
pub(crate) async fn postprocess(
    app: &App,
    customer: &str,
    model: &Pin,
    tensors: Carried,
    many: bool,
) -> Result<std::result::Result<Box<RawValue>, String>> {
    let (customer, model) = (customer.to_owned(), model.clone());
    let asked = Asked::Run { customer, model, on: Outputs { tensors, many } };
    match call(app, POSTPROCESS_FUNCTION, &asked).await? {
        Postprocessed::Answer(answer) => Ok(Ok(answer)),
        Postprocessed::Refused(reason) => Ok(Err(reason)),
        Postprocessed::Usable => Err(Error::internal("`postprocess` answered nothing")),
    }
}

async fn call<Q: Serialize, A: DeserializeOwned>(
    app: &App,
    function: &str,
    asked: &Asked<Q>,
) -> Result<A> {
    let asked = serde_json::to_vec(asked).map_err(Error::internal)?;
    let answer = app.ports.functions.call(function, asked.into()).await?;
    serde_json::from_slice(&answer).map_err(Error::internal)
}
