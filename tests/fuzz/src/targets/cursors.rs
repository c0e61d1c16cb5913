//! Cursors and whatever else stands in a query, of every list.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::world::{JSON, world};
use crate::{Memory, Target};

pub(super) const TARGET: Target = Target {
    name: "cursors",
    seeds,
    words: &[
        "cursor=", "limit=", "&", "=", "%", "%00", "%ff", "#", "0", "201", "-1", "status=",
        "\u{0}", "é",
    ],
    read,
    memory: Memory { base: 1 << 20, per_byte: 64 },
    cases: 400,
};

fn seeds() -> Vec<Vec<u8>> {
    ["odev_0193ab", "sdev_0193ab", "model_0193ab", "limit=5&cursor=b2Rldl8x", "status=idle"]
        .map(|text| text.as_bytes().to_vec())
        .to_vec()
}

fn read(input: &[u8]) {
    // as a position in a cursor that decodes, and as the query itself
    let cursor = URL_SAFE_NO_PAD.encode(input);
    let query = String::from_utf8_lossy(input);
    for list in ["/models", "/devices", "/devices/stats", "/devices/dev_1/logs"] {
        world().answers("GET", &format!("{list}?cursor={cursor}"), JSON, Vec::new());
        world().answers("GET", &format!("{list}?{query}"), JSON, Vec::new());
    }
}
