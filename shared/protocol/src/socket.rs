//! The messages of the device socket: text frames, one JSON object each, `type` says which.
//!
//! Unknown fields are ignored in both directions; ids and fences are echoed as they came.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::tensor::Named;

mod device;
mod logs;
mod platform;

pub use device::*;
pub use logs::*;
pub use platform::*;

/// The `type` of a frame, or `None` when it is not a JSON object with one. A frame that begins with
/// its type, as all of ours do, is not looked at any further: whoever reads it does that.
pub fn kind(frame: &str) -> Option<Cow<'_, str>> {
    let first = frame.strip_prefix(r#"{"type":""#).and_then(|rest| rest.split_once('"'));
    if let Some((kind, _)) = first.filter(|(kind, _)| !kind.contains('\\')) {
        return Some(kind.into());
    }
    #[derive(Deserialize)]
    struct Typed<'a> {
        #[serde(rename = "type", borrow)]
        kind: Cow<'a, str>,
    }
    serde_json::from_str::<Typed>(frame).ok().map(|typed| typed.kind)
}

/// Writes a message as a frame.
pub fn encode(message: &impl Serialize) -> String {
    serde_json::to_string(message).expect("messages have text keys and no failing fields")
}

/// Tensors in a message, or where they are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Payload {
    /// In the message itself.
    Inline(Vec<Named>),
    /// In a safetensors file elsewhere.
    Blob(Blob),
}

/// A file that is fetched or was stored by URL.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Blob {
    /// Where it is fetched; absent where the platform chose the place itself (`outputs_url`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// `sha256:` and 64 hex digits.
    pub checksum: String,
    /// Its length.
    pub bytes: u64,
}
