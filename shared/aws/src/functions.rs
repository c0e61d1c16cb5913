//! Functions: Lambda's `Invoke`, waiting for the answer.
//! <https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html>

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_lambda::{error::ProvideErrorMetadata, primitives::Blob, types::InvocationType};
use bytes::Bytes;
use ports::{Error, Functions, Result, functions::check_size};
use serde::Deserialize;

use crate::{clients::Clients, error::Request};

/// The functions of the deployment.
#[derive(Debug)]
pub(crate) struct Lambdas {
    clients: Arc<Clients>,
    /// What their names begin with.
    prefix: String,
}

/// What a function that failed answers.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Failure {
    error_type: String,
    error_message: String,
}

impl Lambdas {
    pub(crate) fn new(clients: Arc<Clients>, prefix: &str) -> Self {
        Self { clients, prefix: prefix.to_owned() }
    }
}

#[async_trait]
impl Functions for Lambdas {
    async fn call(&self, function: &str, payload: Bytes) -> Result<Bytes> {
        check_size("request", function, &payload)?;
        let name = format!("{}{function}", self.prefix);
        let request = self
            .clients
            .functions
            .invoke()
            .function_name(&name)
            .invocation_type(InvocationType::RequestResponse)
            .payload(Blob::new(payload));
        let answer = request.send().await.map_err(|error| match error.code() {
            Some("ResourceNotFoundException") => {
                Error::NotFound(format!("there is no function `{name}`"))
            }
            Some("RequestTooLargeException") => {
                let said = error.message().unwrap_or("it is too large");
                Error::Invalid(format!("the request of the function `{name}`: {said}"))
            }
            _ => {
                let resource = format!("the function {name}");
                let action = "lambda:InvokeFunction";
                Request { resource: &resource, variable: "DCMP_FUNCTIONS", action }.failed(error)
            }
        })?;
        let payload = Bytes::from(answer.payload.unwrap_or_default().into_inner());
        if answer.function_error.is_some() {
            return Err(failure(function, &payload));
        }
        check_size("response", function, &payload)?;
        Ok(payload)
    }
}

/// A function that threw, was stopped at its limit, or answered more than Lambda passes on.
fn failure(function: &str, payload: &[u8]) -> Error {
    let Failure { error_type, error_message } = serde_json::from_slice(payload).unwrap_or_default();
    if error_type.contains("ResponseSizeTooLarge") {
        return Error::Invalid(format!(
            "the response of the function `{function}` is too large: {error_message}"
        ));
    }
    Error::Unavailable(format!("the function `{function}` failed: {error_type}: {error_message}"))
}
