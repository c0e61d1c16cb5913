//! `cargo xtask template --validate`: the documents before AWS's own tools. They are installed once;
//! after that nothing here needs a network, an account or a container engine.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use api::Entry;
use serde::Deserialize;
use serde_json::Value;

use super::{Document, function, rules};
use crate::tools::{self, printed};

/// AWS's own tools.
const PACKAGES: [&str; 3] =
    ["aws-sam-cli==1.170.0", "aws-sam-translator==1.115.0", "cfn-lint==1.58.0"];

/// What `validate.py` prints.
#[derive(Deserialize)]
struct Report {
    /// The root as SAM makes it.
    transformed: Value,
    /// `METHOD /path` of every route that SAM's local API serves.
    routes: BTreeSet<String>,
}

pub(super) fn run(root: &Path, documents: &[Document]) -> Result<()> {
    let venv = install(root)?;
    bundles(root)?;
    let tool = |name: &str| {
        let mut command = Command::new(venv.join("bin").join(name));
        command
            .current_dir(root)
            // both ask for a region, and neither goes there
            .env("AWS_DEFAULT_REGION", "us-east-1")
            .env("SAM_CLI_TELEMETRY", "0");
        command
    };
    printed(tool("sam").args(["validate", "--lint", "--template", "template.yaml"]))?;
    println!("sam validate --lint: clean");
    let files = documents.iter().map(|document| document.file.as_str());
    let (root_file, nested): (Vec<_>, Vec<_>) = files.partition(|file| *file == "template.yaml");
    printed(tool("cfn-lint").args(root_file))?;
    // W3002: paths of this machine, which `sam deploy` replaces
    let lint = |files: &[&str]| {
        printed(tool("cfn-lint").args(["--ignore-checks", "W3002", "--"]).args(files)).map(drop)
    };
    lint(&nested)?;
    println!("cfn-lint: {} documents are clean", documents.len());

    let script = "xtask/src/template/validate.py";
    let printed = printed(tool("python").args([script, "template.yaml"]))?;
    let report: Report = serde_json::from_slice(&printed)
        .with_context(|| format!("{script} did not print its report"))?;
    transformed(root, report.transformed, |file| lint(&[file]))?;
    routes(&report.routes)
}

/// What SAM makes of the root: keeps the rules, and has no cycle.
fn transformed(
    root: &Path,
    mut document: Value,
    lint: impl FnOnce(&str) -> Result<()>,
) -> Result<()> {
    let broken = rules::broken(&document);
    ensure!(broken.is_empty(), "after SAM's transform:\n  {}", broken.join("\n  "));
    // what is ignored before the transform is not ignored behind it
    if let Some(metadata) = document["Metadata"].as_object_mut() {
        metadata.remove("cfn-lint");
    }
    // beside the root, so that paths lead where they did
    let file = tempfile::Builder::new()
        .prefix("transformed-")
        .suffix(".json")
        .tempfile_in(root)
        .context("cannot write what SAM made")?;
    fs::write(file.path(), document.to_string())?;
    let name = file.path().file_name().context("a file has a name")?.to_string_lossy();
    lint(&name)?;
    println!(
        "SAM's transform: {} resources, clean",
        document["Resources"].as_object().map_or(0, |all| all.len())
    );
    Ok(())
}

/// SAM's local API has exactly the routes of the registry; it answers OPTIONS for browsers by itself.
fn routes(served: &BTreeSet<String>) -> Result<()> {
    let mut declared = BTreeSet::new();
    for route in registry::routes() {
        if let Entry::Http(_) = route.entry {
            let keys = function::endpoints(&route)?.into_iter();
            declared.extend(keys.map(|(method, path)| format!("{method} {path}")));
        }
    }
    let served: BTreeSet<_> =
        served.iter().filter(|key| !key.starts_with("OPTIONS ")).cloned().collect();
    ensure!(
        served == declared,
        "SAM's local API lacks {:?} and has {:?} too much",
        declared.difference(&served).collect::<Vec<_>>(),
        served.difference(&declared).collect::<Vec<_>>()
    );
    println!("SAM's local API: all {} routes", declared.len());
    Ok(())
}

/// The virtual environment of the tools.
pub(super) fn install(root: &Path) -> Result<PathBuf> {
    tools::python(root, "sam", &PACKAGES)?;
    Ok(root.join("target/sam-venv"))
}

/// The tools look whether code is where the documents say; `cargo xtask package` puts it there.
fn bundles(root: &Path) -> Result<()> {
    for bundle in ["light", "compute"] {
        fs::create_dir_all(root.join("target/bundles").join(bundle))?;
    }
    Ok(())
}
