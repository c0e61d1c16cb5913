//! Datasets: upload at once or in parts, list, show, delete.
//!
//! All of them want the scope `infer`: a dataset is inputs by another way than in the body, and whoever
//! may send the ones may send the others.

mod begin;
mod complete;
mod delete;
mod form;
mod list;
mod show;
mod upload;
mod upload_parts;
mod upload_progress;

use api::Route;

/// The functions of this area.
pub fn routes() -> Vec<Route> {
    vec![
        upload::route(),
        upload_parts::route(),
        upload_progress::route(),
        complete::route(),
        list::route(),
        show::route(),
        delete::route(),
    ]
}
