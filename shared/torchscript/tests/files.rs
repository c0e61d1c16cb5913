//! Genuine and harmful files, made by `fixtures/torchscript.py`.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::{io::Cursor, path::Path};

use dcmp_torchscript::Refused;

fn fixture(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/torchscript");
    std::fs::read(folder.join(name)).unwrap()
}

fn check(bytes: &[u8]) -> Result<(), Refused> {
    dcmp_torchscript::check(&mut Cursor::new(bytes)).unwrap()
}

fn refused(bytes: &[u8]) -> String {
    check(bytes).unwrap_err().to_string()
}

#[test]
fn a_genuine_file_passes() {
    check(&fixture("genuine.pt")).unwrap();
}

#[test]
fn pickles_that_would_run_something() {
    let reduce = refused(&fixture("reduce.pt"));
    assert!(reduce.contains("data.pkl") && reduce.contains("`posix.system`"), "{reduce}");
    let stack_global = refused(&fixture("stack_global.pt"));
    assert!(
        stack_global.contains("data.pkl") && stack_global.contains("protocol 2"),
        "{stack_global}"
    );
}

#[test]
fn archives_that_unpack_to_more() {
    let nested = refused(&fixture("nested.pt"));
    assert!(nested.contains("more.zip") && nested.contains("an archive itself"), "{nested}");
    let bomb = refused(&fixture("bomb.pt"));
    assert!(bomb.contains("bomb.py") && bomb.contains("20971520 bytes"), "{bomb}");
    // the directory says less than there is
    let mut lying = fixture("bomb.pt");
    let size = (20u32 << 20).to_le_bytes();
    let places: Vec<usize> =
        (0..lying.len() - 4).filter(|at| lying[*at..].starts_with(&size)).collect();
    assert!(!places.is_empty());
    for at in places {
        lying[at..at + 4].copy_from_slice(&1000u32.to_le_bytes());
    }
    let lying = refused(&lying);
    assert!(lying.contains("bomb.py") && lying.contains("another length"), "{lying}");
}

#[test]
fn weights_alone() {
    let weights = refused(&fixture("state_dict.pt"));
    assert!(weights.contains("torch.save") && weights.contains("torch.jit.script"), "{weights}");
}

#[test]
fn damaged_files_have_sentences() {
    let whole = fixture("genuine.pt");
    for cut in [0, 1, 4, 100, whole.len() / 2, whole.len() - 1] {
        assert!(!refused(&whole[..cut]).is_empty());
    }
    let longer = [&whole[..], b"#!/bin/sh"].concat();
    assert!(refused(&longer).contains("something follows"), "{}", refused(&longer));
    // no byte that is changed makes it panic
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 0xff;
        let _ = check(&changed);
    }
}
