//! `dcmp devices`

use anyhow::Result;
use protocol::rest::devices::Device;

use crate::{
    client::Connection,
    exit::{Exit, usage},
    output::{self, Align},
};

/// Lists the devices you can use, or shows one
#[derive(clap::Args)]
#[command(after_help = "Examples:
  dcmp devices
  dcmp devices --status idle --json | jq '.devices | length'
  dcmp devices laptop                      one device with its hardware, by name or id

Yours come first, then those that others share with everyone. Add this machine with `dcmp device`.")]
pub(crate) struct Args {
    /// Show this one: an id, or a name that no other device has
    device: Option<String>,
    /// Only devices that are `idle`, `busy`, `draining` or `offline`
    #[arg(long)]
    status: Option<String>,
    /// The API's JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

pub(crate) async fn run(args: Args) -> Result<Exit> {
    match &args.device {
        Some(_) if args.status.is_some() => {
            Err(usage("--status is for the list; leave it out to show one device"))
        }
        Some(device) => show(&args, device).await,
        None => list(&args).await,
    }
}

async fn show(args: &Args, device: &str) -> Result<Exit> {
    let client = args.connection.client()?;
    let id = client.device_id(device).await?;
    let answer = client.get(&["devices", &id]).await?;
    let text = if args.json { answer.text } else { about(&answer.read()?) };
    output::print(&text)?;
    Ok(Exit::Done)
}

async fn list(args: &Args) -> Result<Exit> {
    let client = args.connection.client()?;
    let filter = args.status.as_deref().map(|status| ("status", status));
    let listing = client.list::<Device>(&["devices"], "devices", filter).await?;
    if args.json {
        output::print(&listing.json()?)?;
        return Ok(Exit::Done);
    }
    let devices = listing.items()?;
    match &args.status {
        _ if !devices.is_empty() => output::print(&table(&devices))?,
        Some(status) => output::say(format_args!("No device is {status}.")),
        None => output::say("There are no devices yet; add this machine with `dcmp device`."),
    }
    Ok(Exit::Done)
}

fn table(devices: &[Device]) -> String {
    let header = [
        ("id", Align::Left),
        ("name", Align::Left),
        ("status", Align::Left),
        ("tasks", Align::Right),
        ("slots", Align::Right),
        ("done", Align::Right),
        ("failed", Align::Right),
        ("latency ms", Align::Right),
        ("platform", Align::Left),
        ("whose", Align::Left),
        ("last seen", Align::Left),
    ];
    let row = |device: &Device| {
        let metrics = device.metrics.as_ref();
        let metric = |text: Option<String>| output::or_dash(text.as_deref());
        vec![
            device.id.clone(),
            output::or_dash(device.name.as_deref()),
            device.status.clone(),
            device.current_tasks.to_string(),
            slots(device),
            metric(metrics.map(|metrics| metrics.tasks_completed.to_string())),
            metric(metrics.map(|metrics| metrics.tasks_failed.to_string())),
            metric(metrics.map(|metrics| output::ms(metrics.avg_latency_ms))),
            device.platform.clone(),
            whose(device).to_owned(),
            device.last_seen_at.clone(),
        ]
    };
    output::table(&header, &devices.iter().map(row).collect::<Vec<_>>())
}

/// A device for people.
fn about(device: &Device) -> String {
    let sdk = format!("{} {}", device.sdk_type, device.sdk_version);
    let mut rows = vec![
        ("id", device.id.clone()),
        ("name", output::or_dash(device.name.as_deref())),
        ("uuid", output::or_dash(device.uuid.as_deref())),
        ("status", device.status.clone()),
        ("tasks", format!("{} of {} slots", device.current_tasks, slots(device))),
        ("whose", whose(device).to_owned()),
        ("platform", device.platform.clone()),
        ("sdk", sdk),
        ("connected", device.connected_at.clone()),
        ("last seen", device.last_seen_at.clone()),
    ];
    if let Some(metrics) = &device.metrics {
        rows.push(("done", metrics.tasks_completed.to_string()));
        rows.push(("failed", metrics.tasks_failed.to_string()));
        rows.push(("latency", format!("{} ms on average", output::ms(metrics.avg_latency_ms))));
        rows.push(("computed", format!("{} ms", metrics.cpu_ms + metrics.gpu_ms)));
    }
    if let Some(hardware) = &device.hardware {
        rows.push(("hardware", hardware.to_string()));
    }
    rows.push(("can do", device.capabilities.to_string()));
    output::fields(&rows)
}

fn slots(device: &Device) -> String {
    device.capabilities.get("slots").map_or_else(|| "?".to_owned(), ToString::to_string)
}

fn whose(device: &Device) -> &'static str {
    match (device.owned, device.share.as_str()) {
        (true, "everyone") => "yours, shared",
        (true, _) => "yours",
        (false, _) => "shared",
    }
}
