//! Ready datasets, for whoever reads their rows.

use std::sync::Arc;

use domain::model::Status;
use protocol::dataset::{Array, File, Layout, Values};

use super::{
    inspect,
    stored::{self, Record, data_key, file_key},
};
use crate::{App, Error, Result};

/// A ready dataset; nothing of it changes any more.
#[derive(Debug)]
pub struct Dataset {
    /// `dataset_…`
    pub id: String,
    /// At least one.
    pub rows: u64,
    /// Of the file that came: `sha256:…`
    pub checksum: String,
    pub(super) layout: Layout,
}

impl Dataset {
    /// What can be read with [`read_tensors`](super::read_tensors): each with the type and shape of one
    /// row. Empty for datasets of texts; of images and of tables with texts, labels at most.
    pub fn arrays(&self) -> &[Array] {
        &self.layout.arrays
    }

    /// Whether its rows are tensors and nothing else.
    pub(crate) fn is_tensors(&self) -> bool {
        matches!(self.layout.values, Values::Arrays)
    }

    /// Whether a row may be anything that stands in a request.
    pub(crate) fn is_free(&self) -> bool {
        matches!(self.layout.values, Values::Lines)
    }

    /// Where the rows are.
    pub(super) fn data_key(&self) -> String {
        match self.layout.file {
            File::Uploaded => file_key(&self.id),
            File::Written => data_key(&self.id),
        }
    }
}

/// The customer's dataset of that id, to be read.
///
/// # Errors
/// `NotFound` when there is none, or it is somebody else's; `Conflict` when it is not ready, with what
/// it is instead.
pub async fn find(app: &App, customer: &str, id: &str) -> Result<Arc<Dataset>> {
    let record = stored::read(app, customer, id).await?;
    if record.status != Status::Ready {
        return Err(not_ready(&record));
    }
    if let Some(dataset) = app.caches().datasets.get(id) {
        return Ok(dataset);
    }
    let content = inspect::content(app, id).await?;
    let Record { id, checksum, .. } = record;
    let dataset = Dataset { id: id.clone(), rows: content.rows, checksum, layout: content.layout };
    let dataset = Arc::new(dataset);
    app.caches().datasets.insert(id, dataset.clone());
    Ok(dataset)
}

fn not_ready(record: &Record) -> Error {
    let what = match record.status {
        Status::Uploading => "its file is not complete; finish the upload first",
        Status::Validating => "its file is still being looked at; try again in a moment",
        Status::Ready | Status::Rejected => {
            record.error.as_deref().unwrap_or("its file was not accepted")
        }
    };
    let (id, status) = (&record.id, record.status.name());
    Error::Conflict(format!("the dataset `{id}` cannot be used, it is {status}: {what}"))
}
