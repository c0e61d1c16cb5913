//! What is given harmful bytes, one file each.

mod bodies;
mod cursors;
mod datasets;
mod forms;
mod frames;
mod onnx;
mod socket;
mod tensors;
mod torchscript;
mod world;

use crate::Target;

/// All of them.
pub const TARGETS: &[Target] = &[
    frames::TARGET,
    socket::TARGET,
    tensors::TARGET,
    bodies::TARGET,
    forms::TARGET,
    cursors::TARGET,
    onnx::TARGET,
    torchscript::TARGET,
    datasets::TARGET,
];

/// Pieces of JSON in which trouble begins.
const JSON: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    "\"",
    ",",
    ":",
    "null",
    "true",
    "-1",
    "0",
    "1e400",
    "-1e-400",
    "1.5",
    "18446744073709551615",
    "18446744073709551616",
    "9223372036854775807",
    "4294967296",
    "\\u0000",
    "\\ud800",
    "{\"type\":",
    "[[[[[[[[",
    "{\"a\":",
    "\"\"",
    "é",
    "\u{0}",
];

/// A file of `fixtures/`.
fn fixture(name: &str) -> Vec<u8> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
