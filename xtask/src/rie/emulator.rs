//! AWS's runtime interface emulator, out of the Python package that carries it.

use std::{
    io::Read,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::tools;

/// <https://pypi.org/project/aws-sam-cli/>
const PACKAGE: &str = "aws-sam-cli==1.170.0";

/// How long the emulator may take to listen, and a function to answer.
const LISTENING: Duration = Duration::from_secs(10);
const ANSWERING: Duration = Duration::from_secs(60);

/// What came of one event.
pub(super) struct Invoked {
    pub(super) answer: String,
    pub(super) log: String,
}

/// The emulator for this machine's processor; taken out of its wheel the first time.
pub(super) fn program(root: &Path) -> Result<PathBuf> {
    let processor = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };
    let name = format!("aws-lambda-rie-{processor}");
    let folder = root.join("target/rie");
    let program = folder.join(format!("{name}-{}", PACKAGE.replace("==", "-")));
    if program.exists() {
        return Ok(program);
    }
    // only the file: the package itself would bring a hundred others
    let pip = ["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest"];
    tools::run(Command::new("python3").args(pip).arg(&folder).arg(PACKAGE))?;
    let script = "import sys, glob, zipfile\n\
        wheel = zipfile.ZipFile(glob.glob(sys.argv[1] + '/aws_sam_cli-*.whl')[0])\n\
        open(sys.argv[3], 'wb').write(wheel.read('samcli/local/rapid/' + sys.argv[2]))\n";
    let taken = folder.join("taken");
    tools::run(Command::new("python3").args(["-c", script]).arg(&folder).arg(&name).arg(&taken))?;
    tools::write_executable(&program, std::fs::read(&taken)?)?;
    std::fs::remove_file(taken)?;
    Ok(program)
}

/// Starts a function under the emulator, gives it one event, and ends both.
pub(super) fn invoke(
    emulator: &Path,
    program: &Path,
    handler: &str,
    event: &str,
) -> Result<Invoked> {
    let (interface, runtime) = (free_address()?, free_address()?);
    let log = tempfile::NamedTempFile::new()?;
    let process = Command::new(emulator)
        .args(["--runtime-interface-emulator-address", &interface])
        .args(["--runtime-api-address", &runtime])
        .arg(program)
        .arg(handler)
        .env_clear()
        .envs(super::environment())
        .stdin(Stdio::null())
        .stdout(log.reopen()?)
        .stderr(log.reopen()?)
        .spawn()
        .with_context(|| format!("cannot start {}", emulator.display()))?;
    let running = Running(process);
    wait_for(&interface)?;
    let answer = post(&interface, event);
    drop(running);
    let mut text = String::new();
    log.reopen()?.read_to_string(&mut text)?;
    let answer = answer.with_context(|| format!("no answer; it logged:\n{text}"))?;
    Ok(Invoked { answer, log: text })
}

fn free_address() -> Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

fn wait_for(address: &str) -> Result<()> {
    let begun = Instant::now();
    while TcpStream::connect(address).is_err() {
        if begun.elapsed() > LISTENING {
            bail!("the emulator does not listen");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

fn post(address: &str, event: &str) -> Result<String> {
    let url = format!("http://{address}/2015-03-31/functions/function/invocations");
    // the HTTP client wants one although nothing here is encrypted; that there is one already is well
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let client = reqwest::Client::builder().timeout(ANSWERING).no_proxy().build()?;
        let response = client.post(url).body(event.to_owned()).send().await?;
        Ok(response.text().await?)
    })
}

/// The emulator and the function that it started; both end with it.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let function = children(self.0.id());
        let _ = (self.0.kill(), self.0.wait());
        for id in function {
            // it asks an emulator that is gone, and may have noticed
            let _ = Command::new("kill").args(["-KILL", &id]).stderr(Stdio::null()).status();
        }
    }
}

/// The processes that a process has started.
fn children(parent: u32) -> Vec<String> {
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{parent}/task")) else { return Vec::new() };
    let lists = tasks
        .flatten()
        .filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect()
}
