//! Where words go: results to standard output, everything else to standard error. Tables for
//! people, plain columns when nobody looks at them on a terminal.

use std::{
    fmt::Display,
    io::{ErrorKind, IsTerminal, Write, stdout},
};

use anyhow::Result;
use comfy_table::{Cell, CellAlignment, Table, presets};

use crate::exit::Closed;

/// Writes a result and a newline to standard output.
///
/// # Errors
/// [`Closed`] when nobody reads it any more.
pub(crate) fn print(text: &str) -> Result<()> {
    bytes(text.as_bytes())?;
    bytes(b"\n")?;
    flush()
}

/// Brings what was written on its way.
///
/// # Errors
/// As [`print`].
pub(crate) fn flush() -> Result<()> {
    checked(stdout().flush())
}

/// Writes a part of a result to standard output as it is.
///
/// # Errors
/// As [`print`].
pub(crate) fn bytes(bytes: &[u8]) -> Result<()> {
    checked(stdout().write_all(bytes))
}

fn checked(written: std::io::Result<()>) -> Result<()> {
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(Closed.into()),
        other => Ok(other?),
    }
}

/// Tells people something on standard error.
pub(crate) fn say(text: impl Display) {
    // if nobody reads it, the work still goes on
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// How a column is aligned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// A table, framed on a terminal.
pub(crate) fn table(header: &[(&str, Align)], rows: &[Vec<String>]) -> String {
    render(header, rows, stdout().is_terminal())
}

fn render(header: &[(&str, Align)], rows: &[Vec<String>], framed: bool) -> String {
    let mut table = Table::new();
    table.load_style(if framed { presets::UTF8_FULL_CONDENSED } else { presets::NOTHING });
    table.set_header(header.iter().map(|(title, _)| *title));
    for row in rows {
        table.add_row(row.iter().map(|text| Cell::new(clean(text))));
    }
    for (column, (_, align)) in table.column_iter_mut().zip(header) {
        if *align == Align::Right {
            column.set_cell_alignment(CellAlignment::Right);
        }
        if !framed {
            column.set_padding(APART);
        }
    }
    // lines are never wrapped: identifiers are there to be copied
    table.trim_fmt()
}

/// One thing, a field per line.
pub(crate) fn fields(rows: &[(&str, String)]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    for (name, value) in rows {
        table.add_row([Cell::new(name), Cell::new(clean(value))]);
    }
    table.column_iter_mut().for_each(|column| {
        column.set_padding(APART);
    });
    table.trim_fmt()
}

/// Left and right of plain columns.
const APART: (u16, u16) = (0, 2);

/// Names come from other people; none of them gives orders to this terminal.
pub(crate) fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// A size as people read it.
pub(crate) fn size(bytes: u64) -> String {
    indicatif::DecimalBytes(bytes).to_string()
}

/// Milliseconds as people read them.
pub(crate) fn ms(ms: f64) -> String {
    format!("{ms:.2}")
}

/// What is not there, in a table.
pub(crate) fn or_dash(text: Option<&str>) -> String {
    text.filter(|text| !text.is_empty()).unwrap_or("-").to_owned()
}

/// A noun in its number: `1 image`, `2 images`.
pub(crate) fn count(n: u64, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: [(&str, Align); 2] = [("name", Align::Left), ("size", Align::Right)];

    fn rows() -> Vec<Vec<String>> {
        vec![vec!["digits".into(), "15 kB".into()], vec!["é\u{1b}[31m".into(), "1 B".into()]]
    }

    #[test]
    fn a_table_is_framed_on_a_terminal() {
        let expected = "\
┌────────┬───────┐
│ name   ┆  size │
╞════════╪═══════╡
│ digits ┆ 15 kB │
│ é\u{fffd}[31m ┆   1 B │
└────────┴───────┘";
        assert_eq!(render(&HEADER, &rows(), true), expected);
    }

    #[test]
    fn a_table_is_plain_elsewhere() {
        let expected = "name     size\ndigits  15 kB\né\u{fffd}[31m    1 B";
        assert_eq!(render(&HEADER, &rows(), false), expected);
        assert_eq!(
            fields(&[("id", "x".into()), ("placement", "own".into())]),
            "id         x\nplacement  own"
        );
    }

    #[test]
    fn words_have_a_number() {
        assert_eq!(count(1, "model"), "1 model");
        assert_eq!(count(0, "model"), "0 models");
        assert_eq!(or_dash(Some("")), "-");
        assert_eq!(size(14_707), "14.71 kB");
    }
}
