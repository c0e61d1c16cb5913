//! Models: upload, list, show, change, delete, download; their versions.

mod delete;
mod download;
mod form;
mod list;
mod list_versions;
mod show;
mod update_schema;
mod upload;
mod upload_version;

use api::Route;

/// The functions of this area.
pub fn routes() -> Vec<Route> {
    vec![
        upload::route(),
        list::route(),
        show::route(),
        update_schema::route(),
        delete::route(),
        download::route(),
        upload_version::route(),
        list_versions::route(),
    ]
}
