//! `dcmp device`

use std::process::Stdio;

use crate::{
    shell::Shell,
    support::{KEY, Platform, Process, eventually, mlp_case},
};

/// Starts a device and waits until it is connected.
async fn start(shell: &Shell, arguments: &[&str]) -> Process {
    let arguments = [&["device", "--data", "device"], arguments].concat();
    let process = Process::spawn(shell.command(&arguments).stdout(Stdio::null()));
    eventually("the device", || async { process.said().contains("connected to").then_some(()) })
        .await;
    process
}

#[tokio::test]
async fn asked_to_end_it_leaves_in_order() {
    let platform = Platform::without_own_device();
    let shell = Shell::of(&platform);
    for signal in [2, 15] {
        let mut process = start(&shell, &["--name", "polite"]).await;
        platform.until_listed("polite", "idle").await;
        process.signal(signal);
        assert_eq!(process.code(), Some(0), "{}", process.said());
        assert!(process.said().contains("ended: 0 done, 0 failed, 0 declined"));
        platform.until_listed("polite", "offline").await;
    }
}

#[tokio::test]
async fn asked_to_end_without_a_platform_it_ends() {
    let mut platform = Platform::without_own_device();
    let shell = Shell::of(&platform);
    let mut process = start(&shell, &[]).await;
    platform.process.kill();
    eventually("the loss", || async { process.said().contains("no connection").then_some(()) })
        .await;
    assert_eq!(process.end(), Some(0), "{}", process.said());
}

#[tokio::test]
async fn asked_twice_it_leaves_at_once() {
    let platform = Platform::without_own_device();
    // what its HTTP client logs shows when it has a task in hand and asks for the model
    let shell = Shell::of(&platform).with("DCMP_LOG", "reqwest=debug");
    let model = platform.upload("mlp.onnx").await;
    let mut process = start(&shell, &["--name", "asked"]).await;
    platform.until_listed("asked", "idle").await;
    process.signal(19);
    let request = serde_json::json!({ "model_id": model, "input": mlp_case().0, "async": true });
    let (_, accepted) = platform.client.post("/inference", request).await;
    let path = format!("/inference/{}", accepted["job_id"].as_str().unwrap());
    eventually("the attempt", || async {
        (platform.client.get(&path).await.1["status"] == "running").then_some(())
    })
    .await;
    // the platform gives no model any more
    platform.process.signal(19);
    process.signal(18);
    eventually("a fetch", || async {
        process.said().contains("starting new connection").then_some(())
    })
    .await;
    process.signal(2);
    eventually("the drain", || async { process.said().contains("no new work").then_some(()) })
        .await;
    process.signal(2);
    assert_eq!(process.code(), Some(130), "{}", process.said());
    assert!(process.said().contains("Left at once"), "{}", process.said());
}

#[test]
fn what_is_wrong_with_a_device_is_said() {
    let platform = Platform::without_own_device();
    let shell = Shell::of(&platform);
    shell.file("file", "");
    for (arguments, code, words) in [
        (&["--slots", "0"][..], 2, &["1 to 1024"][..]),
        (&["--slots", "many"], 2, &["--slots"]),
        (&["--cache-mb", "0"], 2, &["1 MB"]),
        (&["--share", "some"], 2, &["--share", "everyone"]),
        (&["--data", "file"], 2, &["another data directory"]),
        (&["--url", "localhost"], 2, &["http"]),
        (&["--url", "http://127.0.0.1:1"], 2, &["no API key"]),
        (&["--api-key", "wrong"], 3, &["401", "dcmp key create"]),
    ] {
        shell.run(&[&["device"], arguments].concat()).refused(code, words);
    }
    let key = shell.json(&["key", "create", "--scope", "models", "--json"]);
    let key = key["secret"].as_str().unwrap();
    shell.run(&["device", "--api-key", key]).refused(3, &["403", "scope `devices`"]);
}

#[tokio::test]
async fn two_devices_do_not_share_a_directory() {
    let platform = Platform::without_own_device();
    let shell = Shell::of(&platform).with("DCMP_API_KEY", KEY);
    let _process = start(&shell, &[]).await;
    let second = ["device", "--data", "device"];
    shell.run(&second).refused(2, &["another device runs from device"]);
}

#[tokio::test]
async fn a_device_is_asked_and_drained_from_afar() {
    let platform = Platform::without_own_device();
    let shell = Shell::of(&platform);
    let mut process = start(&shell, &["--name", "laptop"]).await;
    platform.until_listed("laptop", "idle").await;
    // variables that the agent knows are no flags of it
    let afar = Shell::of(&platform).with("DCMP_API_KEY", KEY).with("DCMP_URL", &platform.url);
    let logs = afar.run(&["device", "logs", "laptop"]).ended(0);
    assert!(logs.out.contains(" info  connected as dev_"), "{logs:?}");
    let none = afar.run(&["device", "logs", "laptop", "--level", "error", "--lines", "3"]).ended(0);
    assert_eq!(none.out, "");
    let logs = afar.json(&["device", "logs", "laptop", "--json"]);
    assert_eq!(logs["logs"][0]["level"], "info");
    afar.run(&["device", "logs", "laptop", "--level", "loud"]).refused(3, &["`warn`"]);
    afar.run(&["device", "logs", "tower"]).refused(3, &["no device is called `tower`"]);
    afar.run(&["device", "--slots", "1", "logs", "laptop"]).refused(2, &["--slots"]);
    afar.run(&["device", "drain", "laptop"]).ended(0).told(&["dev_"]);
    assert_eq!(process.code(), Some(0), "{}", process.said());
    platform.until_listed("laptop", "offline").await;
    assert_eq!(afar.json(&["device", "drain", "laptop", "--json"])["status"], "offline");
    afar.run(&["device", "logs", "laptop"]).refused(3, &["offline"]);
}
