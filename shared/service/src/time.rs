//! Times as people read them: RFC 3339, UTC, milliseconds.

use jiff::Timestamp;

use crate::{Error, Result};

/// Epoch milliseconds as RFC 3339.
pub(crate) fn rfc3339(ms: u64) -> String {
    let time = Timestamp::from_millisecond(i64::try_from(ms).unwrap_or(i64::MAX))
        .unwrap_or(Timestamp::MAX);
    format!("{time:.3}")
}

/// RFC 3339 as epoch milliseconds.
pub(crate) fn parse(text: &str, path: &str) -> Result<u64> {
    let time: Timestamp = text.parse().map_err(|_| {
        Error::invalid(path, "expected an RFC 3339 time such as 2027-01-31T12:00:00Z")
    })?;
    u64::try_from(time.as_millisecond())
        .map_err(|_| Error::invalid(path, "expected a time after 1970"))
}
