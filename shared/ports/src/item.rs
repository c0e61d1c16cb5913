//! What is stored under a key.

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

use crate::{Error, Result};

/// An item: its attributes, as the text of a JSON object. Writers serialise their own types into it
/// and readers read it into theirs; whoever is between passes the text on.
///
/// Two names are the store's: `version` (see [`Write::Update`](crate::Write::Update)) and `expires_at`, the epoch second
/// after which the item may be removed (time to live).
#[derive(Clone)]
pub struct Item(Bytes);

impl Item {
    /// The item that a value becomes: a struct or a map.
    ///
    /// # Errors
    /// [`Invalid`](Error::Invalid) for a value that is no object in JSON.
    pub fn encode(value: &impl Serialize) -> Result<Self> {
        let json = serde_json::to_vec(value).map_err(|error| Error::Invalid(error.to_string()))?;
        if json.first() == Some(&b'{') {
            return Ok(Self(json.into()));
        }
        Err(Error::Invalid("an item is an object, with attributes by name".to_owned()))
    }

    /// The item of which this is the JSON text.
    pub fn from_json(json: Bytes) -> Self {
        Self(json)
    }

    /// The JSON text.
    pub fn json(&self) -> &Bytes {
        &self.0
    }

    /// The item as a value of any type.
    ///
    /// # Errors
    /// When it is not of that type.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.0).map_err(|error| {
            Error::Unavailable(format!("an item is not what its reader takes it for: {error}"))
        })
    }
}

/// An item without attributes.
impl Default for Item {
    fn default() -> Self {
        Self(Bytes::from_static(b"{}"))
    }
}

/// By attributes, whatever their order in the text.
impl PartialEq for Item {
    fn eq(&self, other: &Self) -> bool {
        let attributes = |item: &Self| item.decode::<serde_json::Value>().ok();
        self.0 == other.0 || attributes(self).is_some_and(|all| Some(all) == attributes(other))
    }
}

impl std::fmt::Debug for Item {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}
