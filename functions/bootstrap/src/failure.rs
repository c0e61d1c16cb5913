//! An invocation that failed, as Lambda reports it.

use std::fmt;

use lambda_runtime::Diagnostic;

/// Why an invocation failed. Only the platform's own callers see it: queues, schedules, the feed and
/// other functions. It names the cause, which customers are never shown.
#[derive(thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    code: &'static str,
    message: String,
}

impl Failure {
    /// The event is not what the function is for.
    pub(crate) fn event(what: &str, cause: impl fmt::Display) -> Self {
        Self { code: "BadEvent", message: format!("expected {what}: {cause}") }
    }

    /// The answer cannot be said.
    pub(crate) fn answer(cause: impl fmt::Display) -> Self {
        Self { code: "BadAnswer", message: format!("the answer cannot be written: {cause}") }
    }
}

impl From<service::Error> for Failure {
    fn from(error: service::Error) -> Self {
        let code = api::Error::parts(&error).1;
        let message = match &error {
            service::Error::Internal(cause) => cause.to_string(),
            refusal => refusal.to_string(),
        };
        Self { code, message }
    }
}

impl From<Failure> for Diagnostic {
    fn from(failure: Failure) -> Self {
        Self { error_type: failure.code.to_owned(), error_message: failure.message }
    }
}

/// As the runtime logs it.
impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}
