//! A few hundred inputs for each target, always the same.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use dcmp_fuzz::{Length, TARGETS, run};

fn survives(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).unwrap();
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fuzz");
    let report = run(target, Length::Short, &kept).unwrap();
    assert!(report.executions >= u64::from(target.cases));
}

#[test]
fn every_target_is_run() {
    let source = include_str!("short.rs");
    for target in TARGETS {
        assert!(source.contains(&format!("survives(\"{}\")", target.name)), "{}", target.name);
    }
}

#[test]
fn frames() {
    survives("frames");
}

#[test]
fn socket() {
    survives("socket");
}

#[test]
fn tensors() {
    survives("tensors");
}

#[test]
fn bodies() {
    survives("bodies");
}

#[test]
fn forms() {
    survives("forms");
}

#[test]
fn cursors() {
    survives("cursors");
}

#[test]
fn datasets() {
    survives("datasets");
}

#[test]
fn onnx() {
    survives("onnx");
}

#[test]
fn torchscript() {
    survives("torchscript");
}
