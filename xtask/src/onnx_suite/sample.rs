//! The committed sample of cases: for each operator the smallest that comes out right, as far as they fit,
//! one per line. `cargo test` runs them; all cases need the package.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use anyhow::{Context, Result};

use super::{Tried, case::Verdict};

/// The most that the sample may take, in bytes.
const LIMIT: usize = 60_000;

/// Writes the sample out of the cases of a whole run.
pub(super) fn write(root: &Path, cases: &Path, tried: &[Tried]) -> Result<()> {
    let mut smallest: BTreeMap<&str, String> = BTreeMap::new();
    for tried in tried.iter().filter(|tried| tried.verdict == Verdict::Right) {
        let Some(operator) = &tried.operator else { continue };
        let path = cases.join(format!("{}.json", tried.name));
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let kept = smallest.entry(operator).or_insert_with(|| text.clone());
        if text.len() < kept.len() {
            *kept = text;
        }
    }
    let by_size: BTreeSet<(usize, &String)> =
        smallest.values().map(|text| (text.len(), text)).collect();
    let mut sample = String::new();
    for (length, text) in by_size {
        if sample.len() + length < LIMIT {
            sample += text;
            sample.push('\n');
        }
    }
    std::fs::write(root.join("fixtures/onnx-cases.jsonl"), sample)
        .context("cannot write fixtures/onnx-cases.jsonl")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::onnx_suite::case::Case;

    #[test]
    fn the_sample_comes_out_right() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/onnx-cases.jsonl");
        let sample = std::fs::read_to_string(path).unwrap();
        let mut operators = BTreeSet::new();
        for line in sample.lines() {
            let case: Case = serde_json::from_str(line).unwrap();
            let verdict = case.judge().unwrap();
            assert_eq!(verdict, Verdict::Right, "{:?}", case.operator);
            operators.insert(case.operator.unwrap());
        }
        assert!(operators.len() > 50, "{}", operators.len());
    }
}
