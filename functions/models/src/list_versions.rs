//! `GET /models/{id}/versions`

use api::{Auth, Customer, Paging, Path, Result, Route, encode_cursor, routes, scope};
use axum::{Json, extract::State};
use domain::access::Scope;
use ports::Action;
use protocol::rest::models::Versions;
use service::{App, models};

pub(crate) fn route() -> Route {
    Route::new("models-list-versions", routes!(list_versions))
        .auth(Auth::Customer(Scope::Models))
        .uses(&[Action::GetRecords, Action::QueryRecords])
}

/// List a model's versions
#[utoipa::path(
    get,
    path = "/models/{id}/versions",
    tag = "Models",
    params(("id" = String, Path, description = "The model's id"), Paging),
    responses((status = 200, body = Versions))
)]
async fn list_versions(
    State(app): State<App>,
    caller: Customer<scope::Models>,
    Path(id): Path<String>,
    paging: Paging,
) -> Result<Json<Versions>> {
    let cursor = paging.cursor.as_deref();
    let mut page = models::versions(&app, &caller.customer, &id, cursor, paging.limit).await?;
    page.next_cursor = encode_cursor(page.next_cursor);
    Ok(Json(page))
}
