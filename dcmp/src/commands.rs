//! The commands that talk to a platform, a file each.

pub(crate) mod batch;
pub(crate) mod dataset;
pub(crate) mod dead_letters;
pub(crate) mod demo;
pub(crate) mod device;
pub(crate) mod devices;
pub(crate) mod infer;
pub(crate) mod jobs;
pub(crate) mod key;
pub(crate) mod login;
pub(crate) mod model;
