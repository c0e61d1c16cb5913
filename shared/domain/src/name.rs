//! Names that people and devices choose.

/// Why a text is no name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(&'static str);

/// What people call a thing: 1 to 200 characters, no control characters, no surrounding spaces.
///
/// # Errors
/// A sentence that says what a name may be.
pub fn label(text: &str) -> Result<&str, Invalid> {
    let text = text.trim();
    let length = text.chars().count();
    if !(1..=200).contains(&length) || text.chars().any(char::is_control) {
        return Err(Invalid("a name has 1 to 200 characters and no control characters"));
    }
    Ok(text)
}

/// What a device calls itself: 1 to 64 of `A-Z a-z 0-9 . _ -`.
///
/// # Errors
/// A sentence that says what a uuid may be.
pub fn uuid(text: &str) -> Result<&str, Invalid> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if !(1..=64).contains(&text.len()) || !text.chars().all(plain) {
        return Err(Invalid("a uuid has 1 to 64 letters, digits, `.`, `_` or `-`"));
    }
    Ok(text)
}

/// Whether `text` is shaped like one of our ids: the prefix, `_`, and letters and digits. Anything
/// else cannot exist and is not looked up.
pub fn is_id(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('_')).is_some_and(|rest| {
        (1..=64).contains(&rest.len()) && rest.bytes().all(|b| b.is_ascii_alphanumeric())
    })
}

/// The id of a batch's chunk, `batch_…-N`.
pub fn chunk_id(batch: &str, number: u32) -> String {
    format!("{batch}-{number}")
}

/// The batch and the number of a chunk's id; `None` when it is none.
pub fn chunk_of(id: &str) -> Option<(&str, u32)> {
    let (batch, number) = id.split_once('-')?;
    let parsed: u32 = number.parse().ok()?;
    (is_id(batch, "batch") && parsed.to_string() == number).then_some((batch, parsed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert_eq!(label(" digits "), Ok("digits"));
        assert!(label(" ").is_err());
        assert!(label("a\nb").is_err());
        assert!(label(&"x".repeat(201)).is_err());
        assert_eq!(uuid("sdk-rust-c5d145"), Ok("sdk-rust-c5d145"));
        assert!(uuid("a/b").is_err());
        assert!(is_id("model_0193ab", "model"));
        assert!(!is_id("model_../x", "model"));
        assert!(!is_id("job_1", "model"));
        assert!(!is_id("model_", "model"));
    }

    #[test]
    fn chunks() {
        assert_eq!(chunk_of(&chunk_id("batch_1", 12)), Some(("batch_1", 12)));
        for other in ["batch_1", "batch_1-", "batch_1-01", "batch_1-+1", "infer_1-1", "batch_1-1-1"]
        {
            assert_eq!(chunk_of(other), None, "{other}");
        }
    }
}
