//! TorchScript files: archives and the pickles in them.

use std::io::Cursor;

use super::fixture;
use crate::{Memory, Target};

pub(super) const TARGET: Target = Target {
    name: "torchscript",
    seeds,
    words: &[
        "PK\u{1}\u{2}",
        "PK\u{3}\u{4}",
        "PK\u{5}\u{6}",
        "PK\u{6}\u{6}",
        "data.pkl",
        "constants.pkl",
        "code/",
        "../",
        "\u{0}\u{0}",
        "cposix\nsystem\n",
        "c__torch__\n",
        "R.",
    ],
    read,
    memory: Memory { base: 48 << 20, per_byte: 256 },
    cases: 1_000,
};

fn seeds() -> Vec<Vec<u8>> {
    ["genuine.pt", "reduce.pt", "stack_global.pt", "nested.pt", "bomb.pt", "state_dict.pt"]
        .map(|name| fixture(&format!("torchscript/{name}")))
        .to_vec()
}

/// What it says is its own; that it says it is what counts.
fn read(input: &[u8]) {
    if let Err(refused) = torchscript::check(&mut Cursor::new(input)).expect("memory is read") {
        let said = refused.to_string();
        assert!(!said.is_empty() && !said.contains('\u{0}'), "{said:?}");
    }
}
