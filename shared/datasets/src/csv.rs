//! Tables: read once for what the columns are, and once more to write their rows as they are needed.
//! Numbers without gaps become the array `x`, anything else a JSON list on each line. What is in the
//! column `label` becomes the array `y`.

mod cell;
mod records;
mod write;

use std::io::{Read, Seek, SeekFrom};

use archive::quoted;
use protocol::dataset::{Content, LABEL, MAX_ROWS};

use crate::{Output, Problem, Refused, check_name, ndjson::too_many};

use cell::{Kind, Look};
use records::Records;

/// A column of the header, and what its cells are.
struct Column {
    name: String,
    look: Look,
}

/// The table as the first reading leaves it.
struct Table {
    columns: Vec<Column>,
    rows: u64,
}

pub(crate) fn read(
    file: &mut (impl Read + Seek),
    output: &mut Output<'_>,
) -> Result<Content, Problem> {
    let table = look(file)?;
    for Column { name, look } in &table.columns {
        look.check(name)?;
    }
    file.seek(SeekFrom::Start(0))?;
    let mut records = Records::new(file);
    records.next()?;
    write::write(&table, records, output)
}

/// Reads the table for what its columns are.
fn look(file: &mut impl Read) -> Result<Table, Problem> {
    let mut records = Records::new(file);
    let Some(header) = records.next()? else {
        return Err(Refused::new("the file has no header: its lines are empty").into());
    };
    let mut columns: Vec<Column> = Vec::new();
    for (at, name) in header.fields().enumerate() {
        let name = name.map_err(|why| Refused::new(format!("the header is {why}")))?.trim();
        check_name(name, &format!("column {} of the header", at + 1))?;
        if columns.iter().any(|column| column.name == name) {
            let message = format!("the header has two columns {}; name them apart", quoted(name));
            return Err(Refused::new(message).into());
        }
        let is_label = name == LABEL;
        columns.push(Column { name: name.to_owned(), look: Look::new(is_label) });
    }
    if let [only] = &columns[..]
        && only.name.contains([';', '\t'])
    {
        return Err(Refused::new("the columns are not separated by commas; write them so").into());
    }
    if columns.iter().all(|column| column.name == LABEL) {
        return Err(
            Refused::new("the only column is `label`; there is nothing to learn from").into()
        );
    }
    let mut rows = 0;
    while let Some(record) = records.next()? {
        rows += 1;
        if rows > MAX_ROWS {
            return Err(too_many().into());
        }
        let line = record.line();
        if record.len() != columns.len() {
            return Err(Refused::new(format!(
                "line {line} has {} fields, the header has {}",
                record.len(),
                columns.len()
            ))
            .into());
        }
        for (column, cell) in columns.iter_mut().zip(record.fields()) {
            let cell = cell.map_err(|why| {
                Refused::new(format!("line {line}, column {}: {why}", quoted(&column.name)))
            })?;
            column.look.add(cell, line);
        }
    }
    if rows == 0 {
        return Err(Refused::new("the file has a header and no rows").into());
    }
    Ok(Table { columns, rows })
}

impl Table {
    /// The columns that are what a model takes, with their places.
    fn inputs(&self) -> impl Iterator<Item = (usize, &Column)> {
        self.columns.iter().enumerate().filter(|(_, column)| column.name != LABEL)
    }

    /// The column of labels, with its place.
    fn label(&self) -> Option<(usize, &Column)> {
        self.columns.iter().enumerate().find(|(_, column)| column.name == LABEL)
    }

    /// Whether every input is a number that is there.
    fn is_numeric(&self) -> bool {
        self.inputs().all(|(_, column)| {
            matches!(column.look.kind(), Kind::Integer | Kind::Number)
                && column.look.present() == self.rows
        })
    }
}
