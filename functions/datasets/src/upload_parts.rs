//! `POST /datasets/{id}/upload/parts`

use api::{Auth, Base, Customer, Path, Result, Route, routes, scope};
use axum::{Json, extract::State};
use domain::access::Scope;
use ports::Action;
use protocol::rest::uploads::{PartsWanted, SignedParts};
use service::{App, datasets::uploads};

pub(crate) fn route() -> Route {
    Route::new("datasets-upload-parts", routes!(parts))
        .auth(Auth::Customer(Scope::Infer))
        .uses(&[Action::GetRecords, Action::WriteBlobs])
}

/// Get URLs for parts of an upload
///
/// Each takes a `PUT` of exactly the bytes of its checksum, with the headers given, within the hour.
/// A part may be sent again, also with other bytes by a new URL.
#[utoipa::path(
    post,
    path = "/datasets/{id}/upload/parts",
    tag = "Datasets",
    params(("id" = String, Path, description = "The dataset's id")),
    request_body = PartsWanted,
    responses((status = 200, body = SignedParts))
)]
async fn parts(
    State(app): State<App>,
    caller: Customer<scope::Infer>,
    Base(base): Base,
    Path(id): Path<String>,
    api::Json(wanted): api::Json<PartsWanted>,
) -> Result<Json<SignedParts>> {
    Ok(Json(uploads::sign(&app, &caller.customer, &id, &wanted.parts, &base).await?))
}
