//! `dcmp login`, `dcmp logout`, `dcmp profiles`: platforms elsewhere, remembered with their keys.

use std::io::Read;

use anyhow::{Context, Result};

use crate::{
    client::{Caller, Client, address},
    exit::{Exit, usage},
    output::{self, Align},
    profiles::{self, Profile, Profiles},
};

/// Remembers a platform and a key to it, for the commands that follow
#[derive(clap::Args)]
#[command(after_help = "Examples:
  dcmp login --url https://dcmp.example.com < key.txt
  dcmp login work --url https://ID.execute-api.us-east-1.amazonaws.com \\
      --socket-url wss://ID.execute-api.us-east-1.amazonaws.com/prod < key.txt
  dcmp login work --admin < operators-key.txt       the operator's key beside it, for `dcmp key`

The key is tried before it is kept. Commands use the platform of the last login unless --url, --data
or --profile, or their variables, say otherwise.")]
pub(crate) struct LoginArgs {
    /// What to call it
    #[arg(default_value = profiles::DEFAULT)]
    name: String,
    /// The platform's API, http(s):// [default: as before]
    #[arg(long)]
    url: Option<String>,
    /// The devices' socket, ws(s)://, when it has an address of its own
    #[arg(long)]
    socket_url: Option<String>,
    /// The key; better on standard input, since arguments are seen by everybody on this machine
    #[arg(long, env = "DCMP_API_KEY", hide_env_values = true)]
    api_key: Option<String>,
    /// The key is the operator's
    #[arg(long)]
    admin: bool,
}

/// Forgets a platform and its keys
#[derive(clap::Args)]
#[command(after_help = "Example:
  dcmp logout work")]
pub(crate) struct LogoutArgs {
    /// What it is called
    #[arg(default_value = profiles::DEFAULT)]
    name: String,
}

/// Lists the platforms that you logged in to, without their keys
#[derive(clap::Args)]
#[command(after_help = "Examples:
  dcmp profiles
  dcmp devices --profile work              uses one of them")]
pub(crate) struct ProfilesArgs {
    /// As a JSON document
    #[arg(long)]
    json: bool,
}

/// Tries the key, and keeps it.
pub(crate) async fn login(args: LoginArgs) -> Result<Exit> {
    let mut profiles = Profiles::read()?;
    let known = profiles.profiles.get(&args.name);
    let url = args.url.or_else(|| known.map(|known| known.url.clone()));
    let url = url.ok_or_else(|| usage("say where the platform is with --url https://…"))?;
    let target = address(&url)?;
    if let Some(socket) = &args.socket_url
        && !(socket.starts_with("ws://") || socket.starts_with("wss://"))
    {
        return Err(usage(format!("`{socket}` is no address of a socket; use ws:// or wss://")));
    }
    let key = match args.api_key {
        Some(key) => key,
        None => from_standard_input()?,
    };
    let key = key.trim().to_owned();
    if key.is_empty() {
        return Err(usage("the key is empty; give it on standard input or with --api-key"));
    }
    let caller = if args.admin { Caller::Admin } else { Caller::Customer };
    Client::new(&target, caller, &key)?.try_key().await?;

    // keys of another platform are not shown to this one
    let mut profile = match known {
        Some(known) if known.url == url => known.clone(),
        _ => Profile { url, socket_url: None, api_key: None, admin_key: None },
    };
    profile.socket_url = args.socket_url.or(profile.socket_url);
    match caller {
        Caller::Customer => profile.api_key = Some(key),
        Caller::Admin => profile.admin_key = Some(key),
    }
    output::say(format_args!("Logged in to {} as `{}`.", profile.url, args.name));
    profiles.current = Some(args.name.clone());
    profiles.profiles.insert(args.name, profile);
    profiles.write()?;
    Ok(Exit::Done)
}

/// Forgets it.
pub(crate) fn logout(args: &LogoutArgs) -> Result<Exit> {
    let mut profiles = Profiles::read()?;
    if profiles.profiles.remove(&args.name).is_none() {
        return Err(usage(format!("no profile is called `{}`; see `dcmp profiles`", args.name)));
    }
    if profiles.current.as_ref() == Some(&args.name) {
        profiles.current = None;
    }
    profiles.write()?;
    output::say(format_args!("Forgot `{}`; its keys are as good as before.", args.name));
    Ok(Exit::Done)
}

/// Lists them.
pub(crate) fn list(args: &ProfilesArgs) -> Result<Exit> {
    let Profiles { current, profiles } = Profiles::read()?;
    let is_current = |name: &String| current.as_ref() == Some(name);
    if args.json {
        let entry = |(name, profile): (&String, &Profile)| {
            serde_json::json!({
                "name": name,
                "url": profile.url,
                "socket_url": profile.socket_url,
                "current": is_current(name),
                "api_key": profile.api_key.is_some(),
                "admin_key": profile.admin_key.is_some(),
            })
        };
        let list: Vec<_> = profiles.iter().map(entry).collect();
        output::print(&serde_json::json!({ "profiles": list }).to_string())?;
        return Ok(Exit::Done);
    }
    if profiles.is_empty() {
        output::say("You are not logged in anywhere; `dcmp login --url https://…` does it.");
        return Ok(Exit::Done);
    }
    let header = [
        ("name", Align::Left),
        ("current", Align::Left),
        ("url", Align::Left),
        ("keys", Align::Left),
    ];
    let row = |(name, profile): (&String, &Profile)| {
        let keys = [("customer", &profile.api_key), ("operator", &profile.admin_key)];
        let keys = keys.iter().filter(|(_, key)| key.is_some()).map(|(whose, _)| *whose);
        vec![
            name.clone(),
            if is_current(name) { "yes" } else { "" }.to_owned(),
            profile.url.clone(),
            keys.collect::<Vec<_>>().join(", "),
        ]
    };
    output::print(&output::table(&header, &profiles.iter().map(row).collect::<Vec<_>>()))?;
    Ok(Exit::Done)
}

/// The longest text that is taken for a key, in bytes.
const MAX_KEY: u64 = 4096;

fn from_standard_input() -> Result<String> {
    let input = std::io::stdin().lock().take(MAX_KEY);
    std::io::read_to_string(input).context("cannot read the key from standard input")
}
