//! The process that tries the cases: an engine that aborts or never answers takes only this one down.

use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    time::Duration,
};

use anyhow::{Context, Result};

use super::case::{Case, Verdict};

/// How long a case may take before it counts as one that never answers.
const PATIENCE: Duration = Duration::from_secs(60);

/// Tries the cases whose paths come in, one per line; answers a line of JSON for each
#[derive(clap::Args)]
pub(crate) struct Arguments {}

pub(crate) fn run(_: &Arguments) -> Result<()> {
    // What the engine's panics say is in the verdicts.
    std::panic::set_hook(Box::new(|_| {}));
    for path in std::io::stdin().lock().lines() {
        let verdict = Case::read(Path::new(&path?))?.judge()?;
        println!("{}", serde_json::to_string(&verdict)?);
        std::io::stdout().flush()?;
    }
    Ok(())
}

/// The verdict on each case, in order.
pub(crate) fn try_all(paths: &[PathBuf]) -> Result<Vec<Verdict>> {
    let mut verdicts = Vec::with_capacity(paths.len());
    while verdicts.len() < paths.len() {
        let from = verdicts.len();
        let mut child = start()?;
        let answers = listen(&mut child)?;
        let mut input = child.stdin.take().context("the child has no input")?;
        for path in &paths[from..] {
            // A child that is gone does not read; that it does not answer says so below.
            let asked = writeln!(input, "{}", path.display()).and_then(|()| input.flush());
            let answer = asked.ok().and_then(|()| answers.recv_timeout(PATIENCE).ok());
            let Some(answer) = answer else {
                let ended = child.try_wait()?;
                let reason = ended.map_or_else(
                    || format!("no answer within {} s", PATIENCE.as_secs()),
                    |status| format!("the process ended with {status}"),
                );
                verdicts.push(Verdict::Died(reason));
                break;
            };
            verdicts.push(serde_json::from_str(&answer)?);
        }
        drop(input);
        let _ = child.kill();
        child.wait()?;
    }
    Ok(verdicts)
}

fn start() -> Result<Child> {
    Command::new(std::env::current_exe()?)
        .arg("onnx-suite-child")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start the process that tries the cases")
}

fn listen(child: &mut Child) -> Result<Receiver<String>> {
    let output = child.stdout.take().context("the child has no output")?;
    let (send, answers) = channel();
    std::thread::spawn(move || {
        BufReader::new(output).lines().map_while(Result::ok).try_for_each(|line| send.send(line))
    });
    Ok(answers)
}
