//! How commands find the platform, and what they say when they do not.

use std::process::Stdio;

use crate::{
    shell::Shell,
    support::{ADMIN, KEY, Platform},
};

/// Every command that asks a platform.
const COMMANDS: [&[&str]; 12] = [
    &["model", "list"],
    &["model", "show", "mlp"],
    &["model", "delete", "mlp"],
    &["model", "download", "mlp"],
    &["model", "upload", "mlp.onnx"],
    &["model", "upload", "mlp.onnx", "--parts"],
    &["infer", "mlp", "--input", "[1]"],
    &["devices"],
    &["job", "show", "infer_1"],
    &["job", "cancel", "infer_1"],
    &["key", "list"],
    &["key", "revoke", "key_1"],
];

#[test]
fn without_a_platform_it_is_1_and_says_what_to_do() {
    // a port that nobody listens on: it was free a moment ago
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let shell = Shell::new()
        .with("DCMP_URL", &format!("http://{free}"))
        .with("DCMP_API_KEY", KEY)
        .with("ADMIN_KEY", ADMIN);
    shell.fixture("mlp.onnx");
    for command in COMMANDS {
        let words = [&format!("no platform at http://{free}"), "dcmp up", "DCMP_URL"];
        shell.run(command).refused(1, &words);
        shell.run(&[command, &["--json"]].concat()).refused(1, &words);
    }
}

#[test]
fn a_refused_key_is_3() {
    let platform = Platform::without_own_device();
    let shell = Shell::of(&platform).with("DCMP_API_KEY", "wrong").with("ADMIN_KEY", "wrong");
    shell.fixture("mlp.onnx");
    for command in COMMANDS {
        shell.run(command).refused(3, &["AUTH_INVALID"]);
        shell.run(&[command, &["--json"]].concat()).refused(3, &["AUTH_INVALID"]);
    }
}

#[test]
fn without_a_key_or_a_right_address_it_is_2() {
    let nowhere = Shell::new();
    nowhere.fixture("mlp.onnx");
    for command in COMMANDS {
        nowhere.run(command).refused(2, &["key for http://127.0.0.1:3000", "dcmp up"]);
    }
    let with_key = |url| Shell::new().with("DCMP_API_KEY", KEY).with("DCMP_URL", url);
    with_key("localhost:3000").run(&["devices"]).refused(2, &["is not a URL", "http://"]);
    with_key("ftp://127.0.0.1").run(&["devices"]).refused(2, &["http"]);
    let key = ["devices", "--api-key", "two\nlines"];
    nowhere.run(&key).refused(2, &["characters that no key has"]);
    // another server is not taken for a platform
    let platform = Platform::without_own_device();
    let docs = format!("{}/docs", platform.url);
    Shell::new().with("DCMP_API_KEY", KEY).with("DCMP_URL", &docs).run(&["devices"]).ended(3);
}

#[test]
fn a_command_line_that_is_not_understood_is_2_and_help_is_0() {
    let shell = Shell::new();
    for arguments in [&[][..], &["devices", "--colour"], &["fly"], &["model"], &["job"], &["key"]] {
        shell.run(arguments).refused(2, &["Usage: dcmp"]);
    }
    let help = shell.run(&["--help"]).ended(0);
    assert!(help.out.contains("Exit codes:") && help.err.is_empty(), "{help:?}");
    for command in [
        "up", "device", "demo", "devices", "model", "infer", "job", "key", "login", "logout",
        "profiles",
    ] {
        let help = shell.run(&[command, "--help"]).ended(0);
        assert!(help.out.contains("Example") && help.err.is_empty(), "{help:?}");
    }
    assert!(shell.run(&["--version"]).ended(0).out.starts_with("dcmp "));
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    let platform = Platform::without_own_device();
    let shell = Shell::of(&platform);
    let mut child = shell
        .command(&["key", "list"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
}
