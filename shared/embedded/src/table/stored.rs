//! Stored items: their JSON, read only as deep as needed. An update copies the attributes that it
//! leaves alone as text, without taking them apart and putting them together again.

use std::{borrow::Cow, fmt, io::Write};

use bytes::Bytes;
use fjall::Slice;
use ports::{Error, Item, Result};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

/// The item as readers take it.
pub(super) fn item(json: &Slice) -> Item {
    Item::from_json(Bytes::copy_from_slice(json))
}

/// What an item becomes: for the engine, and for readers in this process.
#[derive(Clone)]
pub(crate) struct Image {
    pub(super) json: Slice,
    pub(super) item: Item,
}

impl Image {
    pub(super) fn of(item: Item) -> Self {
        Self { json: item.json().as_ref().into(), item }
    }
}

/// Reads JSON; that it is UTF-8 is checked as a whole, which is quicker than text by text.
pub(super) fn parse<'a, T: Deserialize<'a>>(json: &'a [u8]) -> serde_json::Result<T> {
    serde_json::from_str(str::from_utf8(json).map_err(serde::de::Error::custom)?)
}

pub(super) fn no_object(error: serde_json::Error) -> Error {
    Error::Invalid(format!("the item is no JSON object: {error}"))
}

pub(super) fn damaged() -> Error {
    Error::Unavailable("a record on disk is damaged".to_owned())
}

/// The attributes of an item, their values as text.
#[derive(Default)]
pub(crate) struct Attributes<'a>(Vec<(Name<'a>, &'a RawValue)>);

#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> Attributes<'a> {
    /// Those of an item on disk.
    pub(crate) fn of(json: &'a [u8]) -> Result<Self> {
        parse(json).map_err(|_| damaged())
    }

    /// Those of an item that is to be written.
    pub(super) fn of_new(item: &'a Item) -> Result<Self> {
        parse(item.json()).map_err(no_object)
    }

    /// Whether there is an attribute `name`.
    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The attribute `name`, if it is a whole number.
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        serde_json::from_str(self.get(name)?).ok()
    }

    /// Whether the attribute `name` is a map with the entry `entry`.
    pub(super) fn has_entry(&self, name: &str, entry: &str) -> bool {
        let Some(map) = self.get(name) else { return false };
        let Ok(Self(entries)) = serde_json::from_str(map) else { return false };
        entries.iter().any(|(name, _)| name.0 == entry)
    }

    /// The item's JSON with some attributes set, some removed, and a count.
    pub(super) fn updated(
        &self,
        set: &Self,
        remove: &[String],
        (count, value): (&str, u64),
    ) -> Result<Vec<u8>> {
        let size = |all: &Self| {
            all.0.iter().map(|(name, value)| 4 + name.0.len() + value.get().len()).sum::<usize>()
        };
        let mut json = Vec::with_capacity(size(self) + size(set) + 32);
        let left = self.0.iter().filter(|(name, _)| name.0 != count && !set.has(&name.0));
        for (Name(name), value) in left.chain(&set.0) {
            if remove.iter().any(|removed| removed == name) {
                continue;
            }
            json.push(b',');
            // Writing to memory cannot fail, and every attribute has a text for a name.
            serde_json::to_writer(&mut json, name)
                .map_err(|error| Error::Invalid(error.to_string()))?;
            json.push(b':');
            json.extend_from_slice(value.get().as_bytes());
        }
        write!(json, ",\"{count}\":{value}}}").map_err(Error::unavailable)?;
        json[0] = b'{';
        Ok(json)
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        let (_, value) = self.0.iter().find(|(found, _)| found.0 == name)?;
        Some(value.get())
    }
}

impl<'de> Deserialize<'de> for Attributes<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Map;

        impl<'de> Visitor<'de> for Map {
            type Value = Attributes<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut attributes = Vec::with_capacity(24);
                while let Some(entry) = map.next_entry()? {
                    attributes.push(entry);
                }
                Ok(Attributes(attributes))
            }
        }

        deserializer.deserialize_map(Map)
    }
}
