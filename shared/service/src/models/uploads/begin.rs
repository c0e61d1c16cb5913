//! Announcing a file that is to come in parts.

use domain::{model::Format, upload};
use ports::Checksum;
use protocol::rest::uploads as rest;
use serde_json::Value;

use crate::{
    App, Error, Result,
    idempotency::Commit,
    models::{
        About, Candidate, File, Given, Shape, Target, accept::announce, inspect::declared,
        upload::read_format,
    },
    table,
    uploads::{self, Pending, Row, Subject, parts, read_checksum},
};

/// A file that is to come in parts, as it was announced.
pub struct New {
    target: Target,
    file: FileSaid,
    given: Given,
    plan: upload::Plan,
}

struct FileSaid {
    checksum: Checksum,
    size: u64,
    format: Format,
}

impl New {
    /// Reads an announcement; `model` is the id in the path, of which it is to be a version.
    ///
    /// # Errors
    /// `Invalid` with the field that is wrong or breaks a limit, before anything is sent.
    pub async fn read(
        app: &App,
        customer: &str,
        model: Option<&str>,
        body: rest::NewUpload,
    ) -> Result<Self> {
        let plan = plan(app, &body)?;
        let checksum = read_checksum("checksum", &body.checksum)?;
        let file_name = body.file_name.as_deref();
        let format = read_format(body.format.as_deref(), file_name)?;
        let given = Given {
            input_shape: shape("input_shape", body.input_shape.as_deref())?,
            output_shape: shape("output_shape", body.output_shape.as_deref())?,
        };
        if format == Format::Torchscript {
            // its file does not say so, and is not to be sent in vain
            declared(&given)?;
        }
        let about = about(&body)?;
        let target = match model {
            Some(id) => Target::read(app, customer, Some(id.to_owned()), about, file_name)
                .await
                .map_err(Error::in_path)?,
            None => Target::read(app, customer, body.version_of.clone(), about, file_name).await?,
        };
        Ok(Self { target, file: FileSaid { checksum, size: body.size, format }, given, plan })
    }
}

/// How the file is cut, within the limits.
fn plan(app: &App, body: &rest::NewUpload) -> Result<upload::Plan> {
    let plan = parts::plan(body.size, body.part_size, body.parts.as_deref())?;
    let (size, most) = (body.size, app.settings().uploads.max_size);
    if size > most {
        let message = format!(
            "{size} bytes are over this platform's limit of {most} for a model; store its weights \
             as float16, or leave out what inference does not need"
        );
        return Err(Error::invalid("size", message));
    }
    Ok(plan)
}

/// What is said of the model, as a form would say it.
fn about(body: &rest::NewUpload) -> Result<About> {
    let mut about = About::default();
    for (field, text) in [
        ("name", body.name.clone()),
        ("placement", body.placement.clone()),
        ("labels", body.labels.clone().map(|labels| Value::from(labels).to_string())),
        ("preprocessing", body.preprocessing.clone()),
        ("postprocessing", body.postprocessing.clone()),
    ] {
        if let Some(text) = text {
            about.set(field, &text)?;
        }
    }
    if let Some(given) = &body.input_schema {
        about.description.declare_input(Some(given.clone()))?;
    }
    if let Some(given) = &body.output_schema {
        about.description.declare_output(Some(given.clone()))?;
    }
    Ok(about)
}

/// Puts the version on record whose file is to come. Its parts' URLs come from [`sign`](super::sign).
pub async fn begin(app: &App, customer: &str, new: New, commit: Commit) -> Result<rest::Begun> {
    let New { target, file, given, plan } = new;
    let pending = uploads::note(
        app,
        Subject::model(target.id()),
        target.blob(app),
        app.settings().uploads.idle_ms,
    )
    .await?;
    let announced = announce_noted(app, customer, (target, file, given, plan), &pending, commit);
    let announced = announced.await;
    // after an error of ours it may be on record all the same: the timer looks after it
    if announced.as_ref().is_err_and(|error| !matches!(error, Error::Internal(_)))
        && let Err(cause) = pending.discard(app).await
    {
        tracing::warn!(%cause, blob = pending.blob, "what an upload began with was not removed");
    }
    announced
}

async fn announce_noted(
    app: &App,
    customer: &str,
    (target, file, given, plan): (Target, FileSaid, Given, upload::Plan),
    pending: &Pending,
    commit: Commit,
) -> Result<rest::Begun> {
    let row = Row::start(app, pending, &plan).await?;
    let id = target.id().to_owned();
    let FileSaid { checksum, size, format } = file;
    let file = File { blob: pending.blob.clone(), checksum: checksum.to_string(), size, format };
    let candidate = Candidate { customer: customer.to_owned(), target, file, given };
    let writes = |number| {
        let (announced, write) =
            pending.announce(Subject::Version { model: id.clone(), number: Some(number) })?;
        let row = Row { pending: announced, ..row.clone() };
        Ok(vec![row.put(table::model_upload(&id, number))?, write])
    };
    let answer = |shown: protocol::rest::models::Summary| rest::Begun {
        id: shown.id,
        version: shown.version,
        status: shown.status,
        upload: row.shown(&plan),
    };
    announce(app, candidate, writes, commit, answer).await
}

fn shape(field: &str, given: Option<&[Option<i64>]>) -> Result<Option<Shape>> {
    let text = given.map(|dims| Value::from(dims.to_vec()).to_string());
    text.map(|text| crate::models::read_shape(field, &text)).transpose()
}
