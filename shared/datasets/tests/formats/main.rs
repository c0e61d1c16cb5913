//! Every format: what is found in good files, and why bad ones are refused.

#![allow(clippy::unwrap_used, reason = "tests")]

mod arrays;
mod images;
mod lines;
mod tables;

use std::io::Cursor;

use dcmp_datasets::{Output, read};
use protocol::dataset::{Content, Format};

/// What a file holds, and what was written of it: rows, index.
fn accepted(format: Format, file: impl AsRef<[u8]>) -> (Content, Vec<u8>, Vec<u8>) {
    let (read, data, index) = look(format, file.as_ref());
    (read.unwrap_or_else(|why| panic!("refused: {why}")), data, index)
}

/// Why a file is refused.
#[track_caller]
fn refused(format: Format, file: impl AsRef<[u8]>) -> String {
    look(format, file.as_ref()).0.expect_err("it was accepted")
}

fn look(format: Format, file: &[u8]) -> (Result<Content, String>, Vec<u8>, Vec<u8>) {
    let (mut data, mut index) = (Vec::new(), Vec::new());
    let mut output = Output { data: &mut data, index: &mut index };
    let read = read(&mut Cursor::new(file), file.len() as u64, format, &mut output).unwrap();
    (read.map_err(|why| why.to_string()), data, index)
}

/// The offsets of an index.
fn offsets(index: &[u8]) -> Vec<u64> {
    index.chunks_exact(8).map(|bytes| u64::from_le_bytes(*bytes.first_chunk().unwrap())).collect()
}

/// The names and types of columns or arrays.
fn types(content: &Content) -> Vec<(&str, &str)> {
    content.schema.iter().map(|field| (&*field.name, &*field.dtype)).collect()
}

/// The labels and how often they occur.
fn labels(content: &Content) -> Vec<(&str, u64)> {
    content.labels.iter().flatten().map(|label| (&*label.label, label.count)).collect()
}
