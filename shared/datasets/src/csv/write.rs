//! The second reading: rows in the form in which they are found again.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
};

use protocol::{
    dataset::{Array, Content, File, Layout, Values},
    tensor::Dtype,
};

use super::{Kind, Table, records::Records};
use crate::{Output, Problem, Refused};

pub(super) fn write(
    table: &Table,
    records: Records<impl Read>,
    output: &mut Output<'_>,
) -> Result<Content, Problem> {
    let names = table.inputs().map(|(_, column)| column.name.clone()).collect();
    let mut labels = Targets::new(table);
    let (mut arrays, values, end) = if table.is_numeric() {
        let wide = table.inputs().any(|(_, column)| column.look.is_wide());
        let dtype = if wide { Dtype::Float64 } else { Dtype::Float32 };
        let shape = vec![table.inputs().count()];
        let x = Array { name: "x".to_owned(), dtype, shape, offset: 0 };
        let end = numbers(table, records, wide, &mut labels, output.data)?;
        (vec![x], Values::Table(names), end)
    } else {
        let end = lists(table, records, &mut labels, output)?;
        (Vec::new(), Values::Rows(names), end)
    };
    if let Some(Targets { dtype, bytes, .. }) = labels {
        let y = Array { name: "y".to_owned(), dtype, shape: Vec::new(), offset: end };
        output.data.write_all(&bytes)?;
        arrays.push(y);
    }
    let fields = table.columns.iter().map(|column| column.look.field(&column.name, table.rows));
    Ok(Content {
        rows: table.rows,
        schema: fields.collect(),
        labels: table.label().and_then(|(_, column)| column.look.labels()),
        layout: Layout { file: File::Written, arrays, values },
    })
}

/// Rows of numbers, one after the other; how long they are together.
fn numbers(
    table: &Table,
    mut records: Records<impl Read>,
    wide: bool,
    labels: &mut Option<Targets<'_>>,
    data: &mut dyn Write,
) -> Result<u64, Problem> {
    let label = table.label().map(|(at, _)| at);
    let (mut row, mut end) = (Vec::new(), 0);
    while let Some(record) = records.next()? {
        row.clear();
        for (at, cell) in record.fields().enumerate() {
            let cell = cell.map_err(|_| changed())?.trim();
            if Some(at) == label {
                add(labels, cell)?;
                continue;
            }
            let number: f64 = cell.parse().map_err(|_| changed())?;
            match wide {
                true => row.extend(number.to_le_bytes()),
                false => row.extend((number as f32).to_le_bytes()),
            }
        }
        data.write_all(&row)?;
        end += row.len() as u64;
    }
    Ok(end)
}

/// A JSON list on each line; how long they are together.
fn lists(
    table: &Table,
    mut records: Records<impl Read>,
    labels: &mut Option<Targets<'_>>,
    output: &mut Output<'_>,
) -> Result<u64, Problem> {
    let label = table.label().map(|(at, _)| at);
    let kinds: Vec<_> = table.columns.iter().map(|column| column.look.kind()).collect();
    let (mut row, mut end) = (Vec::new(), 0_u64);
    while let Some(record) = records.next()? {
        row.clear();
        for (at, cell) in record.fields().enumerate() {
            let cell = cell.map_err(|_| changed())?;
            if Some(at) == label {
                add(labels, cell.trim())?;
                continue;
            }
            row.push(if row.is_empty() { b'[' } else { b',' });
            write_cell(kinds[at], cell, &mut row)?;
        }
        row.extend(b"]\n");
        output.index.write_all(&end.to_le_bytes())?;
        output.data.write_all(&row)?;
        end += row.len() as u64;
    }
    output.index.write_all(&end.to_le_bytes())?;
    Ok(end)
}

fn write_cell(kind: Kind, cell: &str, row: &mut Vec<u8>) -> Result<(), Problem> {
    let text = cell.trim();
    let written = match kind {
        _ if text.is_empty() => serde_json::to_writer(row, &()),
        Kind::Integer => serde_json::to_writer(row, &text.parse::<i64>().map_err(|_| changed())?),
        Kind::Number => serde_json::to_writer(row, &text.parse::<f64>().map_err(|_| changed())?),
        Kind::Bool => serde_json::to_writer(row, &text.eq_ignore_ascii_case("true")),
        Kind::Text | Kind::Null => serde_json::to_writer(row, cell),
    };
    Ok(written.map_err(std::io::Error::from)?)
}

/// The labels of all rows, as numbers: 8 bytes each, of a million rows at most.
struct Targets<'a> {
    dtype: Dtype,
    /// Of texts.
    classes: Option<BTreeMap<&'a str, i64>>,
    bytes: Vec<u8>,
}

impl<'a> Targets<'a> {
    /// `None` when there are no labels, too many different ones, or gaps.
    fn new(table: &'a Table) -> Option<Self> {
        let (_, column) = table.label()?;
        if column.look.present() != table.rows {
            return None;
        }
        let (dtype, classes) = match column.look.kind() {
            Kind::Integer => (Dtype::Int64, None),
            Kind::Number if column.look.is_wide() => (Dtype::Float64, None),
            Kind::Number => (Dtype::Float32, None),
            Kind::Bool | Kind::Text => (Dtype::Int64, Some(column.look.classes()?)),
            Kind::Null => return None,
        };
        Some(Self { dtype, classes, bytes: Vec::new() })
    }
}

fn add(labels: &mut Option<Targets<'_>>, cell: &str) -> Result<(), Refused> {
    let Some(Targets { dtype, classes, bytes }) = labels else { return Ok(()) };
    if let Some(classes) = classes {
        bytes.extend(classes.get(cell).ok_or_else(changed)?.to_le_bytes());
        return Ok(());
    }
    match dtype {
        Dtype::Int64 => bytes.extend(cell.parse::<i64>().map_err(|_| changed())?.to_le_bytes()),
        Dtype::Float32 => bytes.extend(cell.parse::<f32>().map_err(|_| changed())?.to_le_bytes()),
        _ => bytes.extend(cell.parse::<f64>().map_err(|_| changed())?.to_le_bytes()),
    }
    Ok(())
}

/// The second reading finds what the first did not.
fn changed() -> Refused {
    Refused::new("the file changed while it was read; upload it again")
}
