//! What the platform answers: documents as they came, lists over all pages, refusals as sentences.

use std::{collections::BTreeMap, fmt::Write, marker::PhantomData};

use anyhow::{Context, Result};
use protocol::rest::errors::Envelope;
use reqwest::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::exit::{Exit, error};

/// A success, as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// The body: JSON, or nothing.
    pub(crate) text: String,
}

impl Answer {
    /// # Errors
    /// When it is no success: what the platform says about it.
    pub(super) fn of(status: StatusCode, text: String) -> Result<Self> {
        if status.is_success() || status.is_redirection() {
            return Ok(Self { status, text });
        }
        let exit = if status.is_client_error() { Exit::Refused } else { Exit::Failed };
        Err(error(exit, explain(status, &text)))
    }

    /// The body as what it should be.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_str(&self.text)
            .context("the answer is not what this version of dcmp expects; is --url right?")
    }
}

/// A refusal as a sentence, with each fault on a line of its own.
fn explain(status: StatusCode, text: &str) -> String {
    let Ok(Envelope { error }) = serde_json::from_str(text) else {
        let start: String = text.trim().chars().take(200).collect();
        let hint = if start.is_empty() { String::new() } else { format!(": {start}") };
        return format!("answer {status}, not from a dcmp platform{hint}; is --url right?");
    };
    let mut sentence = format!("{} ({})", error.message, error.code);
    for detail in &error.details {
        // with one fault the sentence is the fault
        if !error.message.contains(&detail.message) {
            let _ = write!(sentence, "\n  {}: {}", detail.path, detail.message);
        }
    }
    if error.code == "NO_DEVICES" {
        sentence.push_str("\n  `dcmp device` lends a computer; `--async` waits until one is there");
    }
    let _ = write!(sentence, "\n  request id: {}", error.request_id);
    sentence
}

/// A list over all its pages.
pub(crate) struct Listing<T> {
    field: String,
    raw: Vec<Box<RawValue>>,
    /// The fields beside the list, of the first page.
    rest: Option<BTreeMap<String, Box<RawValue>>>,
    item: PhantomData<T>,
}

impl<T: DeserializeOwned> Listing<T> {
    pub(super) fn new(field: &str) -> Self {
        Self { field: field.to_owned(), raw: Vec::new(), rest: None, item: PhantomData }
    }

    /// Takes a page and gives the cursor of the next.
    pub(super) fn add(&mut self, page: &Answer) -> Result<Option<String>> {
        let mut fields: BTreeMap<String, Box<RawValue>> = page.read()?;
        let unexpected = || format!("the answer has no `{}`; is --url right?", self.field);
        let list = fields.remove(&self.field).with_context(unexpected)?;
        let items: Vec<Box<RawValue>> =
            serde_json::from_str(list.get()).with_context(unexpected)?;
        let cursor: Option<String> = match fields.remove("next_cursor") {
            Some(cursor) => serde_json::from_str(cursor.get())?,
            None => None,
        };
        self.raw.extend(items);
        self.rest.get_or_insert(fields);
        Ok(cursor)
    }

    /// The items as what they should be.
    pub(crate) fn items(&self) -> Result<Vec<T>> {
        let read = |raw: &RawValue| {
            serde_json::from_str(raw.get())
                .context("an item of the list is not what this version of dcmp expects")
        };
        self.raw.iter().map(|raw| read(raw)).collect()
    }

    /// One document, as if the API had given all on one page.
    pub(crate) fn json(&self) -> Result<String> {
        let mut document = self.rest.clone().unwrap_or_default();
        document.insert(self.field.clone(), serde_json::value::to_raw_value(&self.raw)?);
        document.insert("next_cursor".to_owned(), RawValue::NULL.to_owned());
        Ok(serde_json::to_string(&document)?)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::exit;

    fn refusal(status: u16, text: &str) -> anyhow::Error {
        Answer::of(StatusCode::from_u16(status).unwrap(), text.to_owned()).unwrap_err()
    }

    #[test]
    fn refusals_are_sentences_with_their_faults() {
        let envelope = r#"{"error":{"code":"VALIDATION_ERROR","message":"2 faults",
            "request_id":"req_1","details":[{"path":"a","message":"is missing"},
            {"path":"b","message":"is no number"}]}}"#;
        let error = refusal(400, envelope);
        let expected =
            "2 faults (VALIDATION_ERROR)\n  a: is missing\n  b: is no number\n  request id: req_1";
        assert_eq!(error.to_string(), expected);
        assert_eq!(exit::of(&error), Exit::Refused);
    }

    #[test]
    fn a_stranger_is_recognised() {
        let error = refusal(502, "<html>bad gateway</html>");
        assert!(error.to_string().contains("502 Bad Gateway"), "{error}");
        assert!(error.to_string().contains("is --url right?"), "{error}");
        assert_eq!(exit::of(&error), Exit::Failed);
        let page = Answer::of(StatusCode::OK, "<html>".to_owned()).unwrap();
        assert!(page.read::<Envelope>().unwrap_err().to_string().contains("--url"));
    }

    #[test]
    fn pages_become_one_document_with_exact_numbers() {
        let page = |text: &str| Answer::of(StatusCode::OK, text.to_owned()).unwrap();
        let mut listing = Listing::<serde_json::Value>::new("models");
        let first = page(r#"{"models":[{"n":0.10}],"total":2,"next_cursor":"c"}"#);
        assert_eq!(listing.add(&first).unwrap().as_deref(), Some("c"));
        let last = page(r#"{"models":[{"n":2}],"total":2,"next_cursor":null}"#);
        assert_eq!(listing.add(&last).unwrap(), None);
        let expected = r#"{"models":[{"n":0.10},{"n":2}],"next_cursor":null,"total":2}"#;
        assert_eq!(listing.json().unwrap(), expected);
        assert_eq!(listing.items().unwrap().len(), 2);
    }
}
