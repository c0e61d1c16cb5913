//! The processes that a benchmark measures; none outlives it.

use std::{
    io::{BufRead, BufReader},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail};

/// A child that is killed when it is dropped.
pub(super) struct Process(Child);

impl Process {
    pub(super) fn spawn(command: &mut Command) -> Result<Self> {
        let child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
        Ok(Self(child))
    }

    /// Memory of it and its children that is in use, in MB (Linux).
    pub(super) fn memory_mb(&self) -> f64 {
        let mut total = 0.0;
        let mut ids = vec![self.0.id()];
        while let Some(id) = ids.pop() {
            let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
            let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
            let kb = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
            total += kb.unwrap_or(0.0) / 1024.0;
            let children = format!("/proc/{id}/task/{id}/children");
            let children = std::fs::read_to_string(children).unwrap_or_default();
            ids.extend(children.split_whitespace().filter_map(|id| id.parse::<u32>().ok()));
        }
        total
    }

    /// The most memory that it had at a time, in MB (Linux); 0 when it is gone.
    pub(super) fn most_memory_mb(&self) -> f64 {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kb = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        kb.unwrap_or(0.0) / 1024.0
    }

    /// The first line that it prints; its standard output must be piped.
    fn first_line(&mut self) -> Result<String> {
        let stdout = self.0.stdout.take().context("its output is not piped")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        Ok(line.trim().to_owned())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // peers end their own children when asked; what does not end is killed
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        for _ in 0..100 {
            if matches!(self.0.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The `dcmp` of this build; built first if it is not there.
pub(super) fn dcmp() -> Result<PathBuf> {
    let status = Command::new(env!("CARGO"))
        .args(["build", "--release", "--quiet", "--package", "dcmp"])
        .status()
        .context("cannot run cargo")?;
    if !status.success() {
        bail!("dcmp does not build");
    }
    let mut path = std::env::current_exe()?;
    path.set_file_name("dcmp");
    Ok(path)
}

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

/// A device of that platform.
pub(super) fn device(dcmp: &Path, url: &str, data: &Path) -> Result<Process> {
    let mut command = Command::new(dcmp);
    command
        .args(["device", "--url", url, "--api-key", super::inference::KEY, "--name", "bench"])
        .arg("--data")
        .arg(data)
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
