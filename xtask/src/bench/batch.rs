//! Batches end to end: accepted, cut, computed by separate device processes, each input on record once,
//! and read; beside a loop over ONNX Runtime and tract in this process.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use anyhow::{Result, bail, ensure};
use protocol::tensor::{Named, Tensor};

use super::{
    children,
    parties::{Customer, Inputs},
    rows::{CNN, MLP, Subject},
};
use crate::{build, process::Process, tools::printed};

/// Each number is the median of so many runs.
const RUNS: usize = 3;

/// More inputs than these go as a dataset.
const MAX_IN_BODY: usize = 10_000;

/// So many inputs before it is measured: devices get the model.
const WARM_UP: usize = 200;

/// Batches of an MLP and a CNN, through device processes, beside a Python loop over ONNX Runtime
///
/// The loop runs in the environment of `bench inference`'s FastAPI; make it with
/// `python3 -m venv target/peers/fastapi_ort && target/peers/fastapi_ort/bin/pip install -r
/// xtask/peers/fastapi_ort/requirements.txt`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How many inputs
    #[arg(long, value_delimiter = ',', default_value = "10000,100000")]
    inputs: Vec<usize>,
    /// How many device processes
    #[arg(long, value_delimiter = ',', default_value = "1,2")]
    devices: Vec<usize>,
    /// `power` or `process`
    #[arg(long, default_value = "power")]
    durability: String,
    /// Where the peers' Python environments are
    #[arg(long, default_value = "target/peers")]
    peers: PathBuf,
}

/// A line of the table; rates in inputs per second.
struct Row {
    name: String,
    inputs: usize,
    computed: f64,
    read: Option<f64>,
    memory: String,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let dcmp = build::dcmp()?;
    println!(
        "medians of {RUNS}, durability {}, {} cores; computed: from the request until the batch is over; \
         read: until its last result is read, too\n",
        arguments.durability,
        std::thread::available_parallelism().map_or(0, usize::from)
    );
    println!(
        "| model | inputs | | computed/s | × Python loop | × tract | read/s | most memory |\n\
         |---|---|---|---|---|---|---|---|"
    );
    for subject in [&MLP, &CNN] {
        let mut rows = Vec::new();
        for inputs in &arguments.inputs {
            rows.extend(python(arguments, subject, *inputs)?);
            rows.push(in_process(subject, *inputs)?);
        }
        for devices in &arguments.devices {
            rows.extend(platform(arguments, &dcmp, subject, *devices)?);
        }
        print(subject, &rows);
    }
    println!(
        "\nGoals: small nets × Python loop ≥ 1; models of 50 µs an input and more × tract ≥ 0.5; \
         two devices on two cores ≥ 1.8 × one; the platform below 150 MB"
    );
    Ok(())
}

/// A loop over ONNX Runtime.
fn python(arguments: &Arguments, subject: &Subject, inputs: usize) -> Result<Option<Row>> {
    let root = crate::root();
    let python = root.join(&arguments.peers).join("fastapi_ort/bin/python");
    if !python.exists() {
        println!("Python loop over ONNX Runtime: not installed ({} is missing)", python.display());
        return Ok(None);
    }
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("inputs.npy");
    std::fs::write(&file, subject.npy(inputs))?;
    let measure = || {
        let mut command = Command::new(&python);
        command.arg(root.join("xtask/peers/fastapi_ort/loop.py"));
        command.arg(root.join("fixtures").join(subject.file)).arg(&file);
        let said = printed(&mut command)?;
        let said = String::from_utf8(said)?;
        let numbers: Vec<f64> =
            said.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
        match numbers[..] {
            [seconds, megabytes] => Ok((seconds, megabytes)),
            _ => bail!("the loop said {said}"),
        }
    };
    let runs: Vec<_> = (0..RUNS).map(|_| measure()).collect::<Result<_>>()?;
    let computed = inputs as f64 / median(runs.iter().map(|(seconds, _)| *seconds));
    let memory = median(runs.iter().map(|(_, megabytes)| *megabytes));
    let name = "Python loop over ONNX Runtime".to_owned();
    Ok(Some(Row { name, inputs, computed, read: None, memory: format!("{memory:.0} MB") }))
}

/// The engine of our devices, on one thread.
fn in_process(subject: &Subject, inputs: usize) -> Result<Row> {
    let model = std::fs::read(crate::root().join("fixtures").join(subject.file))?;
    let network = ::inference::Network::load(&model)?;
    let name = network.signature().inputs[0].name.clone();
    let values = subject.values(inputs);
    let calls: Vec<[Named; 1]> = values
        .chunks(subject.stacked * subject.numbers())
        .map(|values| {
            let shape = subject.shape(values.len() / subject.numbers());
            [Named { name: name.clone(), tensor: Tensor::from_f32(shape, values) }]
        })
        .collect();
    for call in calls.iter().take(WARM_UP) {
        network.run(call)?;
    }
    let mut seconds = Vec::new();
    for _ in 0..RUNS {
        let begun = Instant::now();
        for call in &calls {
            std::hint::black_box(network.run(call)?);
        }
        seconds.push(begun.elapsed().as_secs_f64());
    }
    let name = match subject.stacked {
        1 => "tract in process, one thread".to_owned(),
        stacked => format!("tract in process, one thread, {stacked} at a time"),
    };
    let computed = inputs as f64 / median(seconds.into_iter());
    Ok(Row { name, inputs, computed, read: None, memory: String::new() })
}

/// Batches of all sizes on one platform.
fn platform(
    arguments: &Arguments,
    dcmp: &Path,
    subject: &Subject,
    count: usize,
) -> Result<Vec<Row>> {
    let directory = tempfile::tempdir()?;
    let flags = ["--no-own-device", "--durability", &arguments.durability];
    let (platform, url) = children::platform(dcmp, &directory.path().join("platform"), &flags)?;
    let start = |number: usize| {
        let data = directory.path().join(format!("device{number}"));
        children::device(dcmp, &url, &data, &[])
    };
    let devices: Vec<Process> = (0..count).map(start).collect::<Result<_>>()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let customer = Customer::new(&url, super::inference::KEY)?;
    let model = crate::root().join("fixtures").join(subject.file);
    let model = runtime.block_on(async {
        let idle = |list: &serde_json::Value| {
            let idle = list["devices"].as_array()?.iter().filter(|one| one["status"] == "idle");
            (idle.count() == count).then_some(())
        };
        customer.api.until("/devices", "devices", idle).await?;
        let model = customer.model(&model, "own").await?;
        once(&customer, &model, &Inputs::Body(subject.json(WARM_UP)), WARM_UP).await?;
        anyhow::Ok(model)
    })?;
    let mut rows = Vec::new();
    for inputs in &arguments.inputs {
        let source = if *inputs <= MAX_IN_BODY {
            Inputs::Body(subject.json(*inputs))
        } else {
            let file = directory.path().join("inputs.npy");
            std::fs::write(&file, subject.npy(*inputs))?;
            Inputs::Dataset(customer.dataset(dcmp, &file)?)
        };
        let mut runs = Vec::new();
        for _ in 0..RUNS {
            runs.push(runtime.block_on(once(&customer, &model, &source, *inputs))?);
        }
        let all = *inputs as f64;
        let from = if matches!(source, Inputs::Body(_)) { "in the request" } else { "a dataset" };
        let each: Vec<_> =
            devices.iter().map(|device| format!("{:.0}", device.most_memory_mb())).collect();
        rows.push(Row {
            name: format!("{count} device{}, {from}", if count == 1 { "" } else { "s" }),
            inputs: *inputs,
            computed: all / median(runs.iter().map(|(computed, _)| *computed)),
            read: Some(all / median(runs.iter().map(|(_, read)| *read))),
            memory: format!(
                "platform {:.0} MB, devices {} MB",
                platform.most_memory_mb(),
                each.join(", ")
            ),
        });
    }
    Ok(rows)
}

/// Seconds until a batch is over, and until its results are read.
async fn once(
    customer: &Customer,
    model: &str,
    source: &Inputs,
    inputs: usize,
) -> Result<(f64, f64)> {
    let begun = Instant::now();
    let batch = customer.begin(model, source).await?;
    customer.until_over(&batch).await?;
    let computed = begun.elapsed().as_secs_f64();
    let results = customer.results(&batch).await?;
    ensure!(results == inputs, "{results} results of {inputs} inputs");
    Ok((computed, begun.elapsed().as_secs_f64()))
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn print(subject: &Subject, rows: &[Row]) {
    for row in rows {
        let beside = |name: &str| {
            let peer =
                rows.iter().find(|peer| peer.inputs == row.inputs && peer.name.starts_with(name));
            peer.map_or_else(
                || "—".to_owned(),
                |peer| format!("{:.2}", row.computed / peer.computed),
            )
        };
        let read = row.read.map_or_else(|| "—".to_owned(), |read| format!("{read:.0}"));
        println!(
            "| {} | {} | {} | {:.0} | {} | {} | {read} | {} |",
            subject.name,
            row.inputs,
            row.name,
            row.computed,
            beside("Python"),
            beside("tract"),
            row.memory
        );
    }
}
