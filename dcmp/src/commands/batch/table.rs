//! Tables (RFC 4180): a row is an input, for an adapter by the names of its columns, else its numbers.

use std::{fs::File, path::Path};

use anyhow::Result;
use csv::{ReaderBuilder, StringRecord, Trim};
use protocol::dataset::LABEL;

use super::{gather::Gather, read::Takes};
use crate::{
    commands::infer::{input::List, words},
    exit::usage,
    parts::unreadable,
};

/// Reads a table, as far as it has room in a request.
pub(super) fn read(path: &Path, takes: &Takes<'_>, gather: &mut Gather) -> Result<()> {
    let file = File::open(path).map_err(|cause| unreadable(path, &cause))?;
    let broken = |cause: csv::Error| usage(format!("{} is no CSV: {cause}", path.display()));
    let mut reader = ReaderBuilder::new().trim(Trim::All).from_reader(file);
    let names: Vec<String> = reader
        .headers()
        .map_err(broken)?
        .iter()
        .map(|name| name.trim_start_matches('\u{feff}').trim().to_owned())
        .collect();
    let columns = words::Columns::new(&names, takes.model.input_schema.as_ref());
    let mut record = StringRecord::new();
    while reader.read_record(&mut record).map_err(broken)? {
        let line = record.position().map_or(0, csv::Position::line);
        let place = || format!("{}, line {line}:", path.display());
        let cells =
            names.iter().map(String::as_str).zip(&record).filter(|(name, _)| *name != LABEL);
        if takes.adapter.is_some() {
            let row = columns.row(record.iter(), LABEL);
            gather.add(&serde_json::Value::Object(row).to_string())?;
            continue;
        }
        let numbers: Result<Vec<String>> = cells
            .map(|(name, cell)| {
                number(cell).ok_or_else(|| {
                    usage(format!("{} `{cell}` in column `{name}` is no number", place()))
                })
            })
            .collect();
        let list = List::flat(&numbers?);
        let input = list.tensor(&takes.model.summary.inputs);
        gather.add(input.map_err(|fault| usage(format!("{} the row {fault}", place())))?.get())?;
    }
    Ok(())
}

/// A number as JSON has it.
fn number(cell: &str) -> Option<String> {
    if serde_json::from_str::<serde_json::Number>(cell).is_ok() {
        return Some(cell.to_owned());
    }
    // as 1. and .5, which JSON does not have
    let number: f64 = cell.parse().ok()?;
    number.is_finite().then(|| number.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::commands::batch::{
        gather::Gathered,
        read::{files, tests::model},
    };

    fn rows(text: &str, adapter: &str) -> Result<String> {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("rows.csv");
        std::fs::write(&path, text).unwrap();
        Ok(match files(&[path], &model(adapter), false)? {
            Gathered::Body(list) => list.get().to_owned(),
            other => format!("{other:?}"),
        })
    }

    #[test]
    fn rows_are_inputs() {
        let text = "\u{feff}a,label, size\n1.50,x,.5\n-3,y,1e3\n";
        let tensors = r#"[{"data":[1.50,0.5],"shape":[1, 2]},{"data":[-3,1e3],"shape":[1, 2]}]"#;
        assert_eq!(rows(text, "passthrough").unwrap(), tensors);
        let named = r#"[{"a":1.50,"size":".5"},{"a":-3,"size":"1e3"}]"#;
        assert_eq!(rows(text, "tabular").unwrap(), named.replace("1.50", "1.5"));
    }

    #[test]
    fn a_large_table_stays_a_file() {
        let text = format!("a,size\n{}", "1,2\n".repeat(10_001));
        assert!(rows(&text, "passthrough").unwrap().starts_with("Alone("));
    }

    #[test]
    fn faults_say_where_they_are() {
        for (text, words) in [
            ("a,size\n1,2\n3,red\n", &["line 3: `red` in column `size` is no number"][..]),
            ("a,size\n1,2\n3\n", &["is no CSV", "line: 3"]),
            ("a,size\n", &["there are no inputs"]),
        ] {
            let fault = rows(text, "passthrough").unwrap_err().to_string();
            assert!(words.iter().all(|word| fault.contains(word)), "{fault}");
        }
    }
}
