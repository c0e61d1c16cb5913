//! `GET /admin/customers/{id}/keys`

use api::{Admin, Auth, Paging, Path, Result, Route, encode_cursor, routes};
use axum::{Json, extract::State};
use ports::Action;
use protocol::rest::admin::Keys;
use service::{App, access};

pub(crate) fn route() -> Route {
    Route::new("admin-list-keys", routes!(list_keys))
        .auth(Auth::Admin)
        .uses(&[Action::GetRecords, Action::QueryRecords])
}

/// List a customer's keys, without their secrets
#[utoipa::path(
    get,
    path = "/admin/customers/{id}/keys",
    tag = "Admin",
    params(("id" = String, Path, description = "The customer's id"), Paging),
    responses((status = 200, body = Keys))
)]
async fn list_keys(
    State(app): State<App>,
    _admin: Admin,
    Path(customer): Path<String>,
    paging: Paging,
) -> Result<Json<Keys>> {
    let cursor = paging.cursor.as_deref();
    let mut page = access::list_keys(&app, &customer, cursor, paging.limit).await?;
    page.next_cursor = encode_cursor(page.next_cursor);
    Ok(Json(page))
}
