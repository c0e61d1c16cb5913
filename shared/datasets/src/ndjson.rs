//! A JSON value on each line; nothing is copied, an index says where each line begins.

mod glance;
mod lines;

use std::io::{Read, Seek};

use protocol::dataset::{Content, Field, File, Layout, MAX_ROWS, Values};

use crate::{Output, Problem, Refused, column::Column};

use glance::Keys;
use lines::Lines;

pub(crate) fn read(
    file: &mut (impl Read + Seek),
    output: &mut Output<'_>,
) -> Result<Content, Problem> {
    let mut lines = Lines::new(file);
    let (mut keys, mut values, mut rows) = (Keys::default(), Column::default(), 0);
    while let Some(line) = lines.next()? {
        rows += 1;
        if rows > MAX_ROWS {
            return Err(too_many().into());
        }
        glance::row(line.bytes, &mut keys, &mut values).map_err(|error| {
            let what = error.to_string();
            let (what, _) = what.rsplit_once(" at line ").unwrap_or((&what, ""));
            Refused::new(format!("line {}, column {}: {what}", line.number, error.column()))
        })?;
        output.index.write_all(&line.offset.to_le_bytes())?;
    }
    if rows == 0 {
        return Err(Refused::new("the file has no rows: every line is empty").into());
    }
    output.index.write_all(&lines.offset().to_le_bytes())?;
    let layout = Layout { file: File::Uploaded, arrays: Vec::new(), values: Values::Lines };
    Ok(Content { rows, schema: schema(&keys, &values, rows), labels: None, layout })
}

/// The keys of objects as columns, if all rows are objects.
fn schema(keys: &Keys, values: &Column, rows: u64) -> Vec<Field> {
    if values.dtype() != "object" {
        return vec![values.field("value", values.dtype(), rows)];
    }
    keys.columns().map(|(name, column)| column.field(name, column.dtype(), rows)).collect()
}

pub(crate) fn too_many() -> Refused {
    Refused::new(format!("the file has more than {MAX_ROWS} rows; split it"))
}
