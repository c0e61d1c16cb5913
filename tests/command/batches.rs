//! `dcmp batch`, and `dcmp jobs` of batches

use std::{
    io::{Cursor, Read},
    process::Stdio,
    sync::{Arc, Mutex},
};

use archive::{Contents, Rules, entries};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};

use crate::{
    shell::{Said, Shell},
    support::{Device, KEY, Platform, Process, assert_close, eventually, fixture_json, numbers},
};

/// A platform with the model `mlp` and a device, and a shell on its machine.
async fn with_device() -> (Platform, Device, Shell) {
    let (platform, shell) = without_device();
    let device = platform.device("worker").await;
    (platform, device, shell)
}

fn without_device() -> (Platform, Shell) {
    let platform = Platform::without_own_device();
    let shell = Shell::of(&platform);
    shell.fixture("mlp.onnx");
    shell.run(&["model", "upload", "mlp.onnx"]).ended(0);
    (platform, shell)
}

/// Inputs of `mlp`, ten numbers each, and what it makes of them, two each.
fn cases() -> Vec<(Vec<f64>, Vec<f64>)> {
    let cases = fixture_json("mlp.json");
    let cases = cases["cases"].as_array().unwrap();
    let single = cases.iter().filter(|case| case["input"]["shape"] == json!([1, 10]));
    single.map(|case| (numbers(&case["input"]["data"]), numbers(&case["output"]["data"]))).collect()
}

fn joined(numbers: &[f64]) -> String {
    numbers.iter().map(f64::to_string).collect::<Vec<_>>().join(",")
}

/// A file of one float32 array, as NumPy writes it.
fn npy(rows: &[Vec<f64>]) -> Vec<u8> {
    let shape = (rows.len(), rows[0].len());
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape:?}, }}");
    let header = format!("{header:<117}\n");
    let mut file = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    file.extend(header.as_bytes());
    file.extend(rows.iter().flatten().flat_map(|value| (*value as f32).to_le_bytes()));
    file
}

/// The bytes behind the headers of an archive's arrays, by name.
fn arrays(npz: Vec<u8>) -> Vec<(String, Vec<u8>)> {
    let mut file = Cursor::new(npz);
    let rules = Rules { what: "", remedy: "", max_entries: 9, max_directory: 1 << 10 };
    let entries = entries(&mut file, &rules).unwrap();
    let unpack = |entry| {
        let mut bytes = Vec::new();
        Contents::open(&mut file, entry).unwrap().read_to_end(&mut bytes).unwrap();
        (entry.name.clone(), bytes[128..].to_vec())
    };
    entries.iter().map(unpack).collect()
}

fn lines(said: &Said) -> Vec<Value> {
    said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[track_caller]
fn assert_right(items: &[Value]) {
    let cases = cases();
    assert_eq!(items.len(), cases.len());
    for ((index, item), (_, expected)) in items.iter().enumerate().zip(&cases) {
        assert_eq!((&item["index"], &item["status"]), (&json!(index), &json!("completed")));
        assert_close(&item["result"], expected);
    }
}

#[tokio::test]
async fn files_of_every_kind_are_inputs() {
    let (_platform, _device, shell) = with_device().await;
    let inputs: Vec<_> = cases().into_iter().map(|(input, _)| input).collect();
    let tensors: Vec<_> =
        inputs.iter().map(|input| json!({ "data": input, "shape": [1, 10] })).collect();
    let rows: Vec<_> = inputs.iter().map(|input| joined(input)).collect();
    let lists: Vec<_> = rows.iter().map(|row| format!("[{row}]")).collect();
    let names: Vec<_> = (0..10).map(|place| format!("x{place}")).collect();
    shell.file("tensors.json", json!(tensors).to_string());
    shell.file("lists.ndjson", lists.join("\n"));
    shell.file("rows.csv", format!("{}\n{}\n", names.join(","), rows.join("\n")));
    shell.file("rows.npy", npy(&inputs));
    for file in ["tensors.json", "lists.ndjson", "rows.csv", "rows.npy"] {
        let said = shell.run(&["batch", "mlp", file, "--wait"]).ended(0);
        assert_right(&lines(&said));
    }
    let piped = shell.pipe(&["batch", "mlp", "-", "--wait"], &lists.join("\n")).ended(0);
    assert_right(&lines(&piped));
    shell.file("first.ndjson", &lists[0]);
    shell.file("others.json", format!("[{}]", lists[1..].join(",")));
    let both = shell.run(&["batch", "mlp", "first.ndjson", "others.json", "--wait"]).ended(0);
    assert_right(&lines(&both));

    // what was uploaded for the batch can be used again
    let said = shell.run(&["batch", "mlp", "--dataset", "rows.npy", "--wait"]).ended(0);
    assert_right(&lines(&said));
}

#[tokio::test]
async fn results_are_lines_a_table_or_arrays() {
    let (_platform, _device, shell) = with_device().await;
    let cases = cases();
    let wrong = r#"{"data":[1],"shape":[1,10]}"#;
    let right = joined(&cases[0].0);
    shell.file("some.ndjson", format!("{wrong}\n[{right}]\n"));
    let failed = ["1 of 2 inputs failed", "dcmp jobs results batch_"];
    let said = shell.run(&["batch", "mlp", "some.ndjson", "--wait"]).ended(4).told(&failed);
    let items = lines(&said);
    assert_eq!(
        (&items[0]["status"], &items[0]["error"]["code"]),
        (&"failed".into(), &"INVALID_INPUT".into())
    );
    assert_close(&items[1]["result"], &cases[0].1);

    let table = ["batch", "mlp", "some.ndjson", "--output", "some.csv"];
    let said = shell.run(&table).ended(4).told(&["2 results in some.csv", "1 of 2 inputs failed"]);
    assert_eq!(said.out, "");
    let text = std::fs::read_to_string(shell.home().join("some.csv")).unwrap();
    let rows: Vec<_> = text.lines().collect();
    assert_eq!(rows[0], "index,status,output_0,output_1,error");
    assert!(rows[1].starts_with("0,failed,,,") && rows[1].contains("INVALID_INPUT"), "{text}");
    let cells: Vec<_> = rows[2].split(',').collect();
    assert_eq!((cells[0], cells[1], cells[4]), ("1", "completed", ""));
    let found: Vec<f64> = cells[2..4].iter().map(|cell| cell.parse().unwrap()).collect();
    assert_close(&json!({ "data": found }), &cases[0].1);

    shell.run(&["batch", "mlp", "some.ndjson", "--output", "some.npz"]).ended(4);
    let npz = std::fs::read(shell.home().join("some.npz")).unwrap();
    let [(output, data), (ok, flags)] = arrays(npz).try_into().unwrap();
    assert_eq!((output.as_str(), ok.as_str(), &flags[..]), ("output.npy", "ok.npy", &[0, 1][..]));
    let found: Vec<_> =
        data.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect();
    assert!(found[0].is_nan() && found[1].is_nan(), "{found:?}");
    assert_close(&json!({ "data": found[2..] }), &cases[0].1);
}

#[tokio::test]
async fn what_has_no_room_in_a_request_goes_as_a_dataset() {
    const MANY: usize = 10_001;
    let (_platform, _device, shell) = with_device().await;
    let (input, expected) = cases().remove(0);
    let line = format!("[{}]\n", joined(&input));
    shell.file("many.ndjson", line.repeat(MANY));
    let said = shell.run(&["batch", "mlp", "many.ndjson", "--output", "many.ndjson.out"]);
    said.refused(2, &["`.out` says no format"]);
    let batch = ["batch", "mlp", "many.ndjson", "--output", "answers.ndjson"];
    let said = shell.run(&batch).ended(0);
    said.told(&[
        "has 10001 inputs",
        "completed: 10001 of 10001",
        "10001 results in answers.ndjson",
    ]);
    let text = std::fs::read_to_string(shell.home().join("answers.ndjson")).unwrap();
    let items: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(items.len(), MANY);
    for (index, item) in items.iter().enumerate() {
        assert_eq!(item["index"], index);
        assert_close(&item["result"], &expected);
    }
    let listed = shell.run(&["dataset", "list"]).ended(0);
    assert!(listed.out.contains("many.ndjson"), "{listed:?}");
    let dry = ["batch", "mlp", "many.ndjson", "--dry-run"];
    shell.run(&dry).refused(2, &["dcmp dataset upload", "--dataset"]);
}

#[tokio::test]
async fn pictures_become_labels() {
    let (_platform, _device, shell) = with_device().await;
    let cases = fixture_json("adapters/cases.json");
    shell.file("pictures.onnx", crate::support::fixture("adapters/pictures.onnx"));
    shell.file("labels.json", cases["labels"].to_string());
    shell.run(&["model", "upload", "pictures.onnx"]).ended(0);
    std::fs::create_dir(shell.home().join("pets")).unwrap();
    let answers = &cases["answers"].as_array().unwrap()[..2];
    let mut expected: Vec<_> = answers
        .iter()
        .map(|case| {
            use base64::Engine;
            let name = case["file"].as_str().unwrap();
            let text = cases["files"][name].as_str().unwrap();
            let bytes = base64::engine::general_purpose::STANDARD.decode(text).unwrap();
            shell.file(&format!("pets/{name}"), bytes);
            (name, case["predictions"][0]["label"].as_str().unwrap())
        })
        .collect();
    // images go by their names
    expected.sort_unstable();
    let batch = ["batch", "pictures", "pets", "--output", "pets.csv"];
    shell.run(&batch).refused(2, &["is an image", "dcmp model update"]);
    let adapters = ["--pre", "image_classification", "--post", "top_k_labels"];
    let labels = ["model", "update", "pictures", "--labels", "labels.json"];
    shell.run(&[&labels[..], &adapters].concat()).ended(0);
    shell.run(&batch).ended(0);
    let text = std::fs::read_to_string(shell.home().join("pets.csv")).unwrap();
    let rows: Vec<_> = text.lines().map(|line| line.split(',').collect::<Vec<_>>()).collect();
    assert_eq!(rows[0][..4], ["index", "status", "label", "score"]);
    let found: Vec<_> = rows[1..].iter().map(|row| row[2]).collect();
    assert_eq!(found, expected.iter().map(|(_, label)| *label).collect::<Vec<_>>());
    let arrays = ["batch", "pictures", "pets", "--output", "pets.npz"];
    shell.run(&arrays).ended(2).told(&["the results are words", "--format csv"]);
    assert!(!shell.home().join("pets.npz").exists());
}

#[tokio::test]
async fn a_batch_waits_for_devices_and_watchers_come_and_go() {
    let (platform, shell) = without_device();
    shell.file("one.json", format!("[[{}]]", joined(&cases()[0].0)));
    let said = shell.run(&["batch", "mlp", "one.json", "--name", "night"]).ended(0);
    let job = said.field("job").to_owned();
    assert_eq!((said.field("status"), said.field("inputs")), ("queued", "1"));
    said.told(&["no device is connected", "dcmp device", &format!("dcmp jobs watch {job}")]);
    let shown = shell.run(&["jobs", "show", &job]).ended(5);
    assert_eq!((shown.field("name"), shown.field("over")), ("night", "0 (0.0 %)"));
    let late = ["jobs", "watch", &job, "--timeout", "100"];
    shell.run(&late).ended(5).told(&["not over after 100 ms", &format!("dcmp jobs watch {job}")]);

    let waiting = ["batch", "mlp", "one.json", "--wait", "--format", "csv"];
    let watching = ["jobs", "watch", &job, "--json"];
    let mut watchers = [&waiting[..], &watching]
        .map(|arguments| Process::spawn(shell.command(arguments).stdout(Stdio::null())));
    for watcher in &mut watchers {
        let told = || async { watcher.said().contains("no device is connected").then_some(()) };
        eventually("word of missing devices", told).await;
        watcher.signal(2);
        assert_eq!(watcher.code(), Some(130), "{}", watcher.said());
        assert!(watcher.said().contains("interrupted; batch_"), "{}", watcher.said());
        assert!(watcher.said().contains("dcmp jobs watch batch_"), "{}", watcher.said());
    }

    let _device = platform.device("late").await;
    let said = shell.run(&["jobs", "watch", &job]).ended(0);
    assert_eq!((said.field("status"), said.field("over")), ("completed", "1 (100.0 %)"));
    let results = shell.run(&["jobs", "results", &job, "--format", "csv"]).ended(0);
    assert!(
        results.out.starts_with("index,status,output_0,output_1,error\n0,completed,"),
        "{results:?}"
    );
    let listed = shell.run(&["jobs", "list"]).ended(0);
    assert_eq!(listed.out.lines().count(), 3, "{listed:?}");
    assert!(listed.out.contains("night"), "{listed:?}");
    assert_eq!(shell.json(&["jobs", "list", "--json"])["jobs"].as_array().map(Vec::len), Some(2));
    let shown = shell.json(&["jobs", "show", &job, "--json"]);
    assert_eq!(shown["progress"]["completed"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_outlasts_a_crash_of_the_platform() {
    let (mut platform, shell) = without_device();
    shell.file("one.json", format!("[[{}]]", joined(&cases()[0].0)));
    let job = shell.run(&["batch", "mlp", "one.json"]).ended(0).field("job").to_owned();
    let authority = |platform: &Platform| platform.url.strip_prefix("http://").unwrap().to_owned();
    let behind = Arc::new(Mutex::new(authority(&platform)));
    let door = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", door.local_addr().unwrap());
    let passing = tokio::spawn(pass_on(door, behind.clone()));

    let away = Shell::new().with("DCMP_URL", &url).with("DCMP_API_KEY", KEY);
    let mut watcher = away.command(&["jobs", "watch", &job]);
    let mut watcher = Process::spawn(watcher.stdout(Stdio::null()));
    let told = async |words: &str| {
        eventually(words, || async { watcher.said().contains(words).then_some(()) }).await;
    };
    told("running: 0 of 1 input").await;
    platform.process.kill();
    told("is looked for again").await;
    platform.restart();
    *behind.lock().unwrap() = authority(&platform);
    told("is there again").await;
    let _device = platform.device("late").await;
    assert_eq!(watcher.code(), Some(0), "{}", watcher.said());
    assert!(watcher.said().contains("completed: 1 of 1 input"), "{}", watcher.said());
    passing.abort();
}

/// Passes every connection on to whoever is behind the door then.
async fn pass_on(door: TcpListener, behind: Arc<Mutex<String>>) {
    while let Ok((mut outside, _)) = door.accept().await {
        let target = behind.lock().unwrap().clone();
        tokio::spawn(async move {
            if let Ok(mut inside) = TcpStream::connect(target).await {
                // it ends when either side does
                let _ = tokio::io::copy_bidirectional(&mut outside, &mut inside).await;
            }
        });
    }
}

#[tokio::test]
async fn a_batch_is_estimated_repeated_and_cancelled() {
    let (_platform, shell) = without_device();
    shell.file("one.json", format!("[[{}]]", joined(&cases()[0].0)));
    let batch = ["batch", "mlp", "one.json"];
    let said = shell.run(&[&batch[..], &["--dry-run"]].concat()).ended(0);
    assert_eq!((said.field("inputs"), said.field("devices")), ("1", "0"));
    shell.run(&["jobs", "list"]).ended(0).told(&["no batches yet"]);
    let keyed = [&batch[..], &["--idempotency-key", "k", "--json"]].concat();
    let [first, second] = [shell.json(&keyed), shell.json(&keyed)];
    assert_eq!(first["job_id"], second["job_id"]);

    let job = first["job_id"].as_str().unwrap();
    shell.run(&["jobs", "cancel", job]).ended(0).told(&[&format!("{job} is cancelled")]);
    let said = shell.run(&["jobs", "watch", job]).ended(4);
    assert_eq!(said.field("status"), "cancelled");
    shell.run(&["jobs", "results", job]).ended(4);
}

#[test]
fn what_is_no_batch_is_explained() {
    let (_platform, shell) = without_device();
    shell.file("one.json", "[[1]]");
    shell.file("bad.ndjson", "[1,2]\n{\"data\": [}\n");
    shell.file("what.txt", "1");
    let one = ["batch", "mlp", "one.json"];
    for (arguments, code, words) in [
        (&["batch", "mlp"][..], 2, &["<FILE>"][..]),
        (&["batch", "mlp", "none.json"], 2, &["cannot read none.json"]),
        (&["batch", "mlp", "bad.ndjson"], 2, &["bad.ndjson, line 2:", "not JSON"]),
        (&["batch", "mlp", "what.txt"], 2, &["what.txt does not say what it is"]),
        (&["batch", "cats", "one.json"], 3, &["no model is called `cats`"]),
        (&["batch", "mlp", "--dataset", "cats"], 3, &["no dataset is called `cats`"]),
        (&[&one[..], &["--format", "npz"]].concat(), 2, &["--output FILE.npz"]),
        (&[&one[..], &["--output", "none/a.csv"]].concat(), 2, &["no folder none"]),
        (&[&one[..], &["--placement", "moon"]].concat(), 3, &["VALIDATION_ERROR", "placement"]),
        (&["jobs", "results", "infer_1"], 2, &["is no batch", "dcmp jobs show"]),
    ] {
        shell.run(arguments).refused(code, words);
    }
    let nothing = format!("batch_{}", "0".repeat(32));
    for command in ["show", "watch", "results", "cancel"] {
        shell.run(&["jobs", command, &nothing]).refused(3, &["NOT_FOUND", &nothing]);
    }
}
