//! Bodies of the REST API, as `docs/API.md` describes them.

pub mod admin;
pub mod batch;
pub mod datasets;
pub mod devices;
pub mod errors;
pub mod health;
pub mod inference;
pub mod models;
pub mod schema;
pub mod uploads;
