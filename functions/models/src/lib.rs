//! Models: upload at once or in parts, list, show, delete, download.

mod begin;
mod complete;
mod delete;
mod download;
mod form;
mod list;
mod show;
mod upload;
mod upload_give_up;
mod upload_parts;
mod upload_progress;

use api::Route;

/// The functions of this area.
pub fn routes() -> Vec<Route> {
    vec![
        upload::route(),
        upload_parts::route(),
        upload_progress::route(),
        upload_give_up::route(),
        complete::route(),
        list::route(),
        show::route(),
        delete::route(),
        download::route(),
    ]
}
