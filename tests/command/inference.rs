//! `dcmp infer`

use serde_json::{Value, json};

use crate::{
    shell::Shell,
    support::{Platform, assert_close, mlp_case, numbers},
};

/// A platform with the model `mlp`, and a shell on its machine.
fn with_model() -> (Platform, Shell) {
    let platform = Platform::start();
    let shell = Shell::of(&platform);
    shell.fixture("mlp.onnx");
    shell.run(&["model", "upload", "mlp.onnx"]).ended(0);
    (platform, shell)
}

#[test]
fn an_input_comes_from_a_file_from_standard_input_or_as_it_is() {
    let (_platform, shell) = with_model();
    let (input, expected) = mlp_case();
    shell.file("input.json", input.to_string());
    let list = input["data"].to_string();
    let from_file = shell.run(&["infer", "mlp", "--input", "input.json", "--json"]);
    let given = [
        from_file,
        shell.pipe(&["infer", "mlp@1", "-i", "-", "--json"], &input.to_string()),
        shell.pipe(&["infer", "mlp", "--json"], &list),
        shell.run(&["infer", "mlp", "--json", "--input", &input.to_string()]),
        shell.run(&["infer", "mlp", "--json", "--placement", "platform", "--input", &list]),
    ];
    for said in given {
        let job = said.ended(0).json();
        assert_eq!(job["status"], "completed", "{job}");
        assert_close(&job["result"], &expected);
    }

    let said = shell.run(&["infer", "mlp", "--input", "input.json"]).ended(0);
    assert_eq!((said.field("status"), said.err.as_str()), ("completed", ""));
    let (shape, shown) = said.field("result").split_once(": ").unwrap();
    assert_eq!(shape, "float32 [1, 2]");
    let shown: Vec<Value> = shown.split(' ').map(|n| serde_json::from_str(n).unwrap()).collect();
    assert_close(&json!({ "data": shown }), &expected);
    assert_eq!(numbers(&json!(shown)).len(), 2);
    assert!(said.field("model").ends_with("@1") && said.field("time").contains("compute"));
}

#[test]
fn what_is_wrong_with_an_input_is_said() {
    let (_platform, shell) = with_model();
    shell.file("text.json", "one, two");
    shell.file("binary.json", [0xff, 0xfe, 0]);
    for (input, code, words) in [
        ("none.json", 2, &["cannot read none.json"][..]),
        ("text.json", 2, &["the input is not JSON"]),
        ("binary.json", 2, &["cannot read binary.json"]),
        ("[[1, 2], [3]]", 2, &["different lengths"]),
        ("[1, 2, 3]", 3, &["VALIDATION_ERROR", "shape"]),
        (r#"{"data": [1], "shape": [1, 10]}"#, 3, &["VALIDATION_ERROR"]),
    ] {
        shell.run(&["infer", "mlp", "--input", input]).refused(code, words);
        shell.run(&["infer", "mlp", "--json", "--input", input]).refused(code, words);
    }
    shell.pipe(&["infer", "mlp"], "").refused(2, &["the input is empty"]);
    shell.run(&["infer", "cats", "--input", "[1]"]).refused(3, &["no model is called `cats`"]);
    let unknown = format!("model_{}", "0".repeat(32));
    let tensor = r#"{"data": [1], "shape": [1]}"#;
    shell.run(&["infer", &unknown, "--input", tensor]).refused(3, &[&unknown]);
    shell.run(&["infer"]).refused(2, &["<MODEL>"]);
    shell.run(&["infer", "mlp", "--timeout", "soon", "--input", "[1]"]).refused(2, &["--timeout"]);
}

#[tokio::test]
async fn a_job_that_outlasts_its_caller_is_5() {
    let platform = Platform::without_own_device();
    let shell = Shell::of(&platform);
    shell.fixture("mlp.onnx");
    shell.run(&["model", "upload", "mlp.onnx"]).ended(0);
    let input = mlp_case().0.to_string();
    let nobody = ["infer", "mlp", "--input", &input];
    shell.run(&nobody).refused(1, &["NO_DEVICES", "`dcmp device`", "--async"]);

    let device = platform.device("stopped").await;
    device.process.signal(19);
    let late = [&nobody[..], &["--timeout", "100"]].concat();
    let said = shell.run(&late).ended(5);
    let job = said.field("job").to_owned();
    said.told(&[&format!("dcmp jobs show {job}")]);
    let accepted = shell.run(&[&late[..], &["--json"]].concat()).ended(5).json();
    device.process.signal(18);
    for job in [&job, accepted["job_id"].as_str().unwrap()] {
        assert_eq!(platform.client.until_ended(job).await["status"], "completed");
    }

    // that a job goes on is what was asked for
    let asked = [&nobody[..], &["--async", "--json"]].concat();
    let accepted = shell.run(&asked).ended(0).json();
    platform.client.until_ended(accepted["job_id"].as_str().unwrap()).await;
}

#[test]
fn a_repetition_with_the_same_key_is_the_same_job() {
    let (_platform, shell) = with_model();
    let input = mlp_case().0.to_string();
    let infer = ["infer", "mlp", "--input", &input, "--idempotency-key", "k", "--json"];
    let jobs = [shell.json(&infer), shell.json(&infer)];
    assert_eq!(jobs[0]["job_id"], jobs[1]["job_id"]);
    let other = ["infer", "mlp", "--input", "[0,0,0,0,0,0,0,0,0,0]", "--idempotency-key", "k"];
    shell.run(&other).refused(3, &["IDEMPOTENCY_MISMATCH"]);
}

#[test]
fn pictures_rows_and_texts_become_predictions() {
    let platform = Platform::start();
    let shell = Shell::of(&platform);
    let cases = crate::support::fixture_json("adapters/cases.json");
    let file = |name: &str| {
        use base64::Engine;
        let text = cases["files"][name].as_str().unwrap();
        shell.file(name, base64::engine::general_purpose::STANDARD.decode(text).unwrap())
    };
    shell.file("pictures.onnx", crate::support::fixture("adapters/pictures.onnx"));
    shell.file("labels.json", cases["labels"].to_string());
    shell.run(&["model", "upload", "pictures.onnx"]).ended(0);
    let adapters = ["--pre", "image_classification", "--post", "top_k_labels"];
    let labels = ["model", "update", "pictures", "--labels", "labels.json"];
    shell.run(&[&labels[..], &adapters].concat()).ended(0);
    for case in &cases["answers"].as_array().unwrap()[..2] {
        file(case["file"].as_str().unwrap());
    }
    let said = shell.run(&["infer", "pictures", "--image", "photo.jpg"]).ended(0);
    let lines: Vec<_> = said.out.lines().map(str::trim_end).collect();
    let header = lines.iter().position(|line| line.starts_with("label")).unwrap();
    let best = cases["answers"][0]["predictions"][0]["label"].as_str().unwrap();
    assert!(lines[header + 1].starts_with(best), "{}", said.out);
    assert_eq!(lines.len(), header + 6, "{}", said.out);
    let both = ["infer", "pictures", "--image", "photo.jpg", "turned.jpg", "--json"];
    let both = shell.json(&both);
    assert_eq!(both["result"].as_array().map(Vec::len), Some(2), "{both}");

    shell.fixture("mlp.onnx");
    shell.run(&["model", "upload", "mlp.onnx"]).ended(0);
    let names: Vec<_> = (0..10).rev().map(|i| format!("x{i}")).collect();
    let properties: Vec<_> = names.iter().map(|name| format!("\"{name}\": {{}}")).collect();
    shell.file("schema.json", format!("{{\"properties\": {{{}}}}}", properties.join(",")));
    let update = ["model", "update", "mlp", "--schema", "schema.json", "--pre", "tabular"];
    shell.run(&update).ended(0);
    let (input, expected) = mlp_case();
    let values: Vec<_> = numbers(&input["data"]).iter().map(f64::to_string).collect();
    shell.file("rows.csv", format!("{}\n{}\n", names.join(","), values.join(",")));
    let job = shell.json(&["infer", "mlp", "--rows", "rows.csv", "--json"]);
    assert_close(&job["result"], &expected);
    let raw = shell.json(&["infer", "mlp", "--raw", "--json", "--input", &input.to_string()]);
    assert_close(&raw["result"], &expected);
    let list = format!("[{}]", values.join(","));
    assert_close(&shell.json(&["infer", "mlp", "--json", "-i", &list])["result"], &expected);

    shell.run(&["infer", "mlp", "--text", "a"]).refused(3, &["VALIDATION_ERROR", "input.x9"]);
    shell.run(&["infer", "mlp", "--image", "none.png"]).refused(2, &["cannot read none.png"]);
    shell.run(&["infer", "mlp", "--rows", "none.csv"]).refused(2, &["cannot read none.csv"]);
    let two = ["infer", "mlp", "--rows", "rows.csv", "--text", "a"];
    shell.run(&two).refused(2, &["cannot be used with"]);
}
