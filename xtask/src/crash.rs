//! `crash`: kills the store under load, again and again, and looks for what it lost.

pub(crate) mod child;
mod load;
mod verify;

use std::{
    io::{BufRead, BufReader},
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Command, ExitStatus, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use clap::Args;
use embedded::Durability;

use self::{
    load::{Acknowledged, Random},
    verify::Survived,
};

/// Kills the store under load and looks for what it lost.
///
/// A child process writes records, sends messages and puts blobs into one data directory, and says
/// what was acknowledged as durable. It is killed (kill -9) at a random moment; then the directory
/// is opened again: all that was acknowledged must be there, what survived must be a prefix of the
/// order of writes, and the change feed must agree with the records.
///
/// A kill shows that a crash of the process loses nothing. It is not a loss of power: what the
/// operating system has taken survives a kill, whether or not it is on the disk.
#[derive(Args)]
pub(crate) struct Arguments {
    /// How often the store is killed.
    #[arg(long, default_value_t = 200)]
    rounds: u64,
    /// Where the moments and loads come from; the same seed makes the same choices.
    #[arg(long)]
    seed: Option<u64>,
    /// What acknowledgements wait for: `process` is what a kill can show, `power` waits for more.
    #[arg(long, default_value_t = Durability::Process)]
    durability: Durability,
}

/// The longest time that a round writes before it is killed.
const LONGEST: Duration = Duration::from_millis(150);

/// The signal that nothing can hold off, by its number.
const SIGKILL: i32 = 9;

/// After so many rounds a new directory is begun, so that a crash is also one of a young store.
const FRESH: u64 = 10;

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let seed = arguments.seed.unwrap_or_else(|| u64::from(std::process::id()));
    let mut directory = tempfile::tempdir()?;
    let (mut random, start) = (Random(seed), Instant::now());
    let (mut acknowledged, mut survived) = (Acknowledged::default(), Survived::default());
    println!("seed {seed}, durability {}, {} rounds", arguments.durability, arguments.rounds);
    for round in 0..arguments.rounds {
        if round % FRESH == 0 {
            directory = tempfile::tempdir()?;
        }
        let life = Duration::from_micros(random.below(LONGEST.as_micros() as u64));
        let result = one_round(directory.path(), round, seed, arguments.durability, life);
        let (acknowledged_now, survived_now) = match result {
            Ok(counts) => counts,
            Err(loss) => {
                let kept = directory.keep();
                let kept = kept.display();
                return Err(loss.context(format!(
                    "round {round} of seed {seed}, killed after {life:?}; the directory is {kept}"
                )));
            }
        };
        acknowledged.add(&acknowledged_now);
        survived.add(&survived_now);
    }
    println!("              acknowledged    survived        lost");
    for (what, acknowledged, survived) in [
        ("records", acknowledged.records.len(), survived.records),
        ("messages", acknowledged.messages.len(), survived.messages),
        ("blobs", acknowledged.blobs.len(), survived.blobs),
    ] {
        println!("{what:<10} {acknowledged:>15} {survived:>11} {:>11}", 0);
    }
    println!("changes    {:>15} {:>11}", "", survived.changes);
    println!("(half of the messages were being deleted; what was begun may survive)");
    println!("nothing was lost in {} kills, {:?}", arguments.rounds, start.elapsed());
    Ok(())
}

/// Starts, kills and verifies once.
fn one_round(
    directory: &Path,
    round: u64,
    seed: u64,
    durability: Durability,
    life: Duration,
) -> anyhow::Result<(Acknowledged, Survived)> {
    let mut child = Command::new(std::env::current_exe()?)
        .arg("crash-child")
        .arg(directory)
        .args([round.to_string(), seed.to_string(), durability.to_string()])
        .stdout(Stdio::piped())
        .spawn()?;
    let output = child.stdout.take().context("the child has no output")?;
    let (first, started) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        let mut lines = Vec::new();
        for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
            lines.push(line);
            // Nobody listens after the first.
            let _ = first.send(());
        }
        lines
    });
    let began = started.recv_timeout(Duration::from_secs(60));
    std::thread::sleep(life);
    child.kill()?;
    killed(child.wait()?)?;
    if began.is_err() {
        bail!("the child acknowledged nothing; its own messages are above");
    }
    let lines = reader.join().map_err(|_| anyhow::anyhow!("reading the child's output failed"))?;
    let acknowledged = Acknowledged::parse(&lines);
    let survived = verify::verify(directory, durability, round, seed, &acknowledged)?;
    Ok((acknowledged, survived))
}

/// Whether the child lived until it was killed: a store that fails by itself has not survived a kill.
fn killed(status: ExitStatus) -> anyhow::Result<()> {
    if status.signal() == Some(SIGKILL) {
        return Ok(());
    }
    bail!("the child ended by itself ({status}) before it was killed; its own messages are above")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn only_a_kill_is_a_kill() {
        let status = |script| Command::new("sh").args(["-c", script]).status().unwrap();
        assert!(killed(status("kill -KILL $$")).is_ok());
        for other in ["exit 0", "exit 101", "kill -TERM $$"] {
            let error = killed(status(other)).unwrap_err().to_string();
            assert!(error.contains("ended by itself"), "{error}");
        }
    }
}
