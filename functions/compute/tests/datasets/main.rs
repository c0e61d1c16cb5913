//! Datasets from upload to rows, over a real store and the function that reads files.

#![allow(clippy::unwrap_used, reason = "tests")]

mod parts;
mod rows;
mod world;
