//! What AWS answers, in the words of the ports.

use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::{display::DisplayErrorContext, metadata::ProvideErrorMetadata};
use ports::Error;

/// One request, for messages about it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    /// What it is about, such as `the table dcmp-prod`.
    pub(crate) resource: &'a str,
    /// The variable that names the resource.
    pub(crate) variable: &'a str,
    /// The IAM action that it needs, such as `dynamodb:GetItem`.
    pub(crate) action: &'a str,
}

impl Request<'_> {
    /// Why the request failed, where nothing else is known of the error: what is missing or not
    /// allowed is named, what is malformed is [`Invalid`](Error::Invalid), and everything else may pass.
    pub(crate) fn failed<E, R>(&self, error: SdkError<E, R>) -> Error
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
        R: std::fmt::Debug,
    {
        let Self { resource, variable, action } = self;
        let said = error.message().unwrap_or("without a message");
        match error.code().map(plain) {
            Some("AccessDenied" | "AccessDeniedException" | "ForbiddenException") => {
                Error::Unavailable(format!(
                    "the function's role does not allow {action} on {resource}: declare it in the \
                     function's `uses` and deploy again ({said})"
                ))
            }
            Some("ResourceNotFoundException" | "NoSuchBucket" | "QueueDoesNotExist") => {
                Error::Unavailable(format!(
                    "{resource} does not exist, or not in this region and account: {variable} names \
                     it ({said})"
                ))
            }
            Some("ValidationException" | "InvalidParameterValue" | "InvalidMessageContents") => {
                Error::Invalid(format!("{action} on {resource}: {said}"))
            }
            _ => Error::Unavailable(format!(
                "{action} on {resource}: {}",
                DisplayErrorContext(&error)
            )),
        }
    }
}

/// The code without the namespace that older protocols put before it.
fn plain(code: &str) -> &str {
    code.rsplit(['.', '#']).next().unwrap_or(code)
}

/// What the answer lacks that it cannot lack.
pub(crate) fn incomplete(action: &str, lacking: &str) -> Error {
    Error::Unavailable(format!("the answer to {action} has no {lacking}"))
}
