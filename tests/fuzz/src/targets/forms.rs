//! Multipart forms, uploaded.

use super::world::{FORM, world};
use crate::{Memory, Target};

pub(super) const TARGET: Target = Target {
    name: "forms",
    seeds,
    words: &[
        "--b",
        "--b--",
        "\r\n",
        "\r\n\r\n",
        "Content-Disposition: form-data; name=\"model\"",
        "; filename=\"a.onnx\"",
        "name=\"labels\"",
        "name=\"input_schema\"",
        "[1,10]",
        "[-1]",
        "{}",
        "Content-Type: text/plain; charset=utf-7",
        "Content-Transfer-Encoding: base64",
        "\u{0}",
        "é",
    ],
    read,
    memory: Memory { base: 64 << 20, per_byte: 512 },
    cases: 150,
};

/// A whole form with this file and some fields.
pub(super) fn form(file: &[u8]) -> Vec<u8> {
    let head = |name: &str| format!("--b\r\nContent-Disposition: form-data; {name}\r\n\r\n");
    let mut form = Vec::new();
    for (name, text) in [("name", "a model"), ("labels", "[\"cat\",\"dog\"]"), ("x", "ignored")] {
        form.extend(format!("{}{text}\r\n", head(&format!("name=\"{name}\""))).into_bytes());
    }
    form.extend(head("name=\"model\"; filename=\"m.onnx\"").into_bytes());
    form.extend(file);
    form.extend(b"\r\n--b--\r\n");
    form
}

fn seeds() -> Vec<Vec<u8>> {
    let schema = "--b\r\nContent-Disposition: form-data; name=\"input_schema\"\r\n\r\n{\"type\":\"object\"}\r\n";
    let mut shaped = schema.as_bytes().to_vec();
    shaped.extend(form(b"no model"));
    vec![form(&super::fixture("wide.onnx")), form(b""), shaped]
}

fn read(input: &[u8]) {
    world().answers("POST", "/models", FORM, input.to_vec());
}
