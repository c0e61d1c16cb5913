//! Datasets.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::uploads::{Plan, UploadedPart};

pub use crate::dataset::{Label, Statistics};

/// A dataset as lists show it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = DatasetSummary)]
pub struct Summary {
    /// `dataset_…`
    pub id: String,
    /// What its owner calls it.
    pub name: String,
    /// `csv`, `ndjson`, `npy`, `npz`, `safetensors` or `images`.
    pub format: String,
    /// `uploading`, `validating`, `ready` or `rejected`; only a ready one can be used.
    pub status: String,
    /// Why it was rejected, and where it is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// How many; `null` until it is ready.
    pub rows: Option<u64>,
    /// Of the file.
    pub bytes: u64,
    /// Of the file: `sha256:` and 64 hex digits.
    pub checksum: String,
    /// RFC 3339, UTC.
    pub created_at: String,
    /// When it is deleted. RFC 3339, UTC.
    pub expires_at: String,
}

/// A dataset; what its file holds is `null` until it is ready.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Dataset {
    /// Everything but what its file holds.
    #[serde(flatten)]
    pub summary: Summary,
    /// Columns or arrays.
    pub schema: Option<Vec<Column>>,
    /// Of each column or array, by its name.
    pub statistics: Option<BTreeMap<String, Statistics>>,
    /// How often each label occurs; `null` when there are none, or over 1000 different ones. Labels that
    /// are texts are learned as their positions in this list.
    pub labels: Option<Vec<Label>>,
}

/// A column or an array.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Column {
    /// As the file calls it.
    pub name: String,
    /// A tensor's type, or `text`, `list`, `object`, `mixed`, `null`, `image`.
    pub dtype: String,
    /// Of one row; empty where a row is one value.
    pub shape: Vec<usize>,
}

/// A page of datasets.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Datasets {
    /// Newest first, without what their files hold.
    pub datasets: Vec<Summary>,
    /// How many datasets the customer has, on all pages.
    pub total: u64,
    /// Give it as `cursor` for the next page; `null` on the last.
    pub next_cursor: Option<String>,
}

/// The form of a small dataset (`POST /datasets`).
#[derive(ToSchema)]
#[schema(as = DatasetUpload)]
#[allow(dead_code, reason = "describes the form; the handler reads it part by part")]
pub struct Upload {
    /// The file.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
    /// Defaults to the file's name.
    name: Option<String>,
    /// `csv`, `ndjson`, `npy`, `npz`, `safetensors` or `images`; by default from the file.
    format: Option<String>,
    /// How many days it is kept: 1 to 365, 30 by default.
    ttl_days: Option<u64>,
}

/// A dataset whose file is to come in parts (`POST /datasets` as JSON).
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct NewDataset {
    /// Bytes of the file.
    pub size: u64,
    /// Of the whole file: `sha256:` and 64 hex digits.
    pub checksum: String,
    /// For name and format, where those are left out.
    pub file_name: Option<String>,
    /// Defaults to the file's name.
    pub name: Option<String>,
    /// `csv`, `ndjson`, `npy`, `npz`, `safetensors` or `images`; by default from the file's extension.
    pub format: Option<String>,
    /// How many days it is kept: 1 to 365, 30 by default.
    pub ttl_days: Option<u64>,
    /// Bytes of every part but the last; a good size by default.
    pub part_size: Option<u64>,
    /// The parts' checksums in their order, to get their URLs with the answer. Needs `part_size`.
    pub parts: Option<Vec<String>>,
}

/// The answer to [`NewDataset`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = DatasetBegun)]
pub struct Begun {
    /// The dataset's id.
    pub id: String,
    /// `uploading`
    pub status: String,
    /// How to send the file.
    pub upload: Plan,
}

/// How far the upload of a dataset is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = DatasetProgress)]
pub struct Progress {
    /// The dataset's id.
    pub id: String,
    /// `uploading` or `validating`.
    pub status: String,
    /// Bytes of the file.
    pub size: u64,
    /// Of the whole file.
    pub checksum: String,
    /// Bytes of every part but the last.
    pub part_size: u64,
    /// How many parts there are.
    pub part_count: u32,
    /// What is there, while the upload is not complete.
    pub uploaded: Vec<UploadedPart>,
    /// The numbers of what is not.
    pub missing: Vec<u32>,
    /// The upload is given up when no part comes until then. RFC 3339, UTC.
    pub expires_at: String,
}
