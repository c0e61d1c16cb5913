//! `GET /devices`

use api::{Auth, Customer, Paging, Query, Result, Route, encode_cursor, routes, scope};
use axum::{Json, extract::State};
use domain::access::Scope;
use ports::Action;
use protocol::rest::devices::Devices;
use service::{App, devices};
use utoipa::IntoParams;

pub(crate) fn route() -> Route {
    Route::new("devices-list", routes!(list))
        .auth(Auth::Customer(Scope::Devices))
        .uses(&[Action::GetRecords, Action::QueryRecords])
}

#[derive(serde::Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// `idle`, `busy`, `draining` or `offline`.
    status: Option<String>,
}

/// List the devices you can use
///
/// Yours, then those that serve everyone, the latter without what is their owner's alone.
#[utoipa::path(
    get,
    path = "/devices",
    tag = "Devices",
    params(Filter, Paging),
    responses((status = 200, body = Devices))
)]
async fn list(
    State(app): State<App>,
    caller: Customer<scope::Devices>,
    Query(filter): Query<Filter>,
    paging: Paging,
) -> Result<Json<Devices>> {
    let status = filter.status.as_deref();
    let cursor = paging.cursor.as_deref();
    let mut page = devices::list(&app, &caller.customer, status, cursor, paging.limit).await?;
    page.next_cursor = encode_cursor(page.next_cursor);
    Ok(Json(page))
}
