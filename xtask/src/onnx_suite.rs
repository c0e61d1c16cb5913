//! `cargo xtask onnx-suite`: puts the test cases of the `onnx` package to the platform's acceptance
//! and engine, and keeps docs/operators.md, which says what is accepted and how that came out.

mod case;
pub(crate) mod child;
mod page;
mod sample;
mod setup;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use case::{Case, Verdict};

/// Tries the test cases of the onnx package, and writes docs/operators.md and a sample of the cases
///
/// Installs what it needs from PyPI into a virtual environment under target/. Fails when a model that is
/// accepted answers wrongly, or takes the process down.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only cases whose path contains this; the page is left as it is
    #[arg(long)]
    only: Option<String>,
    /// Print each case that is not right
    #[arg(long)]
    list: bool,
    /// Only say whether docs/operators.md is current
    #[arg(long)]
    check: bool,
}

/// A case and what became of it.
struct Tried {
    /// Release, kind and name.
    name: String,
    operator: Option<String>,
    verdict: Verdict,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let cases = setup::cases(&root)?;
    let mut paths = Vec::new();
    collect(&cases, &mut paths)?;
    paths.sort();
    if let Some(only) = &arguments.only {
        paths.retain(|path| path.to_string_lossy().contains(only));
    }
    let verdicts = child::try_all(&paths)?;
    let mut tried = Vec::with_capacity(paths.len());
    for (path, verdict) in paths.iter().zip(verdicts) {
        let name = path.strip_prefix(&cases)?.with_extension("").display().to_string();
        if arguments.list && verdict != Verdict::Right {
            println!("{name}\t{}", serde_json::to_string(&verdict)?);
        }
        tried.push(Tried { name, operator: Case::read(path)?.operator, verdict });
    }
    print!("{}", page::counts(&tried));
    let wrong: Vec<&Tried> = tried
        .iter()
        .filter(|tried| matches!(tried.verdict, Verdict::Wrong(_) | Verdict::Died(_)))
        .collect();
    for tried in &wrong {
        println!("{}: {:?}", tried.name, tried.verdict);
    }
    ensure!(wrong.is_empty(), "{} accepted models answer wrongly", wrong.len());
    if arguments.only.is_some() {
        return Ok(());
    }
    let path = root.join("docs/operators.md");
    let page = page::page(&tried);
    let current = std::fs::read_to_string(&path).is_ok_and(|text| text == page);
    if arguments.check {
        ensure!(current, "docs/operators.md is not current: run `cargo xtask onnx-suite`");
    } else {
        std::fs::write(&path, page).context("cannot write docs/operators.md")?;
        sample::write(&root, &cases, &tried)?;
    }
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
