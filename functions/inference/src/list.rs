//! `GET /inference/batch`

use api::{Auth, Customer, Paging, Result, Route, encode_cursor, routes, scope};
use axum::{Json, extract::State};
use domain::access::Scope;
use ports::Action;
use protocol::rest::batch::Batches;
use service::{App, batch};

pub(crate) fn route() -> Route {
    Route::new("inference-list", routes!(list))
        .auth(Auth::Customer(Scope::Infer))
        .uses(&[Action::GetRecords, Action::QueryRecords])
}

/// List your batches, the newest first
#[utoipa::path(
    get,
    path = "/inference/batch",
    tag = "Inference",
    params(Paging),
    responses((status = 200, body = Batches))
)]
async fn list(
    State(app): State<App>,
    caller: Customer<scope::Infer>,
    paging: Paging,
) -> Result<Json<Batches>> {
    let cursor = paging.cursor.as_deref();
    let mut page = batch::list(&app, &caller.customer, cursor, paging.limit).await?;
    page.next_cursor = encode_cursor(page.next_cursor);
    Ok(Json(page))
}
