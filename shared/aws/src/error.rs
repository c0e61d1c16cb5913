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
                self.denied(said)
            }
            Some(
                "ResourceNotFoundException"
                | "NoSuchBucket"
                | "NonExistentQueue"
                | "QueueDoesNotExist",
            ) => Error::Unavailable(format!(
                "{resource} does not exist, or not in this region and account: {variable} names \
                     it ({said})"
            )),
            Some("ValidationException" | "InvalidParameterValue" | "InvalidMessageContents") => {
                Error::Invalid(format!("{action} on {resource}: {said}"))
            }
            _ => Error::Unavailable(format!(
                "{action} on {resource}: {}",
                DisplayErrorContext(&error)
            )),
        }
    }

    /// The function's role lacks the permission.
    pub(crate) fn denied(&self, said: &str) -> Error {
        let Self { resource, action, .. } = self;
        Error::Unavailable(format!(
            "the function's role does not allow {action} on {resource}: declare it in the \
             function's `uses` and deploy again ({said})"
        ))
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use aws_sdk_dynamodb::operation::get_item::GetItemError;
    use aws_smithy_runtime_api::http::{Response, StatusCode};
    use aws_smithy_types::{body::SdkBody, error::ErrorMetadata};

    use super::*;

    fn failed(code: &str, said: &str) -> Error {
        let error = ErrorMetadata::builder().code(code).message(said).build();
        let raw = Response::new(StatusCode::try_from(400).unwrap(), SdkBody::empty());
        let request = Request {
            resource: "the table jobs",
            variable: "DCMP_TABLE",
            action: "dynamodb:GetItem",
        };
        request.failed(SdkError::service_error(GetItemError::generic(error), raw))
    }

    #[test]
    fn what_is_missing_or_denied_is_named() {
        let missing = failed("ResourceNotFoundException", "not found").to_string();
        assert!(missing.contains("the table jobs does not exist"), "{missing}");
        assert!(missing.contains("DCMP_TABLE"), "{missing}");
        for code in ["AccessDeniedException", "com.amazonaws.sqs#AccessDenied"] {
            let denied = failed(code, "User: arn:x is not authorized").to_string();
            for expected in ["dynamodb:GetItem on the table jobs", "arn:x is not authorized"] {
                assert!(denied.contains(expected), "{denied}");
            }
        }
    }

    #[test]
    fn what_is_malformed_is_no_use_to_try_again_and_the_rest_is() {
        assert!(matches!(failed("ValidationException", "Item size"), Error::Invalid(_)));
        for code in ["ThrottlingException", "InternalServerError", "Unheard"] {
            assert!(matches!(failed(code, "later"), Error::Unavailable(_)), "{code}");
        }
    }
}
