//! `POST /admin/customers`

use api::{Admin, Auth, Body, IdempotencyKey, Result, Route, routes};
use axum::{Json, extract::State, http::StatusCode};
use ports::Action;
use protocol::rest::admin::{Customer, NewCustomer};
use service::{
    App, access,
    idempotency::{self, Request},
};

pub(crate) fn route() -> Route {
    Route::new("admin-create-customer", routes!(create_customer))
        .auth(Auth::Admin)
        .uses(&[Action::WriteRecords, Action::DeleteRecords])
}

/// Make a customer
#[utoipa::path(
    post,
    path = "/admin/customers",
    tag = "Admin",
    params(("Idempotency-Key" = Option<String>, Header, description = "Repeating the request with the same key changes nothing")),
    request_body = NewCustomer,
    responses((status = 201, body = Customer))
)]
async fn create_customer(
    State(app): State<App>,
    _admin: Admin,
    IdempotencyKey(key): IdempotencyKey,
    body: Body<NewCustomer>,
) -> Result<(StatusCode, Json<Customer>)> {
    let request = Request {
        customer: "admin",
        route: "POST /admin/customers",
        key: key.as_deref(),
        fingerprint: body.fingerprint(),
    };
    let create = |commit| access::create_customer(&app, &body.value, commit);
    let customer = idempotency::once(&app, request, create).await?;
    Ok((StatusCode::CREATED, Json(customer)))
}
