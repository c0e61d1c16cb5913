//! `POST /models`

use api::{Auth, Customer, IdempotencyKey, Result, Route, scope};
use axum::{
    Json,
    extract::{Multipart, State, multipart::Field},
    http::StatusCode,
};
use bytes::{Bytes, BytesMut};
use domain::access::Scope;
use ports::{Action, Checksum};
use protocol::rest::models::{Model, Upload as Form};
use service::{
    App, Error, INSPECT_FUNCTION,
    idempotency::{self, Request},
    models::{self, Upload, read_shape},
};
use std::time::Duration;
use utoipa_axum::routes;

pub(crate) fn route() -> Route {
    Route::new("models-upload", routes!(upload))
        .auth(Auth::Customer(Scope::Models))
        .memory_mb(512)
        .timeout(Duration::from_secs(29))
        .uses(&[
            Action::GetRecords,
            Action::WriteRecords,
            Action::DeleteRecords,
            Action::WriteBlobs,
            Action::DeleteBlobs,
            Action::Call(INSPECT_FUNCTION),
        ])
}

/// Upload a model
///
/// The file is parsed and type-checked before it is accepted; a refusal names what is wrong in it.
#[utoipa::path(
    post,
    path = "/models",
    tag = "Models",
    params(("Idempotency-Key" = Option<String>, Header, description = "Repeating the request with the same key changes nothing")),
    request_body(content = Form, content_type = "multipart/form-data"),
    responses((status = 201, body = Model))
)]
async fn upload(
    State(app): State<App>,
    caller: Customer<scope::Models>,
    IdempotencyKey(key): IdempotencyKey,
    form: std::result::Result<Multipart, axum::extract::multipart::MultipartRejection>,
) -> Result<(StatusCode, Json<Model>)> {
    let form = form.map_err(|_| {
        Error::UnsupportedMediaType(
            "send the model as multipart/form-data, for example curl -F model=@my_model.onnx"
                .into(),
        )
    })?;
    let (upload, fields) = read(form, app.settings().upload_limit).await?;
    let request = Request {
        customer: &caller.customer,
        route: "POST /models",
        key: key.as_deref(),
        fingerprint: idempotency::fingerprint(
            &fields.iter().map(String::as_str).collect::<Vec<_>>(),
        ),
    };
    let create = models::upload(&app, &caller.customer, upload);
    let model = idempotency::once(&app, request, create, Model::clone).await?;
    Ok((StatusCode::CREATED, Json(model)))
}

/// Reads the form: the upload, and what an `Idempotency-Key` compares: every field, and the file's
/// checksum.
async fn read(mut form: Multipart, limit: usize) -> Result<(Upload, Vec<String>)> {
    let mut upload = Upload {
        bytes: Bytes::new(),
        file_name: None,
        format: None,
        input_shape: None,
        output_shape: None,
        description: models::Description::default(),
    };
    let mut fields = Vec::new();
    let mut has_model = false;
    while let Some(field) = form.next_field().await.map_err(malformed)? {
        let name = field.name().unwrap_or_default().to_owned();
        if name == "model" {
            has_model = true;
            upload.file_name = field.file_name().map(str::to_owned);
            upload.bytes = bytes(field, limit).await?;
            fields.push(format!("model={}", Checksum::of(&upload.bytes)));
            continue;
        }
        let text = bytes(field, MAX_FIELD).await?;
        let text = std::str::from_utf8(&text)
            .map_err(|_| Error::invalid(&name, "expected text in UTF-8"))?;
        match name.as_str() {
            "format" => upload.format = Some(text.to_owned()),
            "input_shape" => upload.input_shape = Some(read_shape(&name, text)?),
            "output_shape" => upload.output_shape = Some(read_shape(&name, text)?),
            // fields that nobody knows are ignored, as in JSON bodies
            _ => {
                upload.description.set(&name, text)?;
            }
        }
        fields.push(format!("{name}={text}"));
    }
    if !has_model {
        let message = "missing; attach the file as the form field `model`";
        return Err(Error::invalid("model", message).into());
    }
    fields.sort_unstable();
    Ok((upload, fields))
}

/// The largest text field, in bytes.
const MAX_FIELD: usize = 256 * 1024;

async fn bytes(mut field: Field<'_>, limit: usize) -> Result<Bytes> {
    let name = field.name().unwrap_or_default().to_owned();
    let mut bytes = BytesMut::new();
    while let Some(chunk) = field.chunk().await.map_err(malformed)? {
        if bytes.len() + chunk.len() > limit {
            let message = format!("`{name}` is over the limit of {limit} bytes for one request");
            return Err(Error::TooLarge(message).into());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.freeze())
}

fn malformed(error: axum::extract::multipart::MultipartError) -> Error {
    Error::invalid("body", format!("not a complete multipart form: {}", error.body_text()))
}
