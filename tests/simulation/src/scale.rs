//! How large the platform may be: one large world in which nothing goes wrong, and what it asks of the
//! store.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::body::Body;
use http::StatusCode;
use ports::Clock;
use protocol::{rest::batch::Shown, socket::Share};
use serde_json::{Value, json};

use crate::{
    Dice, Faults, Plan, SimClock, Store,
    clock::within,
    customer::{CUSTOMERS, Customer},
    device::{Device, Pace, Traits},
    world::World,
};

/// A large world.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// What everything by chance follows from.
    pub seed: u64,
    /// How many devices there are, each with one slot.
    pub devices: u64,
    /// How many inputs its batches have together.
    pub inputs: u64,
    /// How long a device computes one, in milliseconds.
    pub input_ms: u64,
}

/// What was measured of it. Times are the world's own.
#[derive(Clone, Debug)]
pub struct Measured {
    /// From the first batch to the last result.
    pub makespan: Duration,
    /// The same if all devices had computed all the time.
    pub ideal: Duration,
    /// Pieces of batches.
    pub chunks: u64,
    /// Writes of the table by what they are about, while the batches ran.
    pub writes: BTreeMap<String, u64>,
    /// The partitions with the most writes in a second, and how many those were.
    pub hottest: Vec<(String, u64)>,
}

/// The most inputs of a batch whose inputs come with the request.
const PER_BATCH: u64 = 10_000;

/// How long it takes until all devices are there.
const ARRIVAL: Duration = Duration::from_secs(60);

/// Between two looks at a batch.
const LOOK: Duration = Duration::from_secs(1);

/// How long all of them may take.
const PATIENCE: Duration = Duration::from_secs(24 * 3600);

/// How many of the hottest partitions are shown.
const SHOWN: usize = 5;

/// Runs a large world.
///
/// # Errors
/// When something in it was wrong.
pub fn measure(scale: Scale) -> anyhow::Result<Measured> {
    let dice = Arc::new(Dice::new(scale.seed));
    let clock = SimClock::new(dice.clone());
    let plan =
        Plan { devices: 0, tasks: 0, batches: 0, faults: Faults::NONE, ..Plan::short(scale.seed) };
    let world = World::new(plan, dice, clock.clone());
    clock.run(live(world, scale))?.map_err(anyhow::Error::msg)
}

async fn live(world: World, scale: Scale) -> Result<Measured, String> {
    world.store.forget_what_was_read();
    let app = world.platform.app();
    let (keys, models) = world.prepare(&app).await.map_err(|error| error.to_string())?;
    let counted = Arc::<Mutex<Counted>>::default();
    observe(&world.store, &counted, world.clock.clone());
    world.platform.start(Duration::from_secs(10));
    for number in 0..scale.devices {
        let traits = Traits {
            uuid: format!("device-{number}").into(),
            key: keys[number as usize % keys.len()].clone(),
            share: Share::Everyone,
            slots: 1,
            clock_off_ms: 0,
            pace: Pace { piece_ms: [scale.input_ms; 2], ..Pace::default() },
        };
        let (platform, ledger) = (world.platform.clone(), world.ledger.clone());
        let device = Device::new(traits, models.clone(), platform, ledger);
        let after = world.dice.duration(Duration::ZERO, ARRIVAL / 2);
        let clock = world.clock.clone();
        tokio::spawn(async move {
            clock.sleep(after).await;
            device.live().await;
        });
    }
    world.clock.sleep(ARRIVAL).await;
    counted.lock().unwrap_or_else(PoisonError::into_inner).clear();
    let began = world.clock.elapsed();
    let batches = scale.inputs.div_ceil(PER_BATCH);
    let running = (0..batches).map(|number| {
        let inputs = PER_BATCH.min(scale.inputs - number * PER_BATCH);
        let customer = world.customer(number as usize % CUSTOMERS, &keys, &models);
        tokio::spawn(async move { batch(&customer, inputs).await })
    });
    let running = futures::future::join_all(running.collect::<Vec<_>>());
    let ended = within(&*world.clock, PATIENCE, running).await;
    for ended in ended.ok_or_else(|| format!("batches still run after {PATIENCE:?}"))? {
        ended.map_err(|broken| broken.to_string())??;
    }
    let makespan = world.clock.elapsed() - began;
    world.seen()?;
    let chunks = crate::judge::jobs(&world.store).iter().filter(|job| job.chunk.is_some()).count();
    let counted = counted.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(Measured {
        makespan,
        ideal: Duration::from_millis(scale.inputs * scale.input_ms / scale.devices.max(1)),
        chunks: chunks as u64,
        writes: counted.kinds.clone(),
        hottest: counted.hottest(),
    })
}

/// One batch, to its end.
async fn batch(customer: &Customer, inputs: u64) -> Result<(), String> {
    let model = customer.model();
    let inputs: Vec<Value> =
        (0..inputs).map(|number| json!({ "data": [number, 0], "shape": [1, 2] })).collect();
    let total = inputs.len() as u64;
    let body = json!({ "model_id": model.id, "inputs": inputs, "placement": "shared" });
    let body = Body::from(body.to_string());
    let answer = customer.http("POST", "/inference/batch", &customer.key, &[], body).await;
    let Some((StatusCode::ACCEPTED, body)) = answer else {
        return Err(format!("a batch was not accepted: {answer:?}"));
    };
    let accepted: Value = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
    let id = accepted["job_id"].as_str().unwrap_or_default();
    let path = format!("/inference/{id}?limit=1");
    loop {
        customer.clock.sleep(LOOK).await;
        let answer = customer.http("GET", &path, &customer.key, &[], Body::empty()).await;
        let Some((StatusCode::OK, body)) = answer else {
            return Err(format!("{id} was not shown: {answer:?}"));
        };
        let shown: Shown = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
        match &*shown.batch.status {
            "queued" | "running" => {}
            "completed" if shown.batch.progress.completed == total => return Ok(()),
            _ => return Err(format!("{id} ended so: {:?}", shown.batch)),
        }
    }
}

/// Writes, as they are counted.
#[derive(Default)]
struct Counted {
    /// By the first part of the partition.
    kinds: BTreeMap<String, u64>,
    /// Of each partition: the second of its last write, how many there were in it, and the most so far.
    partitions: HashMap<String, (u64, u64, u64)>,
}

impl Counted {
    fn clear(&mut self) {
        *self = Self::default();
    }

    fn count(&mut self, partition: &str, second: u64) {
        let kind = partition.split('#').next().unwrap_or_default();
        *self.kinds.entry(kind.to_owned()).or_default() += 1;
        let (last, writes, most) = self.partitions.entry(partition.to_owned()).or_default();
        if *last != second {
            (*last, *writes) = (second, 0);
        }
        *writes += 1;
        *most = (*most).max(*writes);
    }

    fn hottest(&self) -> Vec<(String, u64)> {
        let all =
            self.partitions.iter().map(|(partition, (_, _, most))| (partition.clone(), *most));
        let mut all: Vec<_> = all.collect();
        all.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        all.truncate(SHOWN);
        all
    }
}

fn observe(store: &Store, counted: &Arc<Mutex<Counted>>, clock: Arc<SimClock>) {
    let counted = counted.clone();
    store.observe(Arc::new(move |write| {
        let second = clock.now_ms() / 1000;
        let mut counted = counted.lock().unwrap_or_else(PoisonError::into_inner);
        counted.count(&write.key.partition, second);
    }));
}
