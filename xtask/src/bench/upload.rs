//! A large model in parts: how fast it goes, and how much memory the platform takes for it.

use std::{
    fs::File,
    io::{BufWriter, Seek, SeekFrom, Write},
    path::Path,
    process::Command,
    time::Instant,
};

use anyhow::{Context, Result, ensure};

use super::children;
use crate::{build, heavy, process::Process};

/// A large model in parts, by `dcmp model upload`
///
/// First a file that is no model, which shows transfer and checksum alone; then a model of that
/// size, which is loaded to be looked at.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Of the file, such as 1GB or 200MB
    #[arg(long, default_value = "1GB", value_parser = size)]
    size: u64,
    /// `power` or `process`
    #[arg(long, default_value = "power")]
    durability: String,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let dcmp = build::dcmp()?;
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("large.onnx");
    println!("| {} MB | MB/s | the platform's most memory | ended with |", arguments.size >> 20);
    println!("|---|---|---|---|");
    let mut noise = File::create(&file)?;
    // every byte but the first is zero, and takes no disk
    noise.write_all(&[0xff])?;
    noise.seek(SeekFrom::Start(arguments.size - 1))?;
    noise.write_all(&[0])?;
    drop(noise);
    row("a file that is no model", arguments, &dcmp, &file)?;
    let mut out = BufWriter::new(File::create(&file)?);
    heavy::write(arguments.size, &mut out)?;
    out.into_inner().context("cannot write the model")?;
    row("a model", arguments, &dcmp, &file)
}

/// Uploads the file to a platform of its own.
fn row(name: &str, arguments: &Arguments, dcmp: &Path, file: &Path) -> Result<()> {
    let data = tempfile::tempdir()?;
    let flags = ["--no-own-device", "--durability", &arguments.durability];
    let (platform, url) = children::platform(dcmp, data.path(), &flags)?;
    let idle = platform.most_memory_mb();
    let start = Instant::now();
    let uploaded = upload(dcmp, &url, file)?;
    let rate = (arguments.size >> 20) as f64 / start.elapsed().as_secs_f64();
    let most = most(&platform)?;
    println!("| {name} | {rate:.0} | {idle:.0} → {most:.0} MB | {uploaded} |");
    Ok(())
}

fn most(platform: &Process) -> Result<f64> {
    let most = platform.most_memory_mb();
    ensure!(most > 0.0, "the platform is gone");
    Ok(most)
}

/// The command's last words.
fn upload(dcmp: &Path, url: &str, file: &Path) -> Result<String> {
    let output = Command::new(dcmp)
        .args(["model", "upload", "--url", url, "--api-key", super::inference::KEY])
        .arg(file)
        .output()?;
    let said = String::from_utf8_lossy(if output.status.success() {
        &output.stdout
    } else {
        &output.stderr
    });
    let status = said.lines().find_map(|line| line.strip_prefix("status"));
    Ok(status.or(said.lines().last()).unwrap_or("nothing").trim().to_owned())
}

fn size(text: &str) -> Result<u64, String> {
    let units = [("GB", 30), ("MB", 20)];
    let parsed = units.iter().find_map(|(unit, shift)| {
        let number: u64 = text.strip_suffix(unit)?.trim().parse().ok()?;
        number.checked_shl(*shift).filter(|size| *size > 0)
    });
    parsed.ok_or_else(|| "expected a size such as 1GB or 200MB".to_owned())
}
