//! What is stored under a key.

use std::{
    any::Any,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

use crate::{Error, MAX_ITEM, Result};

/// How deep maps and lists may lie in each other, the item itself included (DynamoDB's limit).
/// Without it an item could be written that no parser reads again.
const MAX_DEPTH: usize = 32;

/// An item: its attributes, as the text of a JSON object. Writers serialise their own types into it
/// and readers read it into theirs; whoever is between passes the text on.
///
/// Two names are the store's: `version` (see [`Write::Update`](crate::Write::Update)) and `expires_at`, the epoch second
/// after which the item may be removed (time to live).
#[derive(Clone)]
pub struct Item {
    json: Bytes,
    /// The text as a value, once somebody has it: copies share it, so that it is read once.
    value: Arc<OnceLock<Arc<dyn Any + Send + Sync>>>,
}

impl Item {
    /// The item that a value becomes: a struct or a map.
    ///
    /// # Errors
    /// [`Invalid`](Error::Invalid) for a value that is no object in JSON.
    pub fn encode(value: &impl Serialize) -> Result<Self> {
        let json = serde_json::to_vec(value).map_err(|error| Error::Invalid(error.to_string()))?;
        if json.first() == Some(&b'{') {
            return Ok(Self::from_json(json.into()));
        }
        Err(Error::Invalid("an item is an object, with attributes by name".to_owned()))
    }

    /// As [`encode`](Self::encode), with the value kept for whoever reads a copy of the item in this
    /// process. Its text must read back as an equal one.
    ///
    /// # Errors
    /// [`Invalid`](Error::Invalid) for a value that is no object in JSON.
    pub fn keeping<T: Serialize + Send + Sync + 'static>(value: T) -> Result<Self> {
        let item = Self::encode(&value)?;
        let kept: Arc<dyn Any + Send + Sync> = Arc::new(value);
        Ok(Self { value: Arc::new(kept.into()), ..item })
    }

    /// The item of which this is the JSON text.
    pub fn from_json(json: Bytes) -> Self {
        Self { json, value: Arc::default() }
    }

    /// The JSON text.
    pub fn json(&self) -> &Bytes {
        &self.json
    }

    /// Whether the item may be stored: its size and its depth.
    ///
    /// # Errors
    /// [`Invalid`](Error::Invalid) with the limit.
    pub fn check(&self) -> Result<()> {
        self.check_size()?;
        self.check_depth()
    }

    /// Whether it is small enough.
    ///
    /// # Errors
    /// [`Invalid`](Error::Invalid) with the limit.
    pub fn check_size(&self) -> Result<()> {
        let bytes = self.json.len();
        if bytes <= MAX_ITEM {
            return Ok(());
        }
        Err(Error::Invalid(format!(
            "the item has {bytes} bytes of JSON, {MAX_ITEM} are allowed: store large parts as blobs"
        )))
    }

    /// Whether its parts are nested little enough. Brackets outside of texts are counted; whether
    /// they match is the parser's business.
    ///
    /// # Errors
    /// [`Invalid`](Error::Invalid) with the limit.
    pub fn check_depth(&self) -> Result<()> {
        if depth(&self.json) <= MAX_DEPTH {
            return Ok(());
        }
        Err(Error::Invalid(format!(
            "the item is nested more than {MAX_DEPTH} levels deep: store such parts as text or blobs"
        )))
    }

    /// The item as a value of any type.
    ///
    /// # Errors
    /// When it is not of that type.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T> {
        let misread = |cause: &dyn std::fmt::Display| {
            Error::Unavailable(format!("an item is not what its reader takes it for: {cause}"))
        };
        // checked as a whole, which is quicker than every text in it by itself
        let json = str::from_utf8(&self.json).map_err(|cause| misread(&cause))?;
        serde_json::from_str(json).map_err(|cause| misread(&cause))
    }

    /// As [`decode`](Self::decode), for what several read: only the first of them reads the text.
    ///
    /// # Errors
    /// When it is not of that type.
    pub fn shared<T: DeserializeOwned + Send + Sync + 'static>(&self) -> Result<Arc<T>> {
        if let Some(value) = self.value.get()
            && let Ok(value) = value.clone().downcast()
        {
            return Ok(value);
        }
        let value = Arc::new(self.decode::<T>()?);
        // where it was read as another type before, that one stays
        let _ = self.value.set(value.clone());
        Ok(value)
    }
}

/// How deep brackets outside of texts lie in each other, or any number up to [`MAX_DEPTH`] where that
/// is certain without a close look.
fn depth(json: &[u8]) -> usize {
    // nothing is deeper than it has brackets, which is quickly seen of nearly every item: the two
    // differ in one bit, and so few bytes at a time are counted in one
    let opens = |bytes: &[u8]| bytes.iter().map(|byte| u8::from(byte | 0x20 == b'{')).sum::<u8>();
    let brackets = json.chunks(128).map(|bytes| usize::from(opens(bytes))).sum::<usize>();
    if brackets <= MAX_DEPTH {
        return brackets;
    }
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut bytes = json.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => {
                while let Some(byte) = bytes.next() {
                    match byte {
                        b'"' => break,
                        b'\\' => drop(bytes.next()),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// An item without attributes.
impl Default for Item {
    fn default() -> Self {
        Self::from_json(Bytes::from_static(b"{}"))
    }
}

/// By attributes, whatever their order in the text.
impl PartialEq for Item {
    fn eq(&self, other: &Self) -> bool {
        let attributes = |item: &Self| item.decode::<serde_json::Value>().ok();
        self.json == other.json
            || attributes(self).is_some_and(|all| Some(all) == attributes(other))
    }
}

impl std::fmt::Debug for Item {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.json))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Point {
        x: u32,
    }

    #[test]
    fn what_is_kept_or_read_once_is_shared_by_all_copies() {
        let kept = Item::keeping(Point { x: 1 }).unwrap();
        assert_eq!(&kept.json()[..], br#"{"x":1}"#);
        let read = Item::from_json(kept.json().clone());
        for item in [kept, read] {
            let copy = item.clone();
            let first: Arc<Point> = item.shared().unwrap();
            assert_eq!(*first, Point { x: 1 });
            assert!(Arc::ptr_eq(&first, &copy.shared().unwrap()));
        }
    }

    #[test]
    fn readers_of_another_type_read_the_text() {
        let item = Item::keeping(Point { x: 1 }).unwrap();
        let map = item.shared::<serde_json::Value>().unwrap();
        assert_eq!(*map, serde_json::json!({ "x": 1 }));
        assert!(item.shared::<Vec<u32>>().is_err());
        assert!(Item::keeping(5_u32).is_err(), "no object");
    }

    #[test]
    fn brackets_are_counted_by_depth_where_there_are_many() {
        let check = |json: String| Item::from_json(json.into()).check_depth();
        let flat = format!(r#"{{"a":[{}[]]}}"#, "[],".repeat(1000));
        assert!(check(flat).is_ok());
        let nested = |depth| "[".repeat(depth) + &"]".repeat(depth);
        assert!(check(nested(MAX_DEPTH)).is_ok());
        assert!(check(nested(MAX_DEPTH + 1)).is_err());
        let text = format!(r#"{{"a":"{}"}}"#, nested(1000));
        assert!(check(text).is_ok());
    }
}
