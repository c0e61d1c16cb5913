//! `dcmp device`: lends this computer to a platform; its subcommands reach devices elsewhere.

mod drain;
mod logs;
mod screen;

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Subcommand, ValueEnum};
use device::{Agent, Config, Error, InstanceType, Journal, Stop, Summary, Timings};

use crate::{
    client::Connection,
    exit::{self, Exit, error},
    home, output,
    signals::Signals,
};

/// More than one, so that a processor has its next task at hand; a device computes on as many threads
/// as it has processors, whatever its slots.
const SLOTS_PER_CORE: usize = 8;

/// The most that a platform takes from one device.
const MAX_SLOTS: u32 = 1024;

/// Lends this computer to a platform: runs the models that it is sent
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "Examples:
  dcmp device                                      for the `dcmp up` on this machine
  dcmp device --url https://dcmp.example.com --api-key dcmp_… --name laptop
  dcmp device --url wss://ID.execute-api.us-east-1.amazonaws.com/prod      for one on AWS
  dcmp device --slots 2 --share everyone           others may use it, too
  dcmp device --name second --data ./second        another one on the same machine
  dcmp device logs laptop --level warn             what a device of yours says
  dcmp device drain laptop                         has it finish its work and leave

Ctrl-C finishes what is under way and leaves; a second Ctrl-C leaves at once, and the platform gives
the work to others. It reconnects by itself for as long as it runs.")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// The platform, http(s):// or ws(s):// [default: that of the profile, else where the last `dcmp up`
    /// served, else http://127.0.0.1:3000]
    #[arg(long, env = "DCMP_URL")]
    url: Option<String>,
    /// A platform that you logged in to [default: the last one, unless DCMP_DATA is given]
    #[arg(long, env = "DCMP_PROFILE", value_name = "NAME")]
    profile: Option<String>,
    /// A key with the scope `devices` [default: the one of the profile, or that `dcmp up` left]
    #[arg(long, env = "DCMP_API_KEY", hide_env_values = true)]
    api_key: Option<String>,
    /// What to call this device
    #[arg(long)]
    name: Option<String>,
    /// Tasks that it takes at once; they share the processors, and small ones are computed together
    /// [default: 8 per processor]
    #[arg(long)]
    slots: Option<u32>,
    /// Whom it works for
    #[arg(long, value_enum, default_value_t)]
    share: Share,
    /// Where it keeps its identity and its models [default: device in the platform's data directory]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// How much disk models may take, in MB
    #[arg(long, value_name = "MB", default_value_t = 2048)]
    cache_mb: u64,
}

#[derive(Subcommand)]
enum Command {
    Logs(logs::Args),
    Drain(drain::Args),
}

/// The largest model that this agent takes, in MB; the platform takes none larger in one request.
const MAX_MODEL_MB: u64 = 1024;

#[derive(Clone, Copy, Default, ValueEnum)]
enum Share {
    /// Its owner only
    #[default]
    Own,
    /// Other customers too
    Everyone,
}

/// Runs the agent, with `journal` as its log, or what was asked about another.
pub(crate) async fn run(args: Args, journal: Journal) -> Result<Exit> {
    match args.command {
        Some(Command::Logs(args)) => logs::run(args).await,
        Some(Command::Drain(args)) => drain::run(args).await,
        None => lend(args, journal).await,
    }
}

async fn lend(args: Args, journal: Journal) -> Result<Exit> {
    // its own --data is not the platform's
    let platform = std::env::var_os("DCMP_DATA").filter(|path| !path.is_empty());
    let platform = platform.map(PathBuf::from);
    let (url, key) = Connection::for_device(
        args.url.as_deref(),
        args.api_key.as_deref(),
        args.profile.as_deref(),
        platform.as_deref(),
    )?;
    let platform = platform.unwrap_or_else(home::default_data);
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    let config = Config {
        url: url.clone(),
        api_key: key.into(),
        name: args.name,
        slots: args.slots.unwrap_or_else(|| default_slots(cores)),
        share: match args.share {
            Share::Own => device::Share::Own,
            Share::Everyone => device::Share::Everyone,
        },
        instance_type: InstanceType::User,
        data_dir: args.data.unwrap_or_else(|| platform.join("device")),
        cache_mb: args.cache_mb,
        max_model_mb: args.cache_mb.min(MAX_MODEL_MB),
        timings: Timings::default(),
        journal,
    };
    let mut signals = Signals::new()?;
    let agent = Agent::new(config).map_err(fault)?;
    let screen = screen::show(url, agent.uuid(), agent.status(), agent.events());
    let stop = Stop::new();
    let mut work = tokio::spawn(agent.run(stop.clone()));
    let mut asked = 0;
    let outcome = loop {
        tokio::select! {
            outcome = &mut work => break outcome.context("the device broke")?,
            () = signals.next() => {
                asked += 1;
                if asked == 1 { stop.drain() } else { stop.now() }
            }
        }
    };
    // the agent has ended: what it told is all there is
    screen.await.context("the status line broke")?;
    let summary = outcome.map_err(fault)?;
    Ok(end(&summary, asked > 1))
}

fn default_slots(cores: usize) -> u32 {
    u32::try_from(cores * SLOTS_PER_CORE).map_or(MAX_SLOTS, |slots| slots.min(MAX_SLOTS))
}

fn fault(cause: Error) -> anyhow::Error {
    match cause {
        Error::Config(message) => exit::usage(message),
        Error::Refused(message) => error(Exit::Refused, message),
    }
}

/// Says what was done, and how the command ends.
fn end(summary: &Summary, at_once: bool) -> Exit {
    let Summary { done, failed, declined, unacknowledged } = summary;
    output::say(format_args!("ended: {done} done, {failed} failed, {declined} declined"));
    if at_once {
        output::say("Left at once; the platform gives what was under way to others.");
        return Exit::Interrupted;
    }
    if *unacknowledged > 0 {
        let results = output::count(*unacknowledged as u64, "result");
        output::say(format_args!("dcmp: {results} not acknowledged by the platform"));
        return Exit::Failed;
    }
    Exit::Done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_machine_offers_what_a_platform_takes() {
        assert_eq!(default_slots(2), 16);
        assert_eq!(default_slots(129), MAX_SLOTS);
        assert_eq!(default_slots(usize::MAX / SLOTS_PER_CORE), MAX_SLOTS);
    }
}
