//! Models: upload, list, show, delete, download.

mod delete;
mod download;
mod form;
mod list;
mod show;
mod upload;

use api::Route;

/// The functions of this area.
pub fn routes() -> Vec<Route> {
    vec![upload::route(), list::route(), show::route(), delete::route(), download::route()]
}
