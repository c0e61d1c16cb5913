//! `dcmp model`

use crate::{
    shell::Shell,
    support::{Platform, fixture},
};

#[test]
fn a_models_life() {
    let platform = Platform::start();
    let shell = Shell::of(&platform);
    shell.fixture("mlp.onnx");
    let none = shell.run(&["model", "list"]).ended(0);
    assert_eq!(none.out, "");
    none.told(&["dcmp model upload"]);
    assert_eq!(shell.json(&["model", "list", "--json"])["models"], serde_json::json!([]));

    let uploaded = shell.run(&["model", "upload", "mlp.onnx"]).ended(0);
    assert_eq!((uploaded.field("name"), uploaded.field("placement")), ("mlp", "own"));
    let id = uploaded.field("id").to_owned();
    uploaded.told(&[&format!("dcmp infer {id}")]);
    let other = ["model", "upload", "mlp.onnx", "--name", "other", "--placement", "shared"];
    let other = shell.json(&[&other[..], &["--json"]].concat());
    assert_eq!((&other["name"], &other["placement"]), (&"other".into(), &"shared".into()));

    let list = shell.run(&["model", "list"]).ended(0);
    let rows: Vec<&str> = list.out.lines().collect();
    assert!(rows[0].starts_with("id ") && rows[1].contains(" other ") && rows[2].contains(&id));
    assert_eq!(rows.len(), 3);
    let list = shell.json(&["model", "list", "--json"]);
    assert_eq!((&list["total"], &list["models"][1]["id"]), (&2.into(), &id.as_str().into()));

    let shown = shell.run(&["model", "show", "mlp"]).ended(0);
    assert_eq!((shown.field("id"), shown.field("input")), (id.as_str(), "input: float32 [N, 10]"));
    assert_eq!(shell.json(&["model", "show", &id, "--json"])["name"], "mlp");

    let deleted = shell.run(&["model", "delete", "mlp", &id]).ended(0);
    assert_eq!(deleted.out, "");
    deleted.told(&[&format!("deleted {id}")]);
    let gone = shell.json(&["model", "delete", "other", "--json"]);
    assert_eq!(gone, serde_json::json!({ "deleted": [other["id"]] }));
    shell.run(&["model", "show", &id]).refused(3, &["request id: req_"]);
    shell.run(&["model", "show", "mlp"]).refused(3, &["no model is called `mlp`"]);
}

#[test]
fn a_download_is_the_file() {
    let platform = Platform::start();
    let shell = Shell::of(&platform);
    shell.fixture("mlp.onnx");
    shell.run(&["model", "upload", "mlp.onnx", "--name", "net"]).ended(0);
    let read = |name: &str| std::fs::read(shell.home().join(name)).unwrap();

    let saved = shell.run(&["model", "download", "net"]).ended(0);
    assert_eq!(saved.out, "net.onnx\n");
    assert_eq!(read("net.onnx"), fixture("mlp.onnx"));
    shell.run(&["model", "download", "net"]).refused(2, &["net.onnx is there already", "-o"]);
    std::fs::create_dir(shell.home().join("copies")).unwrap();
    let saved = shell.run(&["model", "download", "net", "-o", "copies"]).ended(0);
    assert_eq!(saved.out, "copies/net.onnx\n");
    let about = shell.json(&["model", "download", "net", "-o", "copy.onnx", "--json"]);
    assert_eq!(about["name"], "net");
    assert_eq!((read("copies/net.onnx"), read("copy.onnx")), (read("net.onnx"), read("net.onnx")));

    let bytes = shell.command(&["model", "download", "net", "-o", "-"]).output().unwrap();
    assert_eq!((bytes.status.code(), bytes.stdout), (Some(0), fixture("mlp.onnx")));
    let both = ["model", "download", "net", "-o", "-", "--json"];
    shell.run(&both).refused(2, &["--json", "standard output"]);
    shell.run(&["model", "download", "net", "-o", "no/folder/x"]).refused(2, &["no/folder"]);
    // what failed leaves nothing
    let left = std::fs::read_dir(shell.home()).unwrap().map(|file| file.unwrap().file_name());
    let mut left: Vec<_> = left.map(|name| name.into_string().unwrap()).collect();
    left.sort();
    assert_eq!(left, ["copies", "copy.onnx", "mlp.onnx", "net.onnx"]);
}

#[test]
fn what_is_wrong_with_a_model_is_said() {
    let platform = Platform::start();
    let shell = Shell::of(&platform);
    shell.fixture("mlp.onnx");
    shell.file("text.onnx", "no model at all");
    for (arguments, code, words) in [
        (&["upload", "none.onnx"][..], 2, &["cannot read none.onnx"][..]),
        (&["upload", "."], 2, &[". is not a file"]),
        (&["upload", "mlp.onnx", "--labels", "none.txt"], 2, &["cannot read none.txt"]),
        (&["upload", "mlp.onnx", "--input-shape", "cat"], 2, &["such as 1,10"]),
        (&["upload"], 2, &["<FILE>"]),
        (&["upload", "text.onnx"], 3, &["VALIDATION_ERROR", "ONNX"]),
        (&["upload", "mlp.onnx", "--input-shape", "N,11"], 3, &["input_shape", "[N, 10]"]),
        (&["upload", "mlp.onnx", "--placement", "moon"], 3, &["placement"]),
        (&["show", "cats"], 3, &["no model is called `cats`", "dcmp model list"]),
        (&["delete", "cats"], 3, &["no model is called `cats`"]),
        (&["delete"], 2, &["<MODELS>"]),
        (&["paint"], 2, &["paint"]),
    ] {
        shell.run(&[&["model"], arguments].concat()).refused(code, words);
        if !matches!(arguments, ["upload"] | ["delete"] | ["paint"]) {
            let json = [&["model"], arguments, &["--json"]].concat();
            shell.run(&json).refused(code, words);
        }
    }

    for _ in 0..2 {
        shell.run(&["model", "upload", "mlp.onnx", "--name", "twin"]).ended(0);
    }
    shell.run(&["model", "show", "twin"]).refused(2, &["2 models are called `twin`", "model_"]);
    // a typo in one name deletes none
    shell.run(&["model", "upload", "mlp.onnx", "--name", "one"]).ended(0);
    shell.run(&["model", "delete", "one", "on"]).refused(3, &["`on`"]);
    shell.run(&["model", "show", "one"]).ended(0);
}
