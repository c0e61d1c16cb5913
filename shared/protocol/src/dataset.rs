//! What the file of a dataset was found to hold, and where its rows are: what the function that reads
//! files tells those that use them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::tensor::Dtype;

/// The most rows of a dataset.
pub const MAX_ROWS: u64 = 1_000_000;

/// The largest file, in bytes; also what an archive may unpack to.
pub const MAX_BYTES: u64 = 1 << 30;

/// The column of a table that holds what a model is to learn.
pub const LABEL: &str = "label";

/// The same of arrays.
pub const LABELS: [&str; 3] = [LABEL, "labels", "y"];

/// The file formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// A header and a row on each line. <https://www.rfc-editor.org/rfc/rfc4180>
    Csv,
    /// A JSON value on each line.
    Ndjson,
    /// One array. <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>
    Npy,
    /// A zip archive of `npy` files.
    Npz,
    /// <https://huggingface.co/docs/safetensors/index#format>
    Safetensors,
    /// A zip archive of JPEG, PNG and WebP files, in folders that are named as their labels.
    Images,
}

impl Format {
    /// All of them, for people.
    pub const NAMES: &str = "csv, ndjson, npy, npz, safetensors, images";

    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
            Self::Npy => "npy",
            Self::Npz => "npz",
            Self::Safetensors => "safetensors",
            Self::Images => "images",
        }
    }

    /// The format of that name, or of files with that extension.
    pub fn parse(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "csv" => Some(Self::Csv),
            "ndjson" | "jsonl" => Some(Self::Ndjson),
            "npy" => Some(Self::Npy),
            "npz" => Some(Self::Npz),
            "safetensors" => Some(Self::Safetensors),
            "images" | "zip" => Some(Self::Images),
            _ => None,
        }
    }

    /// What a file is by its first bytes, if they say.
    pub fn of_bytes(start: &[u8]) -> Option<Self> {
        match start {
            [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => Some(Self::Npy),
            // the name of the first entry is behind its header
            [b'P', b'K', 3, 4, ..] => {
                let name = start.get(30..).unwrap_or_default();
                let is_array = name.windows(4).take(200).any(|end| end == b".npy");
                Some(if is_array { Self::Npz } else { Self::Images })
            }
            [_, _, _, 0, 0, 0, 0, 0, b'{', ..] => Some(Self::Safetensors),
            _ => match start.trim_ascii_start().first()? {
                b'{' | b'[' => Some(Self::Ndjson),
                _ => std::str::from_utf8(&start[..start.len().min(64)]).ok().map(|_| Self::Csv),
            },
        }
    }
}

/// What a file holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Content {
    /// At least one.
    pub rows: u64,
    /// Columns or arrays.
    pub schema: Vec<Field>,
    /// How often each label occurs, when there are labels and not too many.
    pub labels: Option<Vec<Label>>,
    /// Where the rows are.
    pub layout: Layout,
}

/// A column, an array, or the images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Field {
    /// As the file calls it.
    pub name: String,
    /// A tensor's type, or `text`, `mixed`, `list`, `object`, `null`, `image`.
    pub dtype: String,
    /// Of one row; empty where a row is one value.
    pub shape: Vec<usize>,
    /// Over all rows.
    pub statistics: Statistics,
}

/// What the values of a column or array are like. Of numbers there are `min` to `std`, of texts
/// `distinct`, of images their sizes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Statistics {
    /// Rows without a value.
    pub missing: u64,
    /// The least number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// The greatest number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// The mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean: Option<f64>,
    /// The standard deviation of all values, as NumPy's `std`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub std: Option<f64>,
    /// How many different texts there are; left out when there are more than 256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distinct: Option<u64>,
    /// Pixels, least and greatest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<[u64; 2]>,
    /// Pixels, least and greatest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<[u64; 2]>,
    /// Of the files, least and greatest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<[u64; 2]>,
}

/// A label and how many rows have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Label {
    /// As the file has it.
    pub label: String,
    /// Rows.
    pub count: u64,
}

/// Where the rows of a dataset are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Layout {
    /// In which file.
    pub file: File,
    /// What can be read as tensors.
    pub arrays: Vec<Array>,
    /// What a row is as the input of an inference.
    pub values: Values,
}

/// The files that a dataset may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum File {
    /// The one that came.
    Uploaded,
    /// What was made of it.
    Written,
}

/// An array whose rows follow each other: row-major, little-endian.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Array {
    /// As the file calls it; the columns of a table together are `x`, its labels `y`.
    pub name: String,
    /// The type of its elements.
    pub dtype: Dtype,
    /// Of one row.
    pub shape: Vec<usize>,
    /// Where its first row begins, in bytes.
    pub offset: u64,
}

impl Array {
    /// Bytes of one row; `None` when they overflow.
    pub fn row_bytes(&self) -> Option<u64> {
        let elements = crate::tensor::Tensor::elements(&self.shape)?;
        u64::try_from(elements.checked_mul(self.dtype.size())?).ok()
    }
}

/// What a row is as the input of an inference. Rows that differ in length are found by an index:
/// another file with the offset of each, and of the end, as 64-bit little-endian integers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Values {
    /// A tensor of one row, or several by name; labels are left out.
    Arrays,
    /// An object of numbers: the row of the array `x` by these names.
    Table(Vec<String>),
    /// The JSON value at the row's offset.
    Lines,
    /// An object: the JSON list at the row's offset by these names.
    Rows(Vec<String>),
    /// The base64 of the file at the row's offset.
    Images,
}
