//! `cargo xtask events`: one realistic event per function, for `sam local invoke`, for Lambda's
//! emulator and for the test that runs every one through its function. What surrounds a request
//! follows from its route; what it says is in `says.rs`, and a route without is refused.

mod around;
mod says;

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, Result, ensure};

/// Writes events/NAME.json, one event for each function
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only say whether the files are current; exits with 1 when they are not
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../events");
    let made = made()?;
    if arguments.check {
        let stored = stored(&folder)?;
        for (name, text) in &made {
            let current = stored.get(name) == Some(text);
            ensure!(current, "events/{name} is not current: run `cargo xtask events`");
        }
        for name in stored.keys() {
            ensure!(
                made.contains_key(name),
                "events/{name} is of no function: run `cargo xtask events`"
            );
        }
    } else {
        for name in stored(&folder)?.keys().filter(|name| !made.contains_key(*name)) {
            std::fs::remove_file(folder.join(name))?;
        }
        std::fs::create_dir_all(&folder)?;
        for (name, text) in &made {
            std::fs::write(folder.join(name), text)
                .with_context(|| format!("cannot write events/{name}"))?;
        }
    }
    println!("events/ is current: {} functions", made.len());
    Ok(())
}

/// The files by name, as they should be.
fn made() -> Result<BTreeMap<String, String>> {
    let event = |route: &api::Route| {
        let event =
            around::event(route).with_context(|| format!("no event for `{}`", route.name))?;
        Ok((format!("{}.json", route.name), serde_json::to_string_pretty(&event)? + "\n"))
    };
    registry::routes().iter().map(event).collect()
}

/// The files by name, as they are.
fn stored(folder: &Path) -> Result<BTreeMap<String, String>> {
    let mut stored = BTreeMap::new();
    if !folder.exists() {
        return Ok(stored);
    }
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        stored.insert(name, std::fs::read_to_string(&path)?);
    }
    Ok(stored)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_events_are_current() {
        let checked = super::run(&super::Arguments { check: true });
        assert!(checked.is_ok(), "{checked:?}");
    }
}
