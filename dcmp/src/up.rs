//! `dcmp up`: the whole platform on this machine.

mod gateway;
mod keys;
mod runners;

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};
use axum::serve::ListenerExt;
use embedded::{Durability, Embedded, Options};
use service::{App, Settings};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::home;

/// Runs the platform on this machine: API, devices' socket, store, and a device of its own
#[derive(clap::Args)]
#[command(after_help = "Examples:
  dcmp up                              serves http://127.0.0.1:3000 and keeps its data in your data directory
  dcmp up --data ./data --listen 0.0.0.0:8080
  dcmp up --api-key test-api-key       a key of your own choice, on a loopback address only

When it serves, it prints `ready http://HOST:PORT` on standard output, and nothing else there.
Ctrl-C ends it; what was acknowledged is there at the next start.")]
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
    /// Without a heartbeat for so long a device's work is given to others, in milliseconds
    #[arg(long, default_value_t = 15_000, hide = true)]
    lease_ms: u64,
}

/// The largest model in one request, in bytes.
const UPLOAD_LIMIT: usize = 256 << 20;

/// How long requests under way may take to finish when the platform is told to end.
const GRACE: Duration = Duration::from_secs(10);

/// Runs until told to end.
pub(crate) fn run(args: Args) -> Result<()> {
    let runtime = tokio::runtime::Runtime::new().context("cannot start the async runtime")?;
    runtime.block_on(serve(args))
}

async fn serve(args: Args) -> Result<()> {
    if let Some(key) = &args.api_key {
        keys::check_chosen(key, args.listen)?;
    }
    let data = args.data.clone().unwrap_or_else(home::default_data);
    let options = Options { durability: args.durability, ..Options::default() };
    let store = Embedded::open(&data, options)?;
    let listener = TcpListener::bind(args.listen).await.with_context(|| {
        format!("cannot listen on {}; choose another with --listen", args.listen)
    })?;
    let address = listener.local_addr()?;
    let known = home::Access::read(&data)?;
    let admin_key = keys::admin(&args, &*store.ports().clock, known.as_ref())?;
    let app = app(&args, &store, &admin_key)?;
    let routes = registry::routes();
    runners::register_calls(&app, &routes, store.functions());
    let api_key = keys::first_customer(&app, args.api_key.clone(), known.as_ref()).await?;
    let url = format!("http://{address}");
    let access = home::Access { url: url.clone(), api_key, admin_key };
    access.write(&data)?;

    let stop = CancellationToken::new();
    let running = runners::start(&app, &routes, &stop);
    let router = api::router(&app, &routes).merge(store.blob_router()).merge(gateway::router(
        &app,
        &routes,
        store.sockets().clone(),
        stop.clone(),
    ));
    let listener = listener.tap_io(|stream| {
        // small answers must not wait for more
        if let Err(cause) = stream.set_nodelay(true) {
            tracing::debug!(%cause, "a connection keeps Nagle's algorithm");
        }
    });
    let ending = stop.clone();
    let server = axum::serve(listener, router)
        .with_graceful_shutdown(async move { ending.cancelled().await });
    let server = tokio::spawn(async move { server.await });
    announce(&access, &data, &args);
    signal().await?;
    eprintln!("dcmp: ending; requests under way have {} s to finish", GRACE.as_secs());
    stop.cancel();
    let second = signal();
    let rest = async {
        if tokio::time::timeout(GRACE, server).await.is_err() {
            tracing::warn!("requests under way did not finish in time");
        }
        running.finish().await;
    };
    tokio::select! {
        () = rest => {}
        _ = second => bail!("ended at once; work that was not acknowledged may be lost"),
    }
    drop(app);
    store.close().await.context("the store did not close cleanly")?;
    eprintln!("dcmp: ended; everything is on disk");
    Ok(())
}

fn app(args: &Args, store: &Embedded, admin_key: &str) -> Result<App> {
    let mut settings = Settings {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        admin_key_hash: service::access::hash(admin_key),
        public_url: args.public_url.clone().map(|url| url.trim_end_matches('/').to_owned()),
        upload_limit: UPLOAD_LIMIT,
        lease: Default::default(),
    };
    settings.lease.heartbeat_ms = args.heartbeat_ms;
    settings.lease.lease_ms = args.lease_ms;
    if args.heartbeat_ms == 0 || args.lease_ms < args.heartbeat_ms {
        bail!("--lease-ms must be at least --heartbeat-ms, and both more than 0");
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let engine: Option<Arc<dyn service::Engine>> =
        if args.no_own_device { None } else { Some(Arc::new(compute::OwnDevice::new(cores))) };
    Ok(App::new(store.ports(), settings, engine))
}

/// Tells people on standard error, and programs on standard output.
#[allow(clippy::print_stdout, reason = "the one line that programs wait for")]
fn announce(access: &home::Access, data: &std::path::Path, args: &Args) {
    eprintln!("dcmp {} on {}", env!("CARGO_PKG_VERSION"), access.url);
    eprintln!("  API key    {}", access.api_key);
    eprintln!("  docs       {}/docs", access.url);
    eprintln!("  data       {} (durability: {})", data.display(), args.durability);
    eprintln!("  own device {}", if args.no_own_device { "off" } else { "on" });
    eprintln!("Add a device with `dcmp device`; end with Ctrl-C.");
    println!("ready {}", access.url);
}

/// Ctrl-C, or what a service manager sends.
async fn signal() -> Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminate.recv() => {}
    }
    Ok(())
}
