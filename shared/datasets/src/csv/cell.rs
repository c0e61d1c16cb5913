//! Cells of a table: what a column is, judged by all of them.

use std::collections::BTreeMap;

use archive::quoted;
use protocol::dataset::{Field, Label};

use crate::{
    Refused,
    column::{Column, Value},
    labels::Labels,
};

/// What all cells of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Integer,
    Number,
    Bool,
    Text,
    /// Every cell is empty.
    Null,
}

/// The greatest integer up to which float32 holds every one.
const EXACT: u64 = 1 << 24;

/// What is known of a column so far.
pub(super) struct Look {
    column: Column,
    /// The first cell that is a number and not finite, with its line.
    not_finite: Option<(String, u64)>,
    labels: Option<Labels<String>>,
}

/// A cell for what it can be; empty ones are missing.
fn value(cell: &str) -> Value<'_> {
    let text = cell.trim();
    if text.is_empty() {
        return Value::Null;
    }
    if let Ok(integer) = text.parse() {
        return Value::Integer(integer);
    }
    match text.parse::<f64>() {
        Ok(number) => Value::Number(number),
        Err(_) if text.eq_ignore_ascii_case("true") => Value::Bool(true),
        Err(_) if text.eq_ignore_ascii_case("false") => Value::Bool(false),
        Err(_) => Value::Text(cell),
    }
}

impl Look {
    pub(super) fn new(is_label: bool) -> Self {
        let labels = is_label.then(Labels::default);
        Self { column: Column::default(), not_finite: None, labels }
    }

    pub(super) fn add(&mut self, cell: &str, line: u64) {
        let value = value(cell);
        match value {
            Value::Number(number) if !number.is_finite() => {
                self.not_finite.get_or_insert_with(|| (cell.trim().to_owned(), line));
                self.column.add_other(cell);
            }
            Value::Null | Value::Text(_) => self.column.add(value),
            value => {
                self.column.add(value);
                self.column.note_text(cell);
            }
        }
        if value != Value::Null
            && let Some(labels) = &mut self.labels
        {
            labels.add_text(cell.trim());
        }
    }

    /// Numbers are finite; among texts, anything is one.
    pub(super) fn check(&self, name: &str) -> Result<(), Refused> {
        match &self.not_finite {
            Some((cell, line)) if self.column.texts + self.column.bools == 0 => {
                Err(Refused::new(format!(
                    "line {line}, column {}: {} is no finite number; leave the cell empty where \
                     there is none",
                    quoted(name),
                    quoted(cell)
                )))
            }
            _ => Ok(()),
        }
    }

    /// What all cells are.
    pub(super) fn kind(&self) -> Kind {
        let Column { bools, integers, fractions, texts, .. } = self.column;
        match (integers, fractions, bools, texts) {
            (0, 0, 0, 0) => Kind::Null,
            _ if self.not_finite.is_some() => Kind::Text,
            (_, 0, 0, 0) => Kind::Integer,
            (_, _, 0, 0) => Kind::Number,
            (0, 0, _, 0) => Kind::Bool,
            _ => Kind::Text,
        }
    }

    /// How many cells are not empty.
    pub(super) fn present(&self) -> u64 {
        self.column.present()
    }

    /// Whether float32 would change its integers, or not reach its numbers.
    pub(super) fn is_wide(&self) -> bool {
        self.column.largest_integer > EXACT || self.column.largest > f64::from(f32::MAX)
    }

    pub(super) fn field(&self, name: &str, rows: u64) -> Field {
        let dtype = match self.kind() {
            Kind::Integer => "int64",
            Kind::Number => "float64",
            Kind::Bool => "bool",
            Kind::Text => "text",
            Kind::Null => "null",
        };
        self.column.field(name, dtype, rows)
    }

    /// How often each label occurs.
    pub(super) fn labels(&self) -> Option<Vec<Label>> {
        self.labels.as_ref()?.shown()
    }

    /// The class of each label.
    pub(super) fn classes(&self) -> Option<BTreeMap<&str, i64>> {
        self.labels.as_ref()?.positions()
    }
}
