//! `dcmp up`: the whole platform on this machine.

mod gateway;
mod keys;
mod runners;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result};
use axum::serve::ListenerExt;
use embedded::{Durability, Embedded, OpenError, Options};
use service::{App, Settings, models::uploads};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use self::gateway::Connections;
use crate::{
    exit::{Exit, usage},
    home, output,
    profiles::Profiles,
    signals::Signals,
};

/// Runs the platform on this machine: API, devices' socket, store, and a device of its own
#[derive(clap::Args)]
#[command(after_help = "Examples:
  dcmp up                              serves http://127.0.0.1:3000 and keeps its data in your data directory
  dcmp up --data ./data --listen 0.0.0.0:8080
  dcmp up --api-key test-api-key       a key of your own choice, on a loopback address only

When it serves, it prints `ready http://HOST:PORT` on standard output, and nothing else there.
Ctrl-C ends it, a second one at once; what was acknowledged is there at the next start.")]
pub(crate) struct Args {
    /// Where to serve; port 0 takes a free one
    #[arg(long, env = "DCMP_LISTEN", default_value = "127.0.0.1:3000")]
    listen: SocketAddr,
    /// Where everything is kept [default: dcmp in your data directory]
    #[arg(long, env = "DCMP_DATA")]
    data: Option<PathBuf>,
    /// The first customer's API key; made on the first start if not given
    #[arg(long, env = "DCMP_API_KEY", hide_env_values = true)]
    api_key: Option<String>,
    /// The operator's key, for /admin; made on the first start if not given
    #[arg(long, env = "ADMIN_KEY", hide_env_values = true)]
    admin_key: Option<String>,
    /// Do not run models in the platform itself, only on devices that connect
    #[arg(long)]
    no_own_device: bool,
    /// What an acknowledged write survives: `power` (loss of power) or `process` (a crash)
    #[arg(long, default_value = "power")]
    durability: Durability,
    /// Where callers reach the platform, if not on the host they dial, such as https://api.example.org
    #[arg(long)]
    public_url: Option<String>,
    /// Between two heartbeats of a device that works, in milliseconds
    #[arg(long, default_value_t = 5_000, hide = true)]
    heartbeat_ms: u64,
    /// The largest model in MB
    #[arg(long, default_value_t = 8192)]
    max_model_mb: u64,
    /// An upload in parts is given up when nothing came for so long, in milliseconds
    #[arg(long, default_value_t = 24 * 3600 * 1000, hide = true)]
    upload_idle_ms: u64,
    /// Without a heartbeat for so long a device's work is given to others, in milliseconds
    #[arg(long, default_value_t = 15_000, hide = true)]
    lease_ms: u64,
}

/// The largest model in one request, in bytes.
const UPLOAD_LIMIT: usize = 256 << 20;

/// How long requests under way may take to finish when the platform is told to end.
const GRACE: Duration = Duration::from_secs(10);

/// How long work that cannot be interrupted, such as a model that computes, is waited for at the end.
const LEFTOVERS: Duration = Duration::from_secs(1);

/// Runs until told to end.
pub(crate) fn run(args: Args) -> Result<Exit> {
    let runtime = tokio::runtime::Runtime::new().context("cannot start the async runtime")?;
    let exit = runtime.block_on(serve(args));
    runtime.shutdown_timeout(LEFTOVERS);
    exit
}

async fn serve(args: Args) -> Result<Exit> {
    keys::check_given(&args)?;
    if args.heartbeat_ms == 0 || args.lease_ms < args.heartbeat_ms {
        return Err(usage("--lease-ms must be at least --heartbeat-ms, and both more than 0"));
    }
    let data = args.data.clone().unwrap_or_else(home::default_data);
    let store = open(&data, args.durability)?;
    let listener = TcpListener::bind(args.listen).await.map_err(|cause| {
        usage(format!("cannot listen on {}: {cause}; choose another with --listen", args.listen))
    })?;
    let url = format!("http://{}", listener.local_addr()?);
    let known = home::Access::read_whole(&data)?;
    let admin_key = keys::admin(&args, &*store.ports().clock, known.as_ref());
    let app = app(&args, &store, &admin_key);
    let routes = registry::routes();
    runners::register_calls(&app, &routes, store.functions());
    let api_key = keys::first_customer(&app, args.api_key.as_deref(), known.as_ref()).await?;
    let access = home::Access { url, api_key, admin_key };
    access.write(&data)?;

    let mut signals = Signals::new()?;
    let ending = CancellationToken::new();
    let running = runners::start(&app, &routes, &ending);
    let connections = Connections::default();
    let devices = gateway::router(&app, &routes, store.sockets().clone(), &connections);
    let router = api::router(&app, &routes, store.blob_router().merge(devices));
    let listener = listener.tap_io(|stream| {
        // small answers must not wait for more
        if let Err(cause) = stream.set_nodelay(true) {
            tracing::debug!(%cause, "a connection keeps Nagle's algorithm");
        }
    });
    let server =
        axum::serve(listener, router).with_graceful_shutdown(ending.clone().cancelled_owned());
    let server = tokio::spawn(async move { server.await });
    announce(&access, &data, &args);
    signals.next().await;
    let seconds = GRACE.as_secs();
    output::say(format_args!("dcmp: ending; requests under way have {seconds} s to finish"));
    ending.cancel();
    let rest = async {
        if tokio::time::timeout(GRACE, server).await.is_err() {
            tracing::warn!("requests under way did not finish in time");
        }
        // only now: a request under way may wait for what a device brings
        connections.close().await;
        running.finish().await;
    };
    tokio::select! {
        () = rest => {}
        () = signals.next() => {
            output::say("dcmp: ended at once; work that was not acknowledged may be lost");
            return Ok(Exit::Interrupted);
        }
    }
    drop(app);
    store.close().await.context("the store did not close cleanly")?;
    output::say("dcmp: ended; everything is on disk");
    Ok(Exit::Done)
}

fn open(data: &Path, durability: Durability) -> Result<Embedded> {
    let options = Options { durability, ..Options::default() };
    Embedded::open(data, options).map_err(|error| match error {
        // the one matter that another --data does not help
        OpenError::Store { .. } => error.into(),
        OpenError::InUse { .. } | OpenError::Newer { .. } | OpenError::Io { .. } => {
            usage(error.to_string())
        }
    })
}

fn app(args: &Args, store: &Embedded, admin_key: &str) -> App {
    let mut settings = Settings {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        admin_key_hash: service::access::hash(admin_key),
        chosen_keys: keys::is_private(args.listen),
        bounded_answers: false,
        public_url: args.public_url.clone().map(|url| url.trim_end_matches('/').to_owned()),
        upload_limit: UPLOAD_LIMIT,
        uploads: uploads::Limits {
            max_size: args.max_model_mb << 20,
            idle_ms: args.upload_idle_ms,
        },
        lease: Default::default(),
    };
    settings.lease.heartbeat_ms = args.heartbeat_ms;
    settings.lease.lease_ms = args.lease_ms;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let engine: Option<Arc<dyn service::Engine>> = if args.no_own_device {
        None
    } else {
        Some(Arc::new(compute::OwnDevice::new(cores, memory())))
    };
    App::new(store.ports(), settings, engine)
}

/// What the platform's own device may take for models, in bytes: half of the machine's memory, or what
/// most machines have where that is not known.
fn memory() -> u64 {
    let refresh = sysinfo::MemoryRefreshKind::nothing().with_ram();
    let known = sysinfo::RefreshKind::nothing().with_memory(refresh);
    let total = sysinfo::System::new_with_specifics(known).map(|system| system.total_memory());
    total.unwrap_or(4 << 30) / 2
}

/// Tells people on standard error, and programs on standard output. If nobody reads it, the platform
/// serves all the same.
fn announce(access: &home::Access, data: &Path, args: &Args) {
    // where the other commands do not look by themselves, they are told
    let logged_in = !Profiles::read().is_ok_and(|profiles| profiles.current.is_none());
    let place = match data == home::default_data() && !logged_in {
        true => String::new(),
        false => format!("DCMP_DATA={} ", data.display()),
    };
    output::say(format_args!(
        "dcmp {version} on {url}
  API key    {key}
  docs       {url}/docs
  data       {data} (durability: {durability})
  own device {own_device}
Add a device with `{place}dcmp device`; end with Ctrl-C.",
        version = env!("CARGO_PKG_VERSION"),
        url = access.url,
        key = access.api_key,
        data = data.display(),
        durability = args.durability,
        own_device = if args.no_own_device { "off" } else { "on" },
    ));
    if let Err(cause) = output::print(&format!("ready {}", access.url)) {
        tracing::debug!(%cause, "nobody waits for the platform to be ready");
    }
}
