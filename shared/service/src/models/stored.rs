//! A model as it is stored: `MODEL#id / HEAD`, and a row `V#n` for each version.

use std::sync::Arc;

use domain::model::{Format, Placement, Postprocessing, Preprocessing, Status};
use ports::{Condition, Write};
use protocol::tensor::Spec;
use serde::{Deserialize, Serialize};

use super::accept::Given;
use crate::{App, Result, table};

/// A model's head: all that the hot path needs, in one read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Head {
    /// `model_…`
    pub(crate) id: String,
    pub(crate) customer: String,
    pub(crate) created_ms: u64,
    pub(crate) name: String,
    /// Where it may run unless a request says otherwise.
    #[serde(default)]
    pub(crate) placement: Placement,
    /// The newest version that is ready, as in its row.
    pub(crate) newest: Option<Arc<Version>>,
    /// The number of the newest version, ready or not.
    pub(crate) last: u32,
    /// Of the description; its adapters and whether it has an input schema are repeated here.
    pub(crate) revision: u32,
    pub(crate) preprocessing: Option<Preprocessing>,
    pub(crate) postprocessing: Option<Postprocessing>,
    #[serde(default)]
    pub(crate) has_input_schema: bool,
    /// Of the item: grows with every change of the model.
    #[serde(rename = "version")]
    pub(crate) changes: u64,
}

/// A version: its bytes never change, and nothing else does once it is ready or rejected.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Version {
    /// From 1.
    pub(crate) number: u32,
    pub(crate) status: Status,
    /// Why it was rejected: a sentence for its owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    pub(crate) format: Format,
    pub(crate) size: u64,
    pub(crate) checksum: String,
    pub(crate) blob: String,
    /// Until it is ready: what its owner says of it, to be compared with the file.
    #[serde(default, skip_serializing_if = "Given::is_empty")]
    pub(crate) given: Given,
    /// From the file; empty until it is ready.
    pub(crate) inputs: Vec<Spec>,
    /// From the file; empty until it is ready.
    pub(crate) outputs: Vec<Spec>,
    /// How its signature differs from that of the newest version before it: sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) warnings: Vec<String>,
    pub(crate) uploaded_ms: u64,
}

/// A model as a request means it: the head, and the version that is to run, which is ready.
#[derive(Clone, Debug)]
pub struct Record {
    pub(crate) head: Arc<Head>,
    pub(crate) version: Arc<Version>,
}

impl Head {
    /// The write that puts the changed head in the place of the one that was read.
    pub(super) fn write(&self) -> Result<Write> {
        let head = Self { changes: self.changes + 1, ..self.clone() };
        let condition = Condition::Version(self.changes);
        Ok(Write::put(table::model(&self.id), table::encode(&head)?, condition))
    }
}

/// The row of a version.
pub(super) fn row(id: &str, version: &Version, condition: Condition) -> Result<Write> {
    Ok(Write::put(table::model_version(id, version.number), table::encode(version)?, condition))
}

/// Commits a change of a model; false, with nothing written, when its head changed meanwhile.
pub(super) async fn commit(app: &App, head: &Head, mut writes: Vec<Write>) -> Result<bool> {
    writes.push(head.write()?);
    let written = table::unless_failed(app.ports.records.transact(writes).await)?;
    app.caches().models.remove(&head.id);
    let Ok(token) = written else { return Ok(false) };
    app.ports.records.durable(token).await?;
    Ok(true)
}
