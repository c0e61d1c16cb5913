//! Python environments and programs out of packages, each made once, below `target`.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

/// The Python of the environment `target/{name}-venv`, which has these packages.
pub(crate) fn python(root: &Path, name: &str, packages: &[&str]) -> Result<PathBuf> {
    let venv = root.join(format!("target/{name}-venv"));
    let (python, has) = (venv.join("bin/python"), venv.join("packages"));
    let wanted = packages.join("\n");
    if std::fs::read_to_string(&has).is_ok_and(|has| has == wanted) {
        return Ok(python);
    }
    run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
    run(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(packages))?;
    std::fs::write(has, wanted)?;
    Ok(python)
}

/// Writes a script or program that can be run.
pub(crate) fn write_executable(path: &Path, bytes: impl AsRef<[u8]>) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, bytes)?;
    Ok(std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))?)
}

/// Runs a command to its end.
///
/// # Errors
/// When it cannot be run, or does not succeed.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot run {command:?}"))?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(())
}

/// What a command printed.
///
/// # Errors
/// When it cannot be run, or does not succeed: with all that it said.
pub(crate) fn printed(command: &mut Command) -> Result<Vec<u8>> {
    let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
    ensure!(
        output.status.success(),
        "{command:?} ended with {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(output.stdout)
}
