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
fn versions_and_changes() {
    let platform = Platform::start();
    let shell = Shell::of(&platform);
    shell.fixture("mlp.onnx");
    shell.fixture("cnn.onnx");
    let id = shell.json(&["model", "upload", "mlp.onnx", "--name", "net", "--json"])["id"].clone();
    let second = shell.run(&["model", "upload", "cnn.onnx", "--version-of", "net"]).ended(0);
    assert_eq!((second.field("id"), second.field("version")), (id.as_str().unwrap(), "2"));
    assert!(second.out.contains("warning"), "{}", second.out);
    let list = shell.run(&["model", "versions", "net"]).ended(0);
    let rows: Vec<_> = list.out.lines().map(str::trim_start).collect();
    assert!(rows[1].starts_with("2 ") && rows[2].starts_with("1 "), "{rows:?}");
    let list = shell.json(&["model", "versions", "net", "--json"]);
    assert_eq!((&list["total"], &list["versions"][1]["version"]), (&2.into(), &1.into()));

    // wherever a model is named, a version may be
    let first = shell.run(&["model", "show", "net@1"]).ended(0);
    assert_eq!((first.field("version"), first.field("revision")), ("1", "1"));
    shell.run(&["model", "download", "net@1", "-o", "first.onnx"]).ended(0);
    assert_eq!(std::fs::read(shell.home().join("first.onnx")).unwrap(), fixture("mlp.onnx"));
    shell.run(&["model", "show", "net@3"]).refused(3, &["no version 3"]);

    shell.file("schema.json", r#"{"type":"object"}"#);
    let update = ["model", "update", "net", "--name", "cats", "--labels", "cat, dog"];
    let more = ["--schema", "schema.json", "--pre", "passthrough", "--post", "regression"];
    let changed = shell.run(&[&update[..], &more].concat()).ended(0);
    assert_eq!((changed.field("name"), changed.field("revision")), ("cats", "2"));
    assert_eq!(
        (changed.field("labels"), changed.field("preprocessing")),
        ("cat, dog", "passthrough")
    );
    assert_eq!(changed.field("postprocessing"), "regression");
    let cleared = ["model", "update", "cats", "--clear", "labels", "--clear", "input-schema"];
    let cleared = shell.json(&[&cleared[..], &["--json"]].concat());
    assert_eq!((&cleared["labels"], &cleared["revision"]), (&serde_json::Value::Null, &3.into()));
    for (arguments, code, words) in [
        (&["update", "cats"][..], 2, &["nothing to change"][..]),
        (&["update", "cats", "--labels", "a,b", "--clear", "labels"], 2, &["labels", "one of"]),
        (&["update", "cats", "--clear", "name"], 2, &["name"]),
        (&["update", "cats", "--schema", "first.onnx"], 2, &["first.onnx"]),
        (&["update", "cats", "--pre", "magic"], 3, &["preprocessing", "image_classification"]),
        (&["update", "dogs", "--name", "a"], 3, &["no model is called `dogs`"]),
        (&["versions", "dogs"], 3, &["no model is called `dogs`"]),
        (&["upload", "mlp.onnx", "--version-of", "dogs"], 3, &["no model is called `dogs`"]),
        (&["upload", "mlp.onnx", "--version-of", "cats", "--name", "a"], 3, &["name", "PATCH"]),
    ] {
        shell.run(&[&["model"], arguments].concat()).refused(code, words);
    }
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
