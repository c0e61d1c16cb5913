//! Lines that are not empty, none longer than a limit, with their places.

use std::io::{BufRead, BufReader, Read};

use crate::{BUFFER, MAX_LINE, Problem, Refused};

/// A line without its end.
pub(super) struct Line<'a> {
    /// From 1, with empty lines.
    pub(super) number: u64,
    /// Where it begins, in bytes.
    pub(super) offset: u64,
    pub(super) bytes: &'a [u8],
}

pub(super) struct Lines<R> {
    file: BufReader<R>,
    line: Vec<u8>,
    number: u64,
    offset: u64,
}

impl<R: Read> Lines<R> {
    pub(super) fn new(file: R) -> Self {
        Self {
            file: BufReader::with_capacity(BUFFER, file),
            line: Vec::new(),
            number: 0,
            offset: 0,
        }
    }

    /// Where the next line begins.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// The next line that is not empty.
    pub(super) fn next(&mut self) -> Result<Option<Line<'_>>, Problem> {
        loop {
            let start = self.offset;
            self.line.clear();
            let limit = MAX_LINE as u64 + 2;
            let read = (&mut self.file).take(limit).read_until(b'\n', &mut self.line)?;
            if read == 0 {
                return Ok(None);
            }
            self.number += 1;
            self.offset += read as u64;
            if read > MAX_LINE && self.line.last() != Some(&b'\n') {
                let number = self.number;
                return Err(Refused::new(format!(
                    "line {number} is longer than the {MAX_LINE} bytes that are accepted for one row"
                ))
                .into());
            }
            // what Windows puts before the first line
            let mark = if start == 0 && self.line.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
            if !self.line[mark..].trim_ascii().is_empty() {
                let (number, offset) = (self.number, start + mark as u64);
                return Ok(Some(Line { number, offset, bytes: &self.line[mark..] }));
            }
        }
    }
}
