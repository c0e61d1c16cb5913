//! `dcmp`: the whole platform on this machine, its devices, and its client, in one command.

mod client;
mod commands;
mod exit;
mod home;
mod output;
mod parts;
mod profiles;
mod progress;
mod signals;
mod up;

use std::{io::IsTerminal, process::ExitCode};

use ::device::Journal;
use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use tokio::runtime::Builder;
use tracing_subscriber::{
    EnvFilter, Layer, filter::LevelFilter, layer::SubscriberExt, util::SubscriberInitExt,
};

use crate::{
    commands::{
        batch, dataset, dead_letters, demo, device, devices, infer, jobs, key, login, model,
    },
    exit::Exit,
};

/// A request makes some hundred small allocations, on whichever thread: this allocator makes them in
/// a fraction of the time that the system's takes.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Distributed compute: upload a model, run it on contributed computers.
#[derive(Parser)]
#[command(name = "dcmp", version, propagate_version = true, after_help = exit::HELP)]
#[command(before_long_help = "See it all in half a minute:  dcmp demo

Or step by step:
  dcmp up                                 the platform on this machine
  dcmp device                             in a second terminal: lends it this computer
  dcmp model upload digits.onnx           in a third: a model
  dcmp infer digits --input image.json    and an answer")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Demo(demo::Args),
    Up(up::Args),
    Device(device::Args),
    Devices(devices::Args),
    Model(model::Args),
    Dataset(dataset::Args),
    Infer(infer::Args),
    Batch(batch::Args),
    #[command(alias = "job")]
    Jobs(jobs::Args),
    Key(key::Args),
    DeadLetters(dead_letters::Args),
    Login(login::LoginArgs),
    Logout(login::LogoutArgs),
    Profiles(login::ProfilesArgs),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let journal = log();
    match run(cli.command, journal) {
        Ok(exit) => exit.into(),
        Err(error) => {
            let exit = exit::of(&error);
            if exit != Exit::Done {
                output::say(format_args!("dcmp: {error:#}"));
            }
            exit.into()
        }
    }
}

fn run(command: Command, journal: Journal) -> Result<Exit> {
    match command {
        // it brings a runtime of its own
        Command::Up(args) => up::run(args),
        Command::Device(args) => block_on(Builder::new_multi_thread(), device::run(args, journal)),
        Command::Demo(args) => client(demo::run(args)),
        Command::Devices(args) => client(devices::run(args)),
        Command::Model(args) => client(model::run(args)),
        Command::Dataset(args) => client(dataset::run(args)),
        Command::Infer(args) => client(infer::run(args)),
        Command::Batch(args) => client(batch::run(args)),
        Command::Jobs(args) => client(jobs::run(args)),
        Command::Key(args) => client(key::run(args)),
        Command::DeadLetters(args) => client(dead_letters::run(args)),
        Command::Login(args) => client(login::login(args)),
        Command::Logout(args) => login::logout(&args),
        Command::Profiles(args) => login::list(&args),
    }
}

/// A client has one thing to do, for which one thread is enough.
fn client(work: impl Future<Output = Result<Exit>>) -> Result<Exit> {
    block_on(Builder::new_current_thread(), work)
}

fn block_on(mut builder: Builder, work: impl Future<Output = Result<Exit>>) -> Result<Exit> {
    let runtime = builder.enable_all().build().context("cannot start the async runtime")?;
    runtime.block_on(work)
}

/// Warnings and errors on standard error; `DCMP_LOG=debug` shows more, `DCMP_LOG=dcmp=trace` of one
/// crate. The answer is what a device keeps of it for its owner, whatever is shown.
fn log() -> Journal {
    let filter = EnvFilter::try_from_env("DCMP_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    // it would write whole frames and handshakes, with the keys, tokens and addresses in them
    let quiet = ["tungstenite=info", "tokio_tungstenite=info"];
    let filter = quiet
        .into_iter()
        .filter_map(|directive| directive.parse().ok())
        .fold(filter, EnvFilter::add_directive);
    let screen = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        // it would tell of a line that cannot be written by a macro that panics for the same reason
        .log_internal_errors(false);
    let journal = Journal::default();
    tracing_subscriber::registry()
        .with(screen.with_filter(filter))
        .with(journal.clone().with_filter(LevelFilter::INFO))
        .init();
    journal
}
