//! What an owner says of a model, from flags and files to the API's fields.

use std::{fs, path::Path};

use anyhow::Result;
use serde_json::Value;

use crate::parts::unreadable;

/// Names of classes: the file of that name, else what is written with commas.
pub(super) fn labels(given: &str) -> Result<String> {
    let path = Path::new(given);
    if given.contains(',') && !path.exists() {
        return Ok(list(given.split(',')));
    }
    Ok(labels_json(&read(path)?))
}

fn labels_json(text: &str) -> String {
    if text.trim_start().starts_with('[') {
        return text.to_owned();
    }
    list(text.lines())
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    Value::from_iter(names.map(str::trim).filter(|name| !name.is_empty())).to_string()
}

/// A file's text.
pub(super) fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|error| unreadable(path, &error))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn labels_are_lines_or_json_or_have_commas() {
        assert_eq!(labels_json("cat\r\n\n dog \n"), r#"["cat","dog"]"#);
        assert_eq!(labels_json(" [\"cat\"]"), " [\"cat\"]");
        assert_eq!(labels("cat, dog").unwrap(), r#"["cat","dog"]"#);
        // a name without commas is a file's, and a typo in it is no label
        assert!(labels("no-such-file").unwrap_err().to_string().contains("cannot read"));
    }
}
