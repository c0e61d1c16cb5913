//! The records of a table, none longer than a limit: a quote that is never closed takes no memory.

use std::io::{BufRead, BufReader, Read};

use csv_core::{ReadRecordResult, ReaderBuilder, Terminator};

use crate::{BUFFER, MAX_LINE, Problem, Refused};

/// The most columns.
const MAX_COLUMNS: usize = 4_096;

pub(super) struct Records<R> {
    file: BufReader<R>,
    parser: csv_core::Reader,
    text: Vec<u8>,
    ends: Vec<usize>,
}

/// A record.
pub(super) struct Record<'a> {
    text: &'a [u8],
    ends: &'a [usize],
    line: u64,
}

impl<R: Read> Records<R> {
    pub(super) fn new(file: R) -> Self {
        // lines are counted by their ends, which a carriage return is not
        let parser = ReaderBuilder::new().terminator(Terminator::Any(b'\n')).build();
        let (text, ends) = (vec![0; 4096], vec![0; 64]);
        Self { file: BufReader::with_capacity(BUFFER, file), parser, text, ends }
    }

    /// The next record that is not an empty line.
    pub(super) fn next(&mut self) -> Result<Option<Record<'_>>, Problem> {
        let (mut length, mut count, mut ended) = (0, 0, false);
        loop {
            let input = self.file.fill_buf()?;
            let (result, read, text, ends) =
                self.parser.read_record(input, &mut self.text[length..], &mut self.ends[count..]);
            if read > 0 {
                ended = input[read - 1] == b'\n';
            }
            self.file.consume(read);
            length += text;
            count += ends;
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::End => return Ok(None),
                ReadRecordResult::OutputFull if self.text.len() < MAX_LINE => {
                    self.text.resize(2 * self.text.len(), 0);
                }
                ReadRecordResult::OutputEndsFull if self.ends.len() < MAX_COLUMNS => {
                    self.ends.resize(2 * self.ends.len(), 0);
                }
                ReadRecordResult::OutputFull => {
                    let line = self.parser.line();
                    return Err(Refused::new(format!(
                        "the row that ends in line {line} or behind it is longer than {MAX_LINE} \
                         bytes; is a quote not closed?"
                    ))
                    .into());
                }
                ReadRecordResult::OutputEndsFull => {
                    let line = self.parser.line();
                    let message = format!("line {line} has more than {MAX_COLUMNS} fields");
                    return Err(Refused::new(message).into());
                }
                ReadRecordResult::Record => {
                    if length > 0 && self.text[length - 1] == b'\r' {
                        length -= 1;
                        self.ends[count - 1] = length;
                    }
                    if length == 0 && count == 1 {
                        count = 0;
                        continue;
                    }
                    let text = &self.text[..length];
                    let within = text.iter().filter(|byte| **byte == b'\n').count() as u64;
                    let line = self.parser.line() - u64::from(ended) - within;
                    return Ok(Some(Record { text, ends: &self.ends[..count], line }));
                }
            }
        }
    }
}

impl<'a> Record<'a> {
    /// Where it begins, from 1.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// How many fields it has.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The fields; the error says what one is instead of text.
    pub(super) fn fields(&self) -> impl Iterator<Item = Result<&'a str, &'static str>> + use<'a> {
        let (text, ends) = (self.text, self.ends);
        let starts = std::iter::once(0).chain(ends.iter().copied());
        starts.zip(ends).map(|(start, end)| {
            std::str::from_utf8(&text[start..*end]).map_err(|_| "not text in UTF-8")
        })
    }
}
