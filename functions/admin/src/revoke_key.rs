//! `DELETE /admin/keys/{id}`

use api::{Admin, Auth, Path, Result, Route, routes};
use axum::{extract::State, http::StatusCode};
use ports::Action;
use service::{App, access};

pub(crate) fn route() -> Route {
    Route::new("admin-revoke-key", routes!(revoke_key))
        .auth(Auth::Admin)
        .uses(&[Action::GetRecords, Action::DeleteRecords])
}

/// Revoke a key
///
/// It opens nothing any more, everywhere, after ten seconds at most.
#[utoipa::path(
    delete,
    path = "/admin/keys/{id}",
    tag = "Admin",
    params(("id" = String, Path, description = "The key's id")),
    responses((status = 204, description = "Revoked"))
)]
async fn revoke_key(
    State(app): State<App>,
    _admin: Admin,
    Path(id): Path<String>,
) -> Result<StatusCode> {
    access::revoke_key(&app, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
