//! Datasets: rows that a customer brings once, for batches and for training. A dataset is one file
//! that was read through when it came, and whose rows are found again without reading the rest.
//! Nothing of it changes once it is ready; it goes when its time is over.

mod delete;
mod find;
mod inspect;
mod show;
mod stored;
mod tensors;
mod upload;
pub mod uploads;
mod values;

pub use delete::delete;
pub(crate) use delete::{clear, remove_files};
pub use find::{Dataset, find};
pub use inspect::{InspectRequest, Inspected};
pub use show::{complete, list, show};
pub(crate) use stored::Record;
pub use tensors::read_tensors;
pub use upload::{About, Upload, upload};
pub use values::read_values;
