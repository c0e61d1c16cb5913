//! How a file becomes a version, whatever way it came: at once when it is there and small enough to
//! be looked at before the answer ([`accept`]), or step by step ([`announce`], and later `judge`).

use std::sync::Arc;

use domain::model::{Format, Status};
use ports::{Condition, Write};
use protocol::rest::models as rest;
use serde::{Deserialize, Serialize};

use super::{
    About, Head, Shape, Version,
    description::{compare, label},
    find,
    fitting::{Fitting, differences},
    inspect::{Accepted, inspect},
    revisions, show, stored,
};
use crate::{
    App, Error, Result, Signature, adapters, idempotency::Commit, table, uploads::Pending,
};

/// What a signature may take in a model's head, in bytes of JSON.
const MAX_SIGNATURE: usize = 64 * 1024;

/// A file that is to become a version.
pub(crate) struct Candidate {
    /// Whose.
    pub(crate) customer: String,
    /// Of which model.
    pub(crate) target: Target,
    /// The file.
    pub(crate) file: File,
    /// Compared with the file.
    pub(crate) given: Given,
}

/// What a candidate becomes a version of.
pub(crate) enum Target {
    /// A new model.
    New {
        /// The model's id, new too.
        id: String,
        /// Name, placement, schemas, labels, adapters.
        about: Box<About>,
    },
    /// A model that is there.
    VersionOf(String),
}

/// A candidate's file.
pub(crate) struct File {
    /// Where it is, or will be: [`Target::blob`].
    pub(crate) blob: String,
    /// `sha256:…`
    pub(crate) checksum: String,
    /// In bytes.
    pub(crate) size: u64,
    /// Of its contents.
    pub(crate) format: Format,
}

/// What an owner says of a file, compared with it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Given {
    /// Of the first input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_shape: Option<Shape>,
    /// Of the first output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_shape: Option<Shape>,
}

impl Given {
    pub(super) fn is_empty(&self) -> bool {
        self.input_shape.is_none() && self.output_shape.is_none()
    }

    /// Whether a file's signature is what its owner says, and fits into the model's head.
    pub(super) fn agrees(&self, signature: &Signature) -> Result<()> {
        let size = serde_json::to_vec(signature).map_err(Error::internal)?.len();
        if size > MAX_SIGNATURE {
            let message = format!(
                "the names and shapes of its inputs and outputs take {size} bytes as JSON, and \
                 {MAX_SIGNATURE} are allowed; export it with fewer outputs or shorter names"
            );
            return Err(Error::invalid("model", message));
        }
        compare("input_shape", self.input_shape.as_ref(), &signature.inputs)?;
        compare("output_shape", self.output_shape.as_ref(), &signature.outputs)
    }
}

impl Target {
    /// The target that a request names: a new model, or the customer's model `version_of`. A new
    /// model without a name is called as its file.
    ///
    /// # Errors
    /// `NoModel` when there is no such model; `Invalid` when a version comes with what belongs to
    /// its model.
    pub(crate) async fn read(
        app: &App,
        customer: &str,
        version_of: Option<String>,
        mut about: About,
        file_name: Option<&str>,
    ) -> Result<Self> {
        if let Some(id) = version_of {
            if let Some(field) = about.first_field() {
                let message = "belongs to the model, not to a version; leave it out and change it \
                               with PATCH /api/v1/models/{id}/schema";
                return Err(Error::invalid(field, message));
            }
            find::read(app, customer, &id).await?;
            return Ok(Self::VersionOf(id));
        }
        let stem = file_name.and_then(|name| name.rsplit(['/', '\\']).next());
        let stem = stem.map(|name| name.rsplit_once('.').map_or(name, |(stem, _)| stem));
        let called = about.name.as_deref().or(stem).unwrap_or("model");
        about.name = Some(label("name", called)?);
        Ok(Self::New { id: app.ports.clock.id("model"), about: Box::new(about) })
    }

    /// The model's id.
    pub(crate) fn id(&self) -> &str {
        match self {
            Self::New { id, .. } | Self::VersionOf(id) => id,
        }
    }

    /// A place for the file that no other has.
    pub(crate) fn blob(&self, app: &App) -> String {
        format!("models/{}/{}", self.id(), app.ports.clock.id("file"))
    }
}

/// Looks at a file that is there, as `noted`, and makes it a ready version.
///
/// # Errors
/// `Invalid` for a file that is refused; nothing is on record then.
pub(super) async fn accept(
    app: &App,
    candidate: Candidate,
    noted: &Pending,
    commit: Commit,
) -> Result<rest::Summary> {
    let File { blob, format, .. } = &candidate.file;
    let accepted = inspect(app, blob, *format, &candidate.given).await?;
    if let Target::New { about, .. } = &candidate.target {
        let Signature { inputs, outputs } = &accepted.signature;
        adapters::check(app, &about.description, inputs, outputs).await?;
    }
    let settled = |_| Ok(vec![noted.settle()]);
    record(app, candidate, Some(accepted), settled, commit, |summary| summary).await
}

/// Puts a version on record whose file is yet to come, together with `writes` for its number, which
/// are about how it comes. Repetitions of the request get `answer` again.
///
/// # Errors
/// `NoModel` when the model was deleted; nothing is on record then.
pub(super) async fn announce<A: Serialize>(
    app: &App,
    candidate: Candidate,
    writes: impl Fn(u32) -> Result<Vec<Write>>,
    commit: Commit,
    answer: impl Fn(rest::Summary) -> A,
) -> Result<A> {
    record(app, candidate, None, writes, commit, answer).await
}

/// Puts a candidate on record: as ready if its file is accepted.
async fn record<A: Serialize>(
    app: &App,
    candidate: Candidate,
    accepted: Option<Accepted>,
    more: impl Fn(u32) -> Result<Vec<Write>>,
    commit: Commit,
    answer: impl Fn(rest::Summary) -> A,
) -> Result<A> {
    let Candidate { customer, target, file, given } = candidate;
    let now = app.now_ms();
    let File { blob, checksum, size, format } = file;
    let version = Version {
        number: 1,
        status: Status::Uploading,
        reason: None,
        format,
        size,
        checksum,
        blob,
        given,
        inputs: Vec::new(),
        outputs: Vec::new(),
        warnings: Vec::new(),
        profile: None,
        uploaded_ms: now,
    };
    match target {
        Target::New { id, about } => {
            let About { name, placement, description } = *about;
            let head = Head {
                id: id.clone(),
                customer: customer.clone(),
                created_ms: now,
                name: name.unwrap_or_default(),
                placement: placement.unwrap_or_default(),
                newest: None,
                last: 1,
                revision: 1,
                preprocessing: description.preprocessing,
                postprocessing: description.postprocessing,
                has_input_schema: description.input_schema.is_some(),
                changes: 1,
            };
            let (head, version) = with(head, version, accepted);
            let kept = revisions::keep(app, &id, &description).await?;
            let pointer = table::owned(&customer, "MODEL", &id);
            let about = serde_json::json!({ "id": id, "version": 1 });
            let mut writes = vec![
                Write::put(table::model(&id), table::encode(&head)?, Condition::Absent),
                Write::put(pointer, table::encode(&about)?, Condition::Absent),
                stored::row(&id, &version, Condition::Absent)?,
                kept.write(&id, 1)?,
            ];
            writes.extend(more(1)?);
            let answer = answer(show::summary(&head, &version));
            if let Err(error) = commit.write(app, writes, &answer).await {
                // after an error of ours it may be on record all the same
                if !matches!(error, Error::Internal(_)) {
                    kept.discard(app).await;
                }
                return Err(error);
            }
            Ok(answer)
        }
        Target::VersionOf(id) => {
            let mut fitting = Fitting::default();
            loop {
                let mut head = find::read(app, &customer, &id).await?;
                let mut accepted = accepted.clone();
                if let Some(accepted) = &mut accepted {
                    accepted.warnings.extend(fitting.look(app, &head, &accepted.signature).await?);
                }
                let read = head.changes;
                head.last += 1;
                let version = Version { number: head.last, ..version.clone() };
                let (head, version) = with(head, version, accepted);
                let answer = answer(show::summary(&head, &version));
                let mut writes =
                    vec![stored::row(&id, &version, Condition::Absent)?, head.write()?];
                writes.extend(more(version.number)?);
                match commit.write(app, writes, &answer).await {
                    // another version or a change of the model came between: this one is the next
                    Err(Error::Conflict(_))
                        if find::read(app, &customer, &id).await?.changes != read => {}
                    Err(error) => return Err(error),
                    Ok(()) => {
                        app.caches().models.remove(&id);
                        return Ok(answer);
                    }
                }
            }
        }
    }
}

/// The version with what is known of its file, and the head of which it is the newest.
pub(super) fn with(
    mut head: Head,
    mut version: Version,
    accepted: Option<Accepted>,
) -> (Head, Arc<Version>) {
    let Some(Accepted { signature, profile, warnings }) = accepted else {
        return (head, Arc::new(version));
    };
    let Signature { inputs, outputs } = signature;
    version.warnings = warnings;
    // of two on their way, the later may be ready first
    if let Some(before) = head.newest.as_ref().filter(|newest| newest.number < version.number) {
        version.warnings.extend(differences(before, &inputs, &outputs));
    }
    version.status = Status::Ready;
    version.given = Given::default();
    version.profile = profile;
    version.inputs = inputs;
    version.outputs = outputs;
    let version = Arc::new(version);
    if head.newest.as_ref().is_none_or(|newest| newest.number < version.number) {
        head.newest = Some(version.clone());
    }
    (head, version)
}
