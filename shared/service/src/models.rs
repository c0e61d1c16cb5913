//! Models: a head, versions whose bytes never change, and revisions of what their owner says of
//! them. Everything that changes a model is one transaction on the condition that its head is as it
//! was read, so versions and revisions are numbered without gaps and a deleted model stays deleted.

mod accept;
mod delete;
mod description;
mod download;
mod find;
mod fitting;
mod inspect;
mod judge;
mod price;
mod revisions;
mod schema;
mod show;
mod stored;
mod update;
mod upload;
pub mod uploads;

pub use accept::Given;
pub(crate) use accept::{Candidate, File, Target};
pub use delete::delete;
pub(crate) use delete::{clear, deleted};
pub use description::{About, Description, MAX_DESCRIPTION, Shape, read_shape};
pub use download::{download, download_for_task};
pub(crate) use find::{find_pinned, find_version};
pub use inspect::{InspectRequest, Inspected, Profile};
pub(crate) use revisions::Revisions;
pub use revisions::description;
pub(crate) use schema::{compile as compile_schema, weight as schema_weight};
pub use show::{complete, list, look, versions};
pub use stored::{Head, Record, Version};
pub use update::update;
pub use upload::{Upload, upload, upload_version};
