//! `dcmp key`

use serde_json::json;

use crate::{shell::Shell, support::Platform};

#[test]
fn a_keys_life() {
    let platform = Platform::start();
    let shell = Shell::of(&platform);
    let made = shell.run(&["key", "create", "--name", "laptop", "--scope", "models"]).ended(0);
    assert_eq!((made.field("name"), made.field("scopes")), ("laptop", "models"));
    assert_eq!(made.field("expires"), "never");
    let (id, secret) = (made.field("id").to_owned(), made.field("secret").to_owned());
    made.told(&["Keep the secret now"]);
    let end = "2099-01-01T00:00:00.000Z";
    let create = ["key", "create", "--scope", "infer,devices", "--expires-at", end, "--json"];
    let other = shell.json(&create);
    assert_eq!(
        (&other["scopes"], &other["expires_at"]),
        (&json!(["infer", "devices"]), &json!(end))
    );
    assert!(other["secret"].as_str().unwrap().starts_with("dcmp_"));

    let list = shell.run(&["key", "list"]).ended(0);
    assert!(list.out.starts_with("id ") && list.out.contains(&id), "{list:?}");
    let list = shell.json(&["key", "list", "--json"]);
    assert!(!list.to_string().contains(&secret[5..]));
    let listed = |id: &str| {
        let list = shell.json(&["key", "list", "--json"]);
        list["keys"].as_array().unwrap().iter().any(|key| key["id"] == id)
    };
    assert!(listed(&id) && listed(other["id"].as_str().unwrap()));

    // it opens what it was made for, until it is revoked
    let holder = Shell::new().with("DCMP_URL", &platform.url).with("DCMP_API_KEY", &secret);
    holder.run(&["model", "list"]).ended(0);
    holder.run(&["devices"]).refused(3, &["FORBIDDEN", "`devices`"]);
    let caller = other["secret"].as_str().unwrap();
    let caller = Shell::new().with("DCMP_URL", &platform.url).with("DCMP_API_KEY", caller);
    let by_name = ["infer", "mlp", "--input", "[1]"];
    caller.run(&by_name).refused(3, &["look up what `mlp` is", "id always works", "`models`"]);
    let revoked = shell.run(&["key", "revoke", &id]).ended(0);
    assert_eq!(revoked.out, "");
    revoked.told(&[&format!("revoked {id}")]);
    holder.run(&["model", "list"]).refused(3, &["AUTH_INVALID", "revoked"]);
    let revoked = shell.json(&["key", "revoke", other["id"].as_str().unwrap(), "--json"]);
    assert_eq!(revoked, json!({ "revoked": other["id"] }));
    assert!(!listed(&id));
}

#[test]
fn what_is_wrong_with_a_key_is_said() {
    let platform = Platform::start();
    let shell = Shell::of(&platform);
    let unknown = format!("key_{}", "0".repeat(32));
    let customer = format!("cust_{}", "0".repeat(32));
    for (arguments, code, words) in [
        (&["create", "--scope", "everything"][..], 3, &["VALIDATION_ERROR", "scopes"][..]),
        (&["create", "--expires-at", "tomorrow"], 3, &["expires_at"]),
        (&["create", "--expires-at", "2001-01-01T00:00:00Z"], 3, &["expires_at"]),
        (&["create", "--customer", &customer], 3, &["NOT_FOUND"]),
        (&["list", "--customer", &customer], 3, &["NOT_FOUND"]),
        (&["revoke", &unknown], 3, &["NOT_FOUND"]),
        (&["revoke"], 2, &["<KEY>"]),
    ] {
        shell.run(&[&["key"], arguments].concat()).refused(code, words);
    }
    let stranger = Shell::new().with("DCMP_URL", &platform.url);
    stranger.run(&["key", "list"]).refused(2, &["operator's key", "--admin-key", "ADMIN_KEY"]);
    let wrong = ["key", "list", "--admin-key", "wrong"];
    stranger.run(&wrong).refused(3, &["AUTH_INVALID"]);
}
