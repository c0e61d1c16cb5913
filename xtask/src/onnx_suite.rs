//! `cargo xtask onnx-suite`: puts the test cases of the `onnx` package to the platform's acceptance
//! and engine, and keeps the table of accepted operators in docs/operators.md.

mod case;
pub(crate) mod child;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use case::Verdict;

/// Tries the test cases of the onnx package; fails when an accepted model answers wrongly
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only cases whose path contains this
    #[arg(long, default_value = "")]
    only: String,
    /// Print each case that is not right
    #[arg(long)]
    list: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    let cases = target.join("onnx-cases");
    let mut paths = Vec::new();
    collect(&cases, &mut paths)?;
    paths.sort();
    paths.retain(|path| path.to_string_lossy().contains(&arguments.only));
    let verdicts = child::try_all(&paths)?;
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for (path, verdict) in paths.iter().zip(&verdicts) {
        let kind = match verdict {
            Verdict::Right => "right",
            Verdict::Wrong(_) => "wrong",
            Verdict::Fails(_) => "fails",
            Verdict::Refused(_) => "refused",
            Verdict::Skipped(_) => "skipped",
            Verdict::Died(_) => "died",
        };
        *kinds.entry(kind).or_default() += 1;
        if arguments.list && *verdict != Verdict::Right {
            let name = path.strip_prefix(&cases).unwrap_or(path).display();
            println!("{name}\t{}", serde_json::to_string(verdict)?);
        }
    }
    println!("{kinds:?}");
    Ok(())
}

fn collect(folder: &Path, into: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, into)?;
        } else if path.extension().is_some_and(|extension| extension == "json") {
            into.push(path);
        }
    }
    Ok(())
}
