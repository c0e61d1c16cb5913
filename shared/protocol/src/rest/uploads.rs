//! Uploads of models in parts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::schema::Declared;

/// A file that is to come in parts (`POST /models` as JSON): what it is, and what the form of a small
/// upload says of a model.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct NewUpload {
    /// Bytes of the file.
    pub size: u64,
    /// Of the whole file: `sha256:` and 64 hex digits.
    pub checksum: String,
    /// For name and format, where those are left out.
    pub file_name: Option<String>,
    /// Bytes of every part but the last; a good size by default.
    pub part_size: Option<u64>,
    /// The parts' checksums in their order, to get their URLs with the answer. Needs `part_size`.
    pub parts: Option<Vec<String>>,
    /// The id of the model of which this is to be the next version.
    pub version_of: Option<String>,
    /// Defaults to the file's name.
    pub name: Option<String>,
    /// `onnx` or `torchscript`; by default from the file's extension.
    pub format: Option<String>,
    /// Compared with the file.
    pub input_shape: Option<Vec<Option<i64>>>,
    /// Compared with the file.
    pub output_shape: Option<Vec<Option<i64>>>,
    /// JSON Schema.
    #[schema(value_type = Option<serde_json::Map<String, serde_json::Value>>)]
    pub input_schema: Option<Declared>,
    /// JSON Schema.
    #[schema(value_type = Option<serde_json::Map<String, serde_json::Value>>)]
    pub output_schema: Option<Declared>,
    /// Names of the classes.
    pub labels: Option<Vec<String>>,
    /// The adapter before the model.
    pub preprocessing: Option<String>,
    /// The adapter behind the model.
    pub postprocessing: Option<String>,
    /// `own` (default), `shared` or `platform`.
    pub placement: Option<String>,
}

/// The answer to [`NewUpload`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Begun {
    /// The model's id.
    pub id: String,
    /// The version that the file is to become.
    pub version: u32,
    /// `uploading`
    pub status: String,
    /// How to send the file.
    pub upload: Plan,
}

/// How a file is sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Plan {
    /// Bytes of every part but the last, which has the rest.
    pub part_size: u64,
    /// How many parts there are, numbered from 1.
    pub part_count: u32,
    /// Where to, for the parts whose checksums were given.
    #[serde(default)]
    pub parts: Vec<SignedPart>,
    /// The upload is given up when no part comes until then; each part moves it. RFC 3339, UTC.
    pub expires_at: String,
}

/// Which parts are to be sent (`POST /models/{id}/upload/parts`).
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PartsWanted {
    /// At most 1000.
    pub parts: Vec<PartWanted>,
}

/// A part that is to be sent.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PartWanted {
    /// From 1.
    pub number: u32,
    /// Of its bytes: `sha256:` and 64 hex digits.
    pub checksum: String,
}

/// Where parts are sent to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SignedParts {
    /// In the order asked for.
    pub parts: Vec<SignedPart>,
}

/// Where a part is sent to: `PUT` exactly the bytes of its checksum, with these headers, within the
/// hour.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SignedPart {
    /// From 1.
    pub number: u32,
    /// Its length in bytes.
    pub size: u64,
    /// Opens this part alone; no key goes with it.
    pub url: String,
    /// Headers of the `PUT`.
    pub headers: BTreeMap<String, String>,
}

/// How far an upload is (`GET /models/{id}/upload`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Progress {
    /// The model's id.
    pub id: String,
    /// The version that the file is to become.
    pub version: u32,
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
    /// As in [`Plan`].
    pub expires_at: String,
}

/// A part that is there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UploadedPart {
    /// From 1.
    pub number: u32,
    /// Its length in bytes.
    pub size: u64,
    /// Of its bytes.
    pub checksum: String,
}
