//! Platforms that somebody logged in to.

use crate::{
    shell::Shell,
    support::{ADMIN, KEY, Platform},
};

#[test]
fn a_login_is_used_until_something_else_is_said() {
    let platform = Platform::without_own_device();
    let shell = Shell::new();
    let url = ["--url", &platform.url];
    shell.pipe(&["login", "work", url[0], url[1]], &format!("{KEY}\n")).ended(0).told(&["`work`"]);
    shell.run(&["devices"]).ended(0).told(&["no devices yet"]);
    // the operator's key goes beside the customer's
    shell.run(&["key", "list"]).refused(2, &["operator's key", "dcmp login"]);
    shell.pipe(&["login", "work", "--admin"], ADMIN).ended(0);
    shell.run(&["key", "list"]).ended(0);
    shell.run(&["devices", "--profile", "work"]).ended(0);

    // what is said comes first
    shell.run(&["devices", "--profile", "other"]).refused(2, &["`other`", "there are work"]);
    shell.run(&["devices", "--api-key", "wrong"]).refused(3, &["AUTH_INVALID"]);
    // the key is not shown to another platform, nor where a `dcmp up` was named
    shell.run(&["devices", "--url", "http://127.0.0.1:9"]).refused(2, &["no API key"]);
    shell.run(&["devices", "--data", "empty"]).refused(2, &["no API key", ":3000"]);

    let list = shell.json(&["profiles", "--json"]);
    assert_eq!(list["profiles"][0]["name"], "work");
    assert_eq!(list["profiles"][0]["admin_key"], true);
    let shown = shell.run(&["profiles"]).ended(0);
    assert!(shown.out.contains(&platform.url) && !shown.out.contains(KEY), "{shown:?}");

    shell.run(&["logout"]).refused(2, &["`default`"]);
    shell.run(&["logout", "work"]).ended(0);
    shell.run(&["devices"]).refused(2, &["no API key"]);
}

#[test]
fn a_key_is_tried_before_it_is_kept_and_nobody_else_reads_it() {
    let platform = Platform::without_own_device();
    let shell = Shell::new();
    let login = ["login", "--url", &platform.url];
    shell.pipe(&login, "wrong").refused(3, &["AUTH_INVALID"]);
    shell.pipe(&login, "  \n").refused(2, &["the key is empty"]);
    shell.pipe(&["login"], KEY).refused(2, &["--url"]);
    shell
        .pipe(&[&login[..], &["--socket-url", "https://d.example"]].concat(), KEY)
        .refused(2, &["wss://"]);
    let file = shell.home().join(".config/dcmp/profiles.json");
    assert!(!file.exists());
    shell.pipe(&login, KEY).ended(0);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    // a damaged file is no reason to ask another platform
    std::fs::write(&file, "{").unwrap();
    shell.run(&["devices"]).refused(2, &["profiles.json is damaged", "dcmp login"]);
}
