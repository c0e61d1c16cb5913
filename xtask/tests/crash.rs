//! The short version of `cargo xtask crash`.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::process::Command;

#[test]
fn a_few_kills_lose_nothing() {
    for durability in ["process", "power"] {
        let crash = Command::new(env!("CARGO_BIN_EXE_xtask"))
            .args(["crash", "--rounds", "4", "--seed", "1", "--durability", durability])
            .output()
            .unwrap();
        let said = [crash.stdout, crash.stderr].concat();
        assert!(crash.status.success(), "{}", String::from_utf8_lossy(&said));
    }
}
