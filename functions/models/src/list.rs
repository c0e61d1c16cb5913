//! `GET /models`

use api::{Auth, Customer, Paging, Result, Route, encode_cursor, routes, scope};
use axum::{Json, extract::State};
use domain::access::Scope;
use ports::Action;
use protocol::rest::models::Models;
use service::{App, models};

pub(crate) fn route() -> Route {
    Route::new("models-list", routes!(list))
        .auth(Auth::Customer(Scope::Models))
        .uses(&[Action::GetRecords, Action::QueryRecords])
}

/// List your models
#[utoipa::path(get, path = "/models", tag = "Models", params(Paging), responses((status = 200, body = Models)))]
async fn list(
    State(app): State<App>,
    caller: Customer<scope::Models>,
    paging: Paging,
) -> Result<Json<Models>> {
    let cursor = paging.cursor.as_deref();
    let mut page = models::list(&app, &caller.customer, cursor, paging.limit).await?;
    page.next_cursor = encode_cursor(page.next_cursor);
    Ok(Json(page))
}
