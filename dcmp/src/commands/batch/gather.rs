//! Inputs one after the other: in memory as long as they fit into a request, then in a file that is
//! uploaded as a dataset.

use std::{
    io::{BufWriter, Write},
    path::PathBuf,
};

use anyhow::{Context, Result};
use serde_json::value::RawValue;
use tempfile::NamedTempFile;

use crate::exit::usage;

/// The most inputs in a request.
const MAX_COUNT: u64 = 10_000;

/// The most bytes of them: what every platform takes, less what is beside them.
const MAX_BYTES: usize = (4 << 20) - (64 << 10);

/// The most inputs of a batch.
const MAX_ROWS: u64 = 1_000_000;

/// Where the inputs are now.
#[derive(Debug)]
pub(super) enum Gathered {
    /// A JSON list of them.
    Body(Box<RawValue>),
    /// Too many for a request: a file of them.
    Spilled(Spilled),
    /// A file as its owner has it.
    Alone(PathBuf),
}

/// NDJSON in a file of ours.
#[derive(Debug)]
pub(super) struct Spilled {
    file: BufWriter<NamedTempFile>,
    name: String,
}

/// Takes inputs.
#[derive(Debug)]
pub(super) struct Gather {
    /// What a dataset of them would be called.
    name: String,
    /// With commas between them.
    list: String,
    count: u64,
    spilled: Option<Spilled>,
}

impl Gather {
    /// None yet; a dataset of them would be called `name`.
    pub(super) fn new(name: String) -> Self {
        Self { name, list: "[".to_owned(), count: 0, spilled: None }
    }

    /// Takes an input, which is JSON.
    pub(super) fn add(&mut self, input: &str) -> Result<()> {
        self.count += 1;
        if self.count > MAX_ROWS {
            return Err(usage(format!("a batch has {MAX_ROWS} inputs at most; split them")));
        }
        let has_room = self.count <= MAX_COUNT && self.list.len() + input.len() + 2 <= MAX_BYTES;
        if self.spilled.is_none() && !has_room {
            self.spill()?;
        }
        match &mut self.spilled {
            Some(spilled) => spilled.line(input),
            None => {
                if self.count > 1 {
                    self.list.push(',');
                }
                self.list.push_str(input);
                Ok(())
            }
        }
    }

    /// Whether there is no room for them in a request.
    pub(super) fn is_spilled(&self) -> bool {
        self.spilled.is_some()
    }

    /// All of them.
    pub(super) fn finish(mut self) -> Result<Gathered> {
        if self.count == 0 {
            return Err(usage("there are no inputs"));
        }
        if let Some(spilled) = self.spilled {
            return Ok(Gathered::Spilled(spilled));
        }
        self.list.push(']');
        Ok(Gathered::Body(RawValue::from_string(self.list)?))
    }

    /// Moves what is there into a file.
    fn spill(&mut self) -> Result<()> {
        let file = NamedTempFile::new().context("cannot make a temporary file")?;
        let mut spilled = Spilled { file: BufWriter::new(file), name: self.name.clone() };
        let mut list = std::mem::take(&mut self.list);
        list.push(']');
        let inputs: Vec<&RawValue> = serde_json::from_str(&list)?;
        inputs.iter().try_for_each(|input| spilled.line(input.get()))?;
        self.spilled = Some(spilled);
        Ok(())
    }
}

impl Spilled {
    fn line(&mut self, input: &str) -> Result<()> {
        // in JSON the ends of lines are between the values only
        let written = if input.contains(['\n', '\r']) {
            writeln!(self.file, "{}", input.replace(['\n', '\r'], " "))
        } else {
            writeln!(self.file, "{input}")
        };
        written.context("cannot write a temporary file")
    }

    /// The file, and what the dataset is to be called.
    pub(super) fn into_file(self) -> Result<(NamedTempFile, String)> {
        let file = self.file.into_inner().map_err(std::io::IntoInnerError::into_error);
        Ok((file.context("cannot write a temporary file")?, self.name))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn gathered(inputs: impl IntoIterator<Item = String>) -> Result<Gathered> {
        let mut gather = Gather::new("rows".to_owned());
        inputs.into_iter().try_for_each(|input| gather.add(&input))?;
        gather.finish()
    }

    #[test]
    fn a_few_stay_as_they_are_written() {
        let Gathered::Body(list) = gathered(["1.50".into(), "{\"a\":\n2}".into()]).unwrap() else {
            panic!("is a list")
        };
        assert_eq!(list.get(), "[1.50,{\"a\":\n2}]");
        assert!(gathered([]).unwrap_err().to_string().contains("no inputs"));
    }

    #[test]
    fn what_has_no_room_becomes_lines() {
        let many = (0..=MAX_COUNT).map(|n| format!("[{n},\n1]"));
        let large = ["1".to_owned(), "2".repeat(MAX_BYTES)];
        for (inputs, lines, first) in
            [(gathered(many), MAX_COUNT + 1, "[0, 1]"), (gathered(large), 2, "1")]
        {
            let Gathered::Spilled(spilled) = inputs.unwrap() else { panic!("is a file") };
            let (file, name) = spilled.into_file().unwrap();
            let text = std::fs::read_to_string(file.path()).unwrap();
            assert_eq!(text.lines().count() as u64, lines);
            assert_eq!((text.lines().next().unwrap(), name.as_str()), (first, "rows"));
        }
    }
}
