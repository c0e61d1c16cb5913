//! A dataset as it is stored: `DATASET#id / HEAD`, its pointer for lists, and its files.

use domain::model::Status;
use ports::{Condition, Write};
use protocol::dataset::Format;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{App, Error, Result, table};

/// A dataset's row.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    /// `dataset_…`
    pub(super) id: String,
    pub(super) customer: String,
    pub(super) name: String,
    pub(super) format: Format,
    pub(super) status: Status,
    /// Why it was rejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
    /// Of the file that came, in bytes.
    pub(super) size: u64,
    /// `sha256:…`
    pub(super) checksum: String,
    /// Once it is ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) rows: Option<u64>,
    pub(super) created_ms: u64,
    /// Epoch second.
    pub(super) expires_at: u64,
    /// Of the item: grows with every change.
    pub(super) version: u64,
}

/// The file as it came.
pub(super) fn file_key(id: &str) -> String {
    format!("datasets/{id}/file")
}

/// Its rows in another form, where they need one.
pub(super) fn data_key(id: &str) -> String {
    format!("datasets/{id}/data")
}

/// The offset of each row, where rows differ in length.
pub(super) fn index_key(id: &str) -> String {
    format!("datasets/{id}/index")
}

/// What the file holds, as JSON.
pub(super) fn content_key(id: &str) -> String {
    format!("datasets/{id}/content")
}

impl Record {
    /// The writes that put a new one on record.
    pub(super) fn create(&self) -> Result<Vec<Write>> {
        let pointer = table::owned(&self.customer, "DATASET", &self.id);
        let about = json!({ "id": self.id, "expires_at": self.expires_at });
        Ok(vec![
            Write::put(table::dataset(&self.id), table::encode(self)?, Condition::Absent),
            Write::put(pointer, table::encode(&about)?, Condition::Absent),
        ])
    }

    /// The write that puts the changed row in the place of the one that was read.
    pub(super) fn change(&self) -> Result<Write> {
        let changed = Self { version: self.version + 1, ..self.clone() };
        let condition = Condition::Version(self.version);
        Ok(Write::put(table::dataset(&self.id), table::encode(&changed)?, condition))
    }
}

/// A dataset of the customer's; somebody else's is as if it were not there.
pub(super) async fn read(app: &App, customer: &str, id: &str) -> Result<Record> {
    let record = load(app, id).await?;
    if record.customer == customer { Ok(record) } else { Err(Error::no_dataset(id)) }
}

/// A dataset, whoever it belongs to. One whose time is over is gone, also if the store still has it.
pub(super) async fn load(app: &App, id: &str) -> Result<Record> {
    if !domain::name::is_id(id, "dataset") {
        return Err(Error::no_dataset(id));
    }
    let record: Option<Record> = table::load(&*app.ports.records, &table::dataset(id)).await?;
    let now = app.now_ms() / 1000;
    record.filter(|record| record.expires_at > now).ok_or_else(|| Error::no_dataset(id))
}
