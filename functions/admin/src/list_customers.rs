//! `GET /admin/customers`

use api::{Admin, Auth, Paging, Result, Route, encode_cursor, routes};
use axum::{Json, extract::State};
use ports::Action;
use protocol::rest::admin::Customers;
use service::{App, access};

pub(crate) fn route() -> Route {
    Route::new("admin-list-customers", routes!(list_customers))
        .auth(Auth::Admin)
        .uses(&[Action::QueryRecords])
}

/// List customers
#[utoipa::path(
    get,
    path = "/admin/customers",
    tag = "Admin",
    params(Paging),
    responses((status = 200, body = Customers))
)]
async fn list_customers(
    State(app): State<App>,
    _admin: Admin,
    paging: Paging,
) -> Result<Json<Customers>> {
    let mut page = access::list_customers(&app, paging.cursor.as_deref(), paging.limit).await?;
    page.next_cursor = encode_cursor(page.next_cursor);
    Ok(Json(page))
}
