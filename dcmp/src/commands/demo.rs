//! `dcmp demo`: the whole way of an inference on this machine, for newcomers: a platform, a device as
//! a process of its own, a real model, real images.

mod digits;
mod processes;
mod report;

use std::time::Duration;

use anyhow::{Context, Result, bail};
use protocol::rest::{
    devices::Device,
    inference::{Options, Request},
    models::Model,
};
use reqwest::{StatusCode, Url, multipart::Part};

use self::{
    digits::Image,
    processes::Stage,
    report::{Answered, Report},
};
use crate::{
    client::{Caller, Client},
    exit::Exit,
    output, progress,
    signals::Signals,
};

/// Shows it all: a platform, a device, a model of handwritten digits, 20 images
#[derive(clap::Args)]
#[command(after_help = "Examples:
  dcmp demo                 starts, shows, ends; leaves nothing behind
  dcmp demo --keep          leaves platform and device running until Ctrl-C, to try things
  dcmp demo --json | jq .summary

It needs no network and no other program. Exit code 0 when every image was answered and at least
90 % of the answers are right, else 4.")]
pub(crate) struct Args {
    /// Keep platform and device running until Ctrl-C
    #[arg(long)]
    keep: bool,
    /// The results as JSON
    #[arg(long)]
    json: bool,
}

/// Of the answers, how many must be right.
const GOOD_ENOUGH: f64 = 0.9;

/// How often the platform is asked whether the device is there.
const LOOK: Duration = Duration::from_millis(100);

/// How long a device may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(30);

pub(crate) async fn run(args: Args) -> Result<Exit> {
    let mut signals = Signals::with_hangup()?;
    let mut stage = Stage::new()?;
    let outcome = tokio::select! {
        outcome = play(&mut stage, &args) => outcome,
        () = signals.next() => {
            output::say("Interrupted.");
            Ok(Exit::Interrupted)
        }
    };
    let outcome = match outcome {
        Ok(exit @ (Exit::Done | Exit::JobFailed)) if args.keep => {
            tokio::select! {
                () = signals.next() => Ok(exit),
                gone = stage.anyone_gone() => Err(gone),
            }
        }
        other => other,
    };
    if outcome.is_err() {
        stage.last_words();
    } else if args.keep {
        output::say("Ending the device and the platform…");
    }
    stage.clear().await;
    outcome
}

async fn play(stage: &mut Stage, args: &Args) -> Result<Exit> {
    output::say("1  starting a platform, with its data in a temporary directory");
    let access = stage.platform().await?;
    let url: Url = access.url.parse().context("the platform gave no address")?;
    let client = Client::new(&url, Caller::Customer, &access.api_key)?;
    output::say(format_args!("   it serves {}", access.url));
    output::say("2  starting a device, a process of its own, and waiting until it is idle");
    stage.device(&access)?;
    let report = tokio::select! {
        report = infer(&client, args) => report?,
        gone = stage.anyone_gone() => return Err(gone),
    };
    if args.keep {
        invite(stage, &access.url, &access.api_key);
    }
    Ok(if report.is_good(GOOD_ENOUGH) { Exit::Done } else { Exit::JobFailed })
}

/// What a customer does.
async fn infer(client: &Client, args: &Args) -> Result<Report> {
    let device = arrived(client).await?;
    let name = output::or_dash(device.name.as_deref());
    output::say(format_args!("   {name} is {}", device.status));
    output::say("3  uploading a model of handwritten digits");
    let file = Part::bytes(digits::MODEL).file_name("digits.onnx");
    let model: Model =
        client.upload("models", "model", file, &[("name", "digits".to_owned())]).await?.read()?;
    output::say(format_args!("   {}, {}", model.summary.id, output::size(model.summary.size)));
    let images = digits::images()?;
    let count = images.len();
    output::say(format_args!("4  classifying {count} images that it never saw, one by one"));
    let answers = classify(client, &model.summary.id, images).await?;
    let devices = client.list(&["devices"], "devices", None).await?.items()?;
    let report = Report::new(answers, &devices);
    output::print(&if args.json { report.json(&model)? } else { report.table() })?;
    output::say(report.summary());
    Ok(report)
}

/// The device, as soon as it is ready for work.
async fn arrived(client: &Client) -> Result<Device> {
    let look = async {
        loop {
            let idle = client.list::<Device>(&["devices"], "devices", Some(("status", "idle")));
            if let Some(device) = idle.await?.items()?.into_iter().next() {
                return anyhow::Ok(device);
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    match tokio::time::timeout(ARRIVAL, look).await {
        Ok(device) => device,
        Err(_) => bail!("the device did not connect within {} s", ARRIVAL.as_secs()),
    }
}

async fn classify(client: &Client, model: &str, images: Vec<Image>) -> Result<Vec<Answered>> {
    let bar = progress::count("classifying", images.len() as u64);
    let mut answers = Vec::new();
    for image in images {
        let request = Request {
            model_id: model.to_owned(),
            input: image.input,
            run_async: false,
            raw: None,
            project_id: None,
            options: Options::default(),
            placement: None,
        };
        let answer = client.post(&["inference"], &request, None).await?;
        if answer.status == StatusCode::ACCEPTED {
            bail!("image {} was not answered in time", answers.len() + 1);
        }
        answers.push(Answered { digit: image.digit, job: answer.read()? });
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(answers)
}

/// What to try while it all runs.
fn invite(stage: &Stage, url: &str, key: &str) {
    let data = stage.platform_data();
    let data = data.display();
    // as it was called, for it need not be in the PATH
    let dcmp = std::env::args().next().unwrap_or_else(|| "dcmp".to_owned());
    output::say(format_args!(
        "
It all keeps running. Try, in another terminal:
  export DCMP_URL={url} DCMP_API_KEY={key}
  {dcmp} devices
  {dcmp} model show digits
  {dcmp} infer digits --input '{pixels}'
  curl -H \"X-API-Key: $DCMP_API_KEY\" $DCMP_URL/api/v1/models
  {dcmp} key list --data {data}
The API's documentation is at {url}/docs
Ctrl-C ends it all and leaves nothing behind.",
        pixels = digits::example(),
    ));
}
