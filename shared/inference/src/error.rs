//! What can go wrong, and the net that turns a panic of the engine into an error.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Why a file is not accepted as a model: a sentence that names the place and says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub(crate) String);

impl Refused {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

/// Why a run gave no outputs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The inputs are not what the model takes.
    #[error("{0}")]
    Input(String),
    /// The model cannot be computed on these inputs.
    #[error("the model failed on these inputs: {0}")]
    Engine(String),
}

/// How the sentence about a panic begins.
pub(crate) const STOPPED: &str = "the engine stopped";

/// Runs a piece of the engine; its errors and panics become a sentence.
pub(crate) fn guarded<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    // The engine's values that the closure touches are dropped or never used again after a panic.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("no message");
        Err(format!("{STOPPED}: {text}"))
    })
}

/// The engine's errors are chains, outermost first; people need the first and the last.
pub(crate) fn engine(error: tract_onnx::prelude::TractError) -> String {
    let (outer, root) = (error.to_string(), error.root_cause().to_string());
    let text = if outer == root { outer } else { format!("{outer}: {root}") };
    shortened(&text, 400)
}

/// Keeps a text that quotes a stranger's file within `limit` characters and on one line.
pub(crate) fn shortened(text: &str, limit: usize) -> String {
    let mut line: String =
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(limit + 1).collect();
    if line.chars().count() > limit {
        line = line.chars().take(limit).collect();
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_sentence() {
        let index = [0u8; 2].len();
        let result = guarded(|| Ok([1, 2][std::hint::black_box(index)]));
        assert!(
            result.is_err_and(|text| text.starts_with("the engine stopped: index out of bounds"))
        );
    }

    #[test]
    fn quoted_texts_stay_short_and_on_one_line() {
        assert_eq!(shortened("a\nb\u{1b}[31m", 80), "a b [31m");
        assert_eq!(shortened("äöüß", 3), "äöü…");
    }
}
