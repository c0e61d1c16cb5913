//! Whether one customer's batch slows down another's calls, on a device that both share.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow};
use serde_json::json;

use super::{
    children,
    inference::{input, until_answered},
    load::{self, Measured, Target},
    parties::{Customer, Inputs},
    rows::{CNN, MLP, Subject},
};
use crate::{build, client::Api};

const ADMIN_KEY: &str = "bench-admin-key";

/// So many inputs has each of the batches.
const INPUTS: usize = 200_000;

/// So many batches are open at any time.
const OPEN: usize = 2;

/// Calls of one customer with and without another's batches on the same device
///
/// A third customer lends the device to everyone. The batches are always there: when one is over, the
/// next begins.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How long each row is measured
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// `power` or `process`
    #[arg(long, default_value = "power")]
    durability: String,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let dcmp = build::dcmp()?;
    let directory = tempfile::tempdir()?;
    let flags =
        ["--no-own-device", "--admin-key", ADMIN_KEY, "--durability", &arguments.durability];
    let (_platform, url) = children::platform(&dcmp, &directory.path().join("platform"), &flags)?;
    let shared = ["--share", "everyone"];
    let _device = children::device(&dcmp, &url, &directory.path().join("device"), &shared)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let fixtures = crate::root().join("fixtures");
    let (target, batcher) = runtime.block_on(async {
        let operator = Api::new(&url, "x-admin-key", ADMIN_KEY)?;
        let caller = Customer::make(&url, &operator, "caller").await?;
        let model = caller.model(&fixtures.join(MLP.file), "shared").await?;
        let body = json!({ "model_id": model, "input": input() }).to_string();
        let authority = url.strip_prefix("http://").context("not http")?.to_owned();
        let path = "/api/v1/inference".to_owned();
        let target = Target { authority, path, key: caller.key, body };
        anyhow::Ok((target, Customer::make(&url, &operator, "batcher").await?))
    })?;
    until_answered(&target)?;
    println!(
        "\nsync calls of a {}, {} s a row, durability {}, {} cores",
        MLP.name,
        arguments.seconds,
        arguments.durability,
        std::thread::available_parallelism().map_or(0, usize::from)
    );
    println!(
        "| beside | connections | calls/s | p50 ms | p99 ms | × p50 | × p99 | batch inputs/s |\n\
         |---|---|---|---|---|---|---|---|"
    );
    let mut alone = Vec::new();
    for connections in [1, 4] {
        let measured = load::run(&target, connections, arguments.seconds)?;
        print("nothing", connections, &measured, None);
        alone.push((connections, measured));
    }
    for subject in [&MLP, &CNN] {
        let inputs = prepare(&dcmp, &batcher, subject, directory.path())?;
        let model = runtime.block_on(batcher.model(&fixtures.join(subject.file), "shared"))?;
        for (connections, alone) in &alone {
            let batches = Batches::begin(&batcher, &model, &inputs)?;
            let measured = load::run(&target, *connections, arguments.seconds)?;
            let rate = batches.end()?;
            let beside = format!("batches of a {}", subject.name);
            print(&beside, *connections, &measured, Some((alone, rate)));
        }
    }
    println!("\nGoal: × p99 ≤ 2");
    Ok(())
}

/// The dataset of the batches.
fn prepare(dcmp: &Path, batcher: &Customer, subject: &Subject, directory: &Path) -> Result<String> {
    let file = directory.join("inputs.npy");
    std::fs::write(&file, subject.npy(INPUTS))?;
    batcher.dataset(dcmp, &file)
}

/// Batches that do not end until they are told to.
struct Batches {
    over: Arc<AtomicBool>,
    thread: JoinHandle<Result<f64>>,
}

impl Batches {
    /// Begins, and waits until devices work on them.
    fn begin(customer: &Customer, model: &str, dataset: &str) -> Result<Self> {
        let over = Arc::new(AtomicBool::new(false));
        let (customer, model, ended) = (customer.elsewhere()?, model.to_owned(), over.clone());
        let inputs = Inputs::Dataset(dataset.to_owned());
        let (begun, is_begun) = std::sync::mpsc::channel();
        let work = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(keep(&customer, &model, &inputs, &ended, || {
                // whoever waits for it may have given up
                let _ = begun.send(());
            }))
        };
        let thread = std::thread::spawn(work);
        // an error shows at the end
        let _ = is_begun.recv();
        Ok(Self { over, thread })
    }

    /// Ends them; how many inputs they did in a second.
    fn end(self) -> Result<f64> {
        self.over.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow!("the batches panicked"))?
    }
}

/// Keeps some batches open until `over`, then cancels them; how many inputs they did in a second since
/// `begun` was called.
async fn keep(
    customer: &Customer,
    model: &str,
    inputs: &Inputs,
    over: &AtomicBool,
    begun: impl Fn(),
) -> Result<f64> {
    let mut open: Vec<String> = Vec::new();
    let mut done = 0;
    let mut since: Option<(Instant, u64)> = None;
    loop {
        while open.len() < OPEN {
            open.push(customer.begin(model, inputs).await?);
        }
        let mut so_far = done;
        let mut left = Vec::new();
        for batch in open {
            let (inputs, is_over) = customer.look(&batch).await?;
            so_far += inputs;
            if is_over {
                done += inputs;
            } else {
                left.push(batch);
            }
        }
        open = left;
        match since {
            None if so_far > 0 => {
                begun();
                since = Some((Instant::now(), so_far));
            }
            Some((start, before)) if over.load(Ordering::Relaxed) => {
                for batch in open {
                    let path = format!("/inference/{batch}");
                    let request = customer.api.request(reqwest::Method::DELETE, &path);
                    // one that has just ended cannot be cancelled
                    crate::client::answer(request).await?;
                }
                return Ok((so_far - before) as f64 / start.elapsed().as_secs_f64());
            }
            _ => {}
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn print(
    beside: &str,
    connections: usize,
    measured: &Measured,
    compared: Option<(&Measured, f64)>,
) {
    let Measured { per_second, p50_ms, p99_ms } = measured;
    let rest = match compared {
        None => "1 | 1 | —".to_owned(),
        Some((alone, rate)) => {
            format!("{:.2} | {:.2} | {rate:.0}", p50_ms / alone.p50_ms, p99_ms / alone.p99_ms)
        }
    };
    println!("| {beside} | {connections} | {per_second:.0} | {p50_ms:.2} | {p99_ms:.2} | {rest} |");
}
