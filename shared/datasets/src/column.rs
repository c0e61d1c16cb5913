//! What the values of a column are, one after the other, in constant memory.

use std::{
    collections::{HashSet, hash_map::RandomState},
    hash::BuildHasher,
};

use protocol::dataset::{Field, Statistics};

use crate::statistics::Numbers;

/// The most different texts that are counted.
const MOST: usize = 256;

/// A value, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value<'a> {
    Null,
    Bool(bool),
    Integer(i64),
    /// Finite.
    Number(f64),
    Text(&'a str),
    List,
    Object,
}

/// A column of values.
#[derive(Default)]
pub(crate) struct Column {
    pub(crate) bools: u64,
    pub(crate) integers: u64,
    /// With a fraction, or beyond 64 bits.
    pub(crate) fractions: u64,
    pub(crate) texts: u64,
    lists: u64,
    objects: u64,
    /// Numbers that are not finite.
    others: u64,
    /// Numbers of both kinds.
    numbers: Numbers,
    /// The greatest distance of an integer from 0.
    pub(crate) largest_integer: u64,
    /// Likewise of any number.
    pub(crate) largest: f64,
    distinct: Distinct,
}

impl Column {
    pub(crate) fn add(&mut self, value: Value<'_>) {
        match value {
            Value::Null => {}
            Value::Bool(_) => self.bools += 1,
            Value::Integer(value) => {
                self.integers += 1;
                self.largest_integer = self.largest_integer.max(value.unsigned_abs());
                self.number(value as f64);
            }
            Value::Number(value) => {
                self.fractions += 1;
                self.number(value);
            }
            Value::Text(text) => {
                self.texts += 1;
                self.distinct.add(text);
            }
            Value::List => self.lists += 1,
            Value::Object => self.objects += 1,
        }
    }

    /// A text that may stand for something else too.
    pub(crate) fn note_text(&mut self, text: &str) {
        self.distinct.add(text);
    }

    /// A number that is not finite.
    pub(crate) fn add_other(&mut self, text: &str) {
        self.others += 1;
        self.distinct.add(text);
    }

    fn number(&mut self, value: f64) {
        self.numbers.add(value);
        self.largest = self.largest.max(value.abs());
    }

    /// How many values there are.
    pub(crate) fn present(&self) -> u64 {
        self.bools + self.numbers.count() + self.texts + self.lists + self.objects + self.others
    }

    /// The one type of all values.
    pub(crate) fn dtype(&self) -> &'static str {
        let kinds = [
            (self.bools, "bool"),
            (self.numbers.count(), if self.fractions > 0 { "float64" } else { "int64" }),
            (self.texts, "text"),
            (self.lists, "list"),
            (self.objects, "object"),
        ];
        let mut there = kinds.iter().filter(|(count, _)| *count > 0);
        match (there.next(), there.next()) {
            (None, _) => "null",
            (Some((_, dtype)), None) => dtype,
            _ => "mixed",
        }
    }

    /// What is shown of it, as a column of this type.
    pub(crate) fn field(&self, name: &str, dtype: &str, rows: u64) -> Field {
        let statistics = match dtype {
            "int64" | "float64" => self.numbers.shown(),
            "text" => Statistics { distinct: self.distinct.count(), ..Statistics::default() },
            _ => Statistics::default(),
        };
        // an object may have a key twice
        let missing = rows.saturating_sub(self.present());
        Field {
            name: name.to_owned(),
            dtype: dtype.to_owned(),
            shape: Vec::new(),
            statistics: Statistics { missing, ..statistics },
        }
    }
}

/// Different texts by their hashes; `None` once there are too many.
struct Distinct(Option<HashSet<u64>>, RandomState);

impl Default for Distinct {
    fn default() -> Self {
        Self(Some(HashSet::new()), RandomState::new())
    }
}

impl Distinct {
    fn add(&mut self, text: &str) {
        let Some(hashes) = &mut self.0 else { return };
        hashes.insert(self.1.hash_one(text));
        if hashes.len() > MOST {
            self.0 = None;
        }
    }

    fn count(&self) -> Option<u64> {
        self.0.as_ref().map(|hashes| hashes.len() as u64)
    }
}
