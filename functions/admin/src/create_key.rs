//! `POST /admin/customers/{id}/keys`

use api::{Admin, Auth, Body, IdempotencyKey, Path, Result, Route, routes};
use axum::{Json, extract::State, http::StatusCode};
use ports::Action;
use protocol::rest::admin::{Key, NewKey};
use service::{
    App, access,
    idempotency::{self, Request},
};

pub(crate) fn route() -> Route {
    Route::new("admin-create-key", routes!(create_key)).auth(Auth::Admin).uses(&[
        Action::GetRecords,
        Action::WriteRecords,
        Action::DeleteRecords,
    ])
}

/// Make a key for a customer
///
/// The secret is in this answer and never again; a repetition by `Idempotency-Key` shows the key
/// without it.
#[utoipa::path(
    post,
    path = "/admin/customers/{id}/keys",
    tag = "Admin",
    params(
        ("id" = String, Path, description = "The customer's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "Repeating the request with the same key changes nothing"),
    ),
    request_body = NewKey,
    responses((status = 201, body = Key))
)]
async fn create_key(
    State(app): State<App>,
    _admin: Admin,
    Path(customer): Path<String>,
    IdempotencyKey(key): IdempotencyKey,
    body: Body<NewKey>,
) -> Result<(StatusCode, Json<Key>)> {
    let request = Request {
        customer: "admin",
        route: "POST /admin/customers/{id}/keys",
        key: key.as_deref(),
        fingerprint: idempotency::fingerprint(&[&customer, &body.fingerprint()]),
    };
    let create = |commit| access::create_key(&app, &customer, &body.value, commit);
    let key = idempotency::once(&app, request, create).await?;
    Ok((StatusCode::CREATED, Json(key)))
}
