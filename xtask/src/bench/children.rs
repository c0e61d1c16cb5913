//! The processes that a benchmark measures; none outlives it.

use std::{
    net::TcpStream,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail};

use crate::process::Process;

/// A platform in `data`, and where it serves.
pub(super) fn platform(dcmp: &Path, data: &Path, flags: &[&str]) -> Result<(Process, String)> {
    let mut command = Command::new(dcmp);
    command
        .args(["up", "--listen", "127.0.0.1:0", "--api-key", super::inference::KEY, "--data"])
        .arg(data)
        .args(flags)
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut process = Process::spawn(&mut command)?;
    let line = process.first_line()?;
    let url = line.strip_prefix("ready ").context("the platform did not start")?;
    Ok((process, url.to_owned()))
}

/// A device of that platform's first customer.
pub(super) fn device(dcmp: &Path, url: &str, data: &Path, flags: &[&str]) -> Result<Process> {
    let mut command = Command::new(dcmp);
    command
        .args(["device", "--url", url, "--api-key", super::inference::KEY, "--name", "bench"])
        .arg("--data")
        .arg(data)
        .args(flags)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    Process::spawn(&mut command)
}

/// A peer's server on a free port; `None` when its Python environment is not installed.
pub(super) fn peer(python: &Path, script: &Path) -> Result<Option<(Process, String)>> {
    if !python.exists() {
        return Ok(None);
    }
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let mut command = Command::new(python);
    command.arg(script).arg(port.to_string()).stdout(Stdio::null()).stderr(Stdio::null());
    let process = Process::spawn(&mut command)?;
    let authority = format!("127.0.0.1:{port}");
    for _ in 0..300 {
        if TcpStream::connect(&authority).is_ok() {
            return Ok(Some((process, authority)));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    bail!("{} does not listen", script.display())
}
