//! One row of JSON, checked and counted without being built: what is nested in it costs time and no
//! memory.

use std::{borrow::Cow, collections::HashMap, fmt};

use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::{
    MAX_NAME,
    column::{Column, Value},
};

/// The most keys that become columns; others are only checked.
const MAX_KEYS: usize = 1_000;

/// The keys of objects as columns, in the order of their appearance.
#[derive(Default)]
pub(super) struct Keys {
    places: HashMap<String, usize>,
    columns: Vec<(String, Column)>,
}

impl Keys {
    pub(super) fn columns(&self) -> impl Iterator<Item = (&str, &Column)> {
        self.columns.iter().map(|(name, column)| (name.as_str(), column))
    }

    fn of(&mut self, key: &str) -> Option<&mut Column> {
        let at = match self.places.get(key) {
            Some(at) => *at,
            None if self.columns.len() == MAX_KEYS || key.len() > MAX_NAME => return None,
            None => {
                self.columns.push((key.to_owned(), Column::default()));
                self.places.insert(key.to_owned(), self.columns.len() - 1);
                self.columns.len() - 1
            }
        };
        Some(&mut self.columns[at].1)
    }
}

/// Checks a row; its keys are counted in `keys`, the row itself in `values`.
pub(super) fn row(line: &[u8], keys: &mut Keys, values: &mut Column) -> serde_json::Result<()> {
    let mut deserializer = serde_json::Deserializer::from_slice(line);
    Glance { column: Some(values), keys: Some(keys) }.deserialize(&mut deserializer)?;
    deserializer.end()
}

/// Looks at any value.
struct Glance<'a> {
    /// What counts it.
    column: Option<&'a mut Column>,
    /// What counts its keys, if it is an object.
    keys: Option<&'a mut Keys>,
}

impl Glance<'_> {
    fn count<E>(self, value: Value<'_>) -> Result<(), E> {
        if let Some(column) = self.column {
            column.add(value);
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Glance<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Glance<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.count(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.count(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.count(Value::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        match i64::try_from(value) {
            Ok(value) => self.count(Value::Integer(value)),
            Err(_) => self.count(Value::Number(value as f64)),
        }
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.count(Value::Number(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.count(Value::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Glance { column: None, keys: None })?.is_some() {}
        self.count(Value::List)
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut object: A) -> Result<(), A::Error> {
        while let Some(Key(key)) = object.next_key()? {
            let column = self.keys.as_mut().and_then(|keys| keys.of(&key));
            object.next_value_seed(Glance { column, keys: None })?;
        }
        self.count(Value::Object)
    }
}

/// A key, borrowed where it has no escapes.
struct Key<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Borrow;
        impl<'de> Visitor<'de> for Borrow {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(key)))
            }

            fn visit_str<E>(self, key: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(key.to_owned())))
            }
        }
        deserializer.deserialize_str(Borrow)
    }
}
