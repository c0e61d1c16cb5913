//! `GET /datasets`

use api::{Auth, Customer, Paging, Result, Route, encode_cursor, routes, scope};
use axum::{Json, extract::State};
use domain::access::Scope;
use ports::Action;
use protocol::rest::datasets::Datasets;
use service::{App, datasets};

pub(crate) fn route() -> Route {
    Route::new("datasets-list", routes!(list))
        .auth(Auth::Customer(Scope::Infer))
        .uses(&[Action::GetRecords, Action::QueryRecords])
}

/// List your datasets
#[utoipa::path(get, path = "/datasets", tag = "Datasets", params(Paging), responses((status = 200, body = Datasets)))]
async fn list(
    State(app): State<App>,
    caller: Customer<scope::Infer>,
    paging: Paging,
) -> Result<Json<Datasets>> {
    let cursor = paging.cursor.as_deref();
    let mut page = datasets::list(&app, &caller.customer, cursor, paging.limit).await?;
    page.next_cursor = encode_cursor(page.next_cursor);
    Ok(Json(page))
}
