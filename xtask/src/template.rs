//! `cargo xtask template`: the deployment on AWS, derived from the functions' declarations.

mod area;
mod function;
mod gateway;
mod names;
mod permissions;
mod root;
mod rules;
mod store;
mod validate;
mod watch;
mod yaml;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

pub(crate) use watch::metrics as alarm_metrics;

/// Writes template.yaml and infra/ from the functions' declarations
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only say whether the files are current; exits with 1 when they are not
    #[arg(long, conflicts_with = "validate")]
    check: bool,
    /// Then hold them against AWS's own tools, installed once into target/sam-venv
    #[arg(long)]
    validate: bool,
}

/// A document and where it is, from the project's root.
struct Document {
    file: String,
    content: Value,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let root = crate::root();
    let documents = documents()?;
    if !arguments.check {
        write(&root, &documents)?;
    }
    ensure_current(&root, &documents)?;
    println!("template.yaml and {} documents in infra/ are current", documents.len() - 1);
    if arguments.validate {
        validate::run(&root, &documents)?;
    }
    Ok(())
}

/// The environment of AWS's own tools, `sam` among them; installed if it is not there.
pub(crate) fn tools(root: &Path) -> Result<PathBuf> {
    validate::install(root)
}

/// All documents, the root first. They keep the rules.
fn documents() -> Result<Vec<Document>> {
    let routes = registry::routes();
    let areas = area::areas(&routes);
    let content = root::document(&routes, &areas)?;
    let mut documents = vec![Document { file: "template.yaml".to_owned(), content }];
    for area in &areas {
        documents.push(Document { file: area.file(), content: area.document()? });
    }
    for document in &documents {
        let broken = rules::broken(&document.content);
        ensure!(broken.is_empty(), "{}:\n  {}", document.file, broken.join("\n  "));
    }
    Ok(documents)
}

impl Document {
    /// As it is checked in.
    fn text(&self) -> String {
        format!(
            "# Made by `cargo xtask template` from the functions' declarations; do not edit.\n{}",
            yaml::text(&self.content)
        )
    }
}

fn write(root: &Path, documents: &[Document]) -> Result<()> {
    let infra = root.join("infra");
    std::fs::create_dir_all(&infra).context("cannot make infra/")?;
    for stray in strays(root, documents)? {
        std::fs::remove_file(infra.join(&stray)).with_context(|| format!("infra/{stray}"))?;
    }
    for document in documents {
        let (path, text) = (root.join(&document.file), document.text());
        if std::fs::read_to_string(&path).is_ok_and(|known| known == text) {
            continue;
        }
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", document.file))?;
    }
    Ok(())
}

/// Fails unless the project holds exactly these documents.
fn ensure_current(root: &Path, documents: &[Document]) -> Result<()> {
    for document in documents {
        let known = std::fs::read_to_string(root.join(&document.file)).unwrap_or_default();
        let file = &document.file;
        ensure!(known == document.text(), "{file} is not current: run `cargo xtask template`");
    }
    let strays = strays(root, documents)?;
    ensure!(
        strays.is_empty(),
        "no function is in infra/{}: run `cargo xtask template`",
        strays.join(", infra/")
    );
    Ok(())
}

/// Files in infra/ that are no document.
fn strays(root: &Path, documents: &[Document]) -> Result<Vec<String>> {
    let mut strays = Vec::new();
    for entry in std::fs::read_dir(root.join("infra")).context("cannot read infra/")? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if documents.iter().all(|document| document.file != format!("infra/{name}")) {
            strays.push(name);
        }
    }
    Ok(strays)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn what_is_checked_in_is_current() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        ensure_current(&root, &documents().unwrap()).unwrap();
    }
}
