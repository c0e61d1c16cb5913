//! `dcmp devices`

use serde_json::json;

use crate::{shell::Shell, support::Platform};

#[tokio::test]
async fn devices_are_listed_and_shown() {
    let platform = Platform::start();
    let shell = Shell::of(&platform);
    let none = shell.run(&["devices"]).ended(0);
    assert_eq!(none.out, "");
    none.told(&["dcmp device"]);
    assert_eq!(shell.json(&["devices", "--json"])["devices"], json!([]));
    let none = shell.run(&["devices", "--status", "busy"]).ended(0).told(&["No device is busy."]);
    assert_eq!(none.out, "");

    let _device = platform.device("laptop").await;
    let list = shell.run(&["devices"]).ended(0);
    let rows: Vec<&str> = list.out.lines().collect();
    assert!(rows[0].starts_with("id ") && rows.len() == 2, "{list:?}");
    assert!(rows[1].contains(" laptop ") && rows[1].contains(" idle "), "{list:?}");
    let list = shell.json(&["devices", "--status", "idle", "--json"]);
    let id = list["devices"][0]["id"].as_str().unwrap();
    assert!(rows[1].starts_with(id));

    let shown = shell.run(&["devices", "laptop"]).ended(0);
    assert_eq!((shown.field("id"), shown.field("status")), (id, "idle"));
    let shown = shell.json(&["devices", id, "--json"]);
    assert_eq!((&shown["name"], &shown["sdk_type"]), (&json!("laptop"), &json!("rust")));

    shell.run(&["devices", "tower"]).refused(3, &["no device is called `tower`", "dcmp devices"]);
    let unknown = format!("dev_{}", "0".repeat(32));
    shell.run(&["devices", &unknown, "--json"]).refused(3, &["NOT_FOUND"]);
    shell.run(&["devices", "--status", "asleep"]).refused(3, &["`idle`, `busy`"]);
    shell.run(&["devices", "laptop", "--status", "idle"]).refused(2, &["--status"]);
}
