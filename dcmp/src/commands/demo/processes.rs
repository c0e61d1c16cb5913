//! The demo's two processes: started, watched, and ended in order whatever happens.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, anyhow};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use crate::{home::Access, output};

/// How long a process may take to begin or to end.
const PATIENCE: Duration = Duration::from_secs(20);

/// Lines of a log that are shown when something went wrong.
const TAIL: usize = 15;

/// A temporary directory and the processes in it.
pub(super) struct Stage {
    folder: TempDir,
    platform: Option<Process>,
    device: Option<Process>,
}

struct Process {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Stage {
    pub(super) fn new() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("dcmp-demo-").tempdir();
        let folder = folder.context("cannot make a temporary directory")?;
        Ok(Self { folder, platform: None, device: None })
    }

    /// Where the platform keeps its data.
    pub(super) fn platform_data(&self) -> PathBuf {
        self.folder.path().join("platform")
    }

    /// Starts a platform on a free port, without a device of its own, and waits until it serves.
    pub(super) async fn platform(&mut self) -> Result<Access> {
        let data = self.platform_data();
        let mut command = command()?;
        command.args(["up", "--listen", "127.0.0.1:0", "--no-own-device"]);
        command.arg("--data").arg(&data).stdout(Stdio::piped());
        let process = self.platform.insert(start("platform", command, self.folder.path())?);
        let stdout = process.child.stdout.take().context("the platform has no output")?;
        let ready = async {
            let mut lines = BufReader::new(stdout).lines();
            while let Some(line) = lines.next_line().await? {
                if line.starts_with("ready ") {
                    return anyhow::Ok(());
                }
            }
            Err(anyhow!("the platform ended before it was ready"))
        };
        let ready = tokio::time::timeout(PATIENCE, ready).await;
        ready.context("the platform did not get ready in time")??;
        Access::read(&data)?.context("the platform left no keys")
    }

    /// Starts a device for the platform.
    pub(super) fn device(&mut self, access: &Access) -> Result<()> {
        let mut command = command()?;
        command.args(["device", "--name", "demo-device", "--url", &access.url]);
        // arguments are seen by everybody on this machine
        command.env("DCMP_API_KEY", &access.api_key).stdout(Stdio::null());
        command.arg("--data").arg(self.folder.path().join("device"));
        self.device = Some(start("device", command, self.folder.path())?);
        Ok(())
    }

    /// Waits until one of them is gone, which none should be.
    pub(super) async fn anyone_gone(&mut self) -> anyhow::Error {
        let [platform, device] = [&mut self.platform, &mut self.device];
        tokio::select! {
            gone = gone(platform) => gone,
            gone = gone(device) => gone,
        }
    }

    /// Tells what the processes said last, for something went wrong.
    pub(super) fn last_words(&self) {
        for process in [&self.platform, &self.device].into_iter().flatten() {
            let text = std::fs::read_to_string(&process.log).unwrap_or_default();
            let lines: Vec<_> = text.lines().collect();
            let last = lines[lines.len().saturating_sub(TAIL)..].join("\n  ");
            output::say(format_args!("The {} said last:\n  {last}", process.name));
        }
    }

    /// Ends the device, then the platform, and removes everything.
    pub(super) async fn clear(mut self) {
        for process in [self.device.take(), self.platform.take()].into_iter().flatten() {
            process.end().await;
        }
        let place = self.folder.path().to_owned();
        if let Err(error) = self.folder.close() {
            output::say(format_args!("cannot remove {}: {error}", place.display()));
        }
    }
}

impl Process {
    /// Asks it to end, and ends it if it does not.
    async fn end(mut self) {
        // no id: it is gone already
        let pid = self.child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
        let Some(pid) = pid else { return };
        // it may go in this moment, which is what is wanted
        let _ = kill_process(pid, Signal::TERM);
        if tokio::time::timeout(PATIENCE, self.child.wait()).await.is_err() {
            output::say(format_args!("the {} does not end; killing it", self.name));
            if let Err(error) = self.child.kill().await {
                output::say(format_args!("the {} cannot be ended: {error}", self.name));
            }
        }
    }
}

async fn gone(process: &mut Option<Process>) -> anyhow::Error {
    match process {
        Some(process) => {
            let how = process.child.wait().await;
            anyhow!("the {} ended by itself ({})", process.name, describe(how))
        }
        None => std::future::pending().await,
    }
}

fn describe(how: std::io::Result<ExitStatus>) -> String {
    how.map_or_else(|error| error.to_string(), |status| status.to_string())
}

/// This program again, untouched by the settings of whoever runs the demo.
fn command() -> Result<Command> {
    let program = std::env::current_exe().context("cannot find this program")?;
    let mut command = Command::new(program);
    for (variable, _) in std::env::vars_os() {
        let name = variable.to_string_lossy();
        if name == "ADMIN_KEY" || (name.starts_with("DCMP_") && name != "DCMP_LOG") {
            command.env_remove(&variable);
        }
    }
    Ok(command)
}

fn start(name: &'static str, mut command: Command, folder: &Path) -> Result<Process> {
    let log = folder.join(format!("{name}.log"));
    let file = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
    // Ctrl-C is for the demo, which ends them in order
    command.stdin(Stdio::null()).stderr(file).process_group(0).kill_on_drop(true);
    let child = command.spawn().with_context(|| format!("cannot start the {name}"))?;
    Ok(Process { name, child, log })
}
