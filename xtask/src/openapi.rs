//! `cargo xtask openapi`: writes the OpenAPI document that is checked in and served.

use std::path::Path;

use anyhow::{Context, Result};

/// Writes docs/openapi.json from the routes' own descriptions
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only say whether the file is current; exits with 1 when it is not
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/openapi.json");
    let document = registry::openapi();
    let current = std::fs::read_to_string(&path).is_ok_and(|text| text == document);
    if arguments.check {
        anyhow::ensure!(current, "docs/openapi.json is not current: run `cargo xtask openapi`");
    } else if !current {
        std::fs::write(&path, document).context("cannot write docs/openapi.json")?;
    }
    println!("docs/openapi.json is current");
    Ok(())
}
