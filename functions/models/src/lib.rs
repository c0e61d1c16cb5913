//! Models: upload at once or in parts, list, show, change, delete, download; their versions.

mod begin;
mod complete;
mod delete;
mod download;
mod form;
mod list;
mod list_versions;
mod show;
mod update_schema;
mod upload;
mod upload_give_up;
mod upload_parts;
mod upload_progress;
mod upload_version;

use api::Route;

/// The functions of this area that need no engine and no schemas.
pub fn routes() -> Vec<Route> {
    vec![
        upload_parts::route(),
        upload_progress::route(),
        upload_give_up::route(),
        complete::route(),
        list::route(),
        show::route(),
        delete::route(),
        download::route(),
        list_versions::route(),
    ]
}

/// Those that compile the schemas they are given.
pub fn computing_routes() -> Vec<Route> {
    vec![upload::route(), update_schema::route(), upload_version::route()]
}
