//! `dcmp up` that cannot start says what to change, and ends as `dcmp --help` promises.

use std::{net::TcpListener, path::Path, process::Command};

use crate::support::{DCMP, Platform};

/// Its exit code and what it said; it ends by itself.
fn up(data: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(DCMP);
    command.args(["up", "--data"]).arg(data);
    if !arguments.contains(&"--listen") {
        command.args(["--listen", "127.0.0.1:0"]);
    }
    let output = command.args(arguments).output().unwrap();
    assert!(output.stdout.is_empty(), "it was not ready");
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[tokio::test]
async fn what_the_command_line_can_change_is_a_usage_error() {
    let platform = Platform::without_own_device();
    let free = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let file = free.path().join("file");
    std::fs::write(&file, "").unwrap();
    // refused before anything is served
    let public = "0.0.0.0:0";
    let cases: [(&Path, &[&str], &str); 8] = [
        (free.path(), &["--api-key", " "], "--api-key is empty"),
        (free.path(), &["--admin-key", ""], "--admin-key is empty"),
        (free.path(), &["--api-key", "mine", "--listen", public], "loopback address"),
        (free.path(), &["--admin-key", "mine", "--listen", public], "at least 32 characters"),
        (free.path(), &["--lease-ms", "1"], "--lease-ms must be at least"),
        (free.path(), &["--listen", &taken], "choose another with --listen"),
        (&file, &[], "cannot be used"),
        (&platform.data, &[], "another directory with --data"),
    ];
    for (data, arguments, words) in cases {
        let (code, said) = up(data, arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {said}");
        assert!(said.contains(words), "{arguments:?}: {said}");
    }
}

#[tokio::test]
async fn a_damaged_client_file_is_made_anew() {
    let mut platform = Platform::without_own_device();
    platform.process.end();
    let file = platform.data.join("client.json");
    std::fs::write(&file, "{\"url\":").unwrap();
    platform.restart();
    assert!(platform.process.said().contains("client.json is damaged"));
    let access: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(access["url"], platform.url);
}
