//! Models: an owner's network, whose bytes never change within a version.

use serde::{Deserialize, Serialize};

/// Where work may run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Placement {
    /// The customer's own devices, then the platform's.
    #[default]
    Own,
    /// Also other people's devices that serve everyone.
    Shared,
    /// The platform's own device only.
    Platform,
}

impl Placement {
    /// The placement of that name.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "own" => Some(Self::Own),
            "shared" => Some(Self::Shared),
            "platform" => Some(Self::Platform),
            _ => None,
        }
    }

    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Shared => "shared",
            Self::Platform => "platform",
        }
    }
}

/// The file formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// <https://onnx.ai>
    Onnx,
    /// Runs only on devices that declare it.
    Torchscript,
}

impl Format {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Onnx => "onnx",
            Self::Torchscript => "torchscript",
        }
    }
}

/// How far a version has come. Only a `Ready` one runs; `Ready` and `Rejected` are final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Its file is not complete.
    Uploading,
    /// Its file is complete and being looked at.
    Validating,
    /// It runs.
    Ready,
    /// Its file is not accepted.
    Rejected,
}

impl Status {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Uploading => "uploading",
            Self::Validating => "validating",
            Self::Ready => "ready",
            Self::Rejected => "rejected",
        }
    }
}

/// The adapters before a model: from what people send to tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Preprocessing {
    /// Base64 images.
    ImageClassification,
    /// Objects by feature name, or rows.
    Tabular,
    /// Token ids, or text.
    TextTokens,
    /// Tensors as they are.
    Passthrough,
}

impl Preprocessing {
    /// All of them, as they are listed to people.
    pub const ALL: [Self; 4] =
        [Self::ImageClassification, Self::Tabular, Self::TextTokens, Self::Passthrough];

    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::ImageClassification => "image_classification",
            Self::Tabular => "tabular",
            Self::TextTokens => "text_tokens",
            Self::Passthrough => "passthrough",
        }
    }
}

/// The adapters behind a model: from tensors to what people read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Postprocessing {
    /// The likeliest classes by name.
    TopKLabels,
    /// Yes or no.
    BinaryClassification,
    /// Plain values.
    Regression,
    /// Tensors as they are.
    Passthrough,
}

impl Postprocessing {
    /// All of them, as they are listed to people.
    pub const ALL: [Self; 4] =
        [Self::TopKLabels, Self::BinaryClassification, Self::Regression, Self::Passthrough];

    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::TopKLabels => "top_k_labels",
            Self::BinaryClassification => "binary_classification",
            Self::Regression => "regression",
            Self::Passthrough => "passthrough",
        }
    }
}

/// Which model, version and revision a job runs.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Pin {
    /// `model_…`
    pub id: String,
    /// From 1.
    pub version: u32,
    /// Of schema, labels and adapters.
    pub revision: u32,
}

/// `model_…` or `model_…@3`, as requests name models.
pub fn parse_reference(text: &str) -> (&str, Option<u32>) {
    let Some((id, version)) = text.rsplit_once('@') else { return (text, None) };
    // `parse` alone would take a sign
    if !version.bytes().all(|byte| byte.is_ascii_digit()) {
        return (text, None);
    }
    version.parse().map_or((text, None), |version| (id, Some(version)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references() {
        assert_eq!(parse_reference("model_1"), ("model_1", None));
        assert_eq!(parse_reference("model_1@3"), ("model_1", Some(3)));
        for other in ["model_1@x", "model_1@", "model_1@+3", "model_1@99999999999"] {
            assert_eq!(parse_reference(other), (other, None));
        }
    }
}
