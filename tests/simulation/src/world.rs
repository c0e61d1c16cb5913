//! One world, from its seed to the judgement of what is left of it.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{StreamExt, stream::FuturesUnordered};
use ports::Clock;
use protocol::{
    rest::admin::{NewCustomer, NewKey},
    socket::Share,
    tensor::{Dtype, Spec},
};
use serde_json::json;
use service::{
    App, BATCH_QUEUE, INSPECT_FUNCTION, SESSIONS_QUEUE, Settings, Signature, WORK_QUEUE, access,
    idempotency::Commit,
    models::{self, About, Inspected, Upload},
};

use crate::{
    Dice, SimClock, Store,
    clock::within,
    customer::{CUSTOMERS, Customer},
    device::{Device, Pace, Traits},
    faults::Faults,
    judge::{self, Remains},
    ledger::Ledger,
    model::{Model, Poison},
    plan::{Failure, Plan, Report},
    platform::{Platform, Shape},
    weather::Weather,
};

/// How often, of 1, an input is poison.
const POISON: f64 = 0.03;

/// How many requests come in a second, for each device.
const RATE: f64 = 0.15;

/// How long the customers of a world may need until all of them have their answers.
const PATIENCE: Duration = Duration::from_secs(3 * 3600);

/// How long it takes after that until nothing is left to do: longer than a killed consumer's message is
/// hidden, five times.
const SETTLING: Duration = Duration::from_secs(1200);

/// How often the process is killed where everything is one process.
const CRASHES: [Duration; 2] = [Duration::from_secs(20), Duration::from_secs(120)];

/// How many messages are sent that nobody can handle.
const GARBAGE: u64 = 3;

/// Runs a world.
///
/// # Errors
/// What was seen in it that must not be.
pub fn run(plan: Plan) -> Result<Report, Box<Failure>> {
    let dice = Arc::new(Dice::new(plan.seed));
    let clock = SimClock::new(dice.clone());
    let world = World::new(plan, dice, clock.clone());
    let failure = |violation| Box::new(Failure { plan, violation });
    match clock.run(world.live()) {
        Ok(Ok(report)) => Ok(report),
        Ok(Err(violation)) => Err(failure(violation)),
        Err(broken) => Err(failure(format!("the world broke: {broken:#}"))),
    }
}

/// The platform, and everything around it.
pub(crate) struct World {
    plan: Plan,
    pub(crate) dice: Arc<Dice>,
    pub(crate) clock: Arc<SimClock>,
    pub(crate) store: Store,
    pub(crate) platform: Arc<Platform>,
    pub(crate) ledger: Arc<Ledger>,
}

impl World {
    pub(crate) fn new(plan: Plan, dice: Arc<Dice>, clock: Arc<SimClock>) -> Self {
        let store = Store::new(clock.clone(), dice.clone());
        let weather = Weather::new(dice.clone(), plan.faults);
        let shape = if dice.happens(0.5) { Shape::Functions } else { Shape::Process };
        let settings = Settings {
            version: "simulated".to_owned(),
            admin_key_hash: access::hash("operator"),
            chosen_keys: false,
            public_url: None,
            bounded_answers: shape == Shape::Functions,
            upload_limit: 4 << 20,
            uploads: Default::default(),
            lease: Default::default(),
        };
        let platform = Platform::new(store.clone(), weather, shape, settings, plan.sabotage);
        let ledger = Ledger::new(clock.clone());
        Self { plan, dice, clock, store, platform, ledger }
    }

    async fn live(self) -> Result<Report, String> {
        let app = self.platform.app();
        let (keys, models) = self.prepare(&app).await.map_err(|error| error.to_string())?;
        self.store.observe(judge::observer(self.ledger.clone(), models.clone()));
        let period = Duration::from_secs(*self.dice.one(&[1, 10, 60]).unwrap_or(&60));
        self.platform.start(period);
        self.connect(&keys, &models);
        self.disturb();
        let mut asking = self.ask(&keys, &models);
        let all = async { while asking.next().await.is_some() {} };
        let alarm = self.ledger.alarm.notified();
        futures::pin_mut!(all, alarm);
        let end = futures::future::select(all, alarm);
        if within(&*self.clock, PATIENCE, end).await.is_none() {
            let open = judge::jobs(&self.store).into_iter().find(|job| !job.state.is_terminal());
            let open = open.map_or_else(|| "none".to_owned(), |job| judge::story(&job));
            return Err(format!("after {PATIENCE:?} customers still wait; open is {open}"));
        }
        self.seen()?;
        self.platform.weather.clear_up();
        self.clock.sleep(SETTLING).await;
        self.seen()?;
        let lease = *app.lease();
        let garbage = if self.is_disturbed() { 3 * GARBAGE as usize } else { 0 };
        let (store, ledger) = (&self.store, &*self.ledger);
        Remains { store, ledger, lease, garbage }.judge()?;
        Ok(self.report())
    }

    /// What was seen that must not be.
    pub(crate) fn seen(&self) -> Result<(), String> {
        self.ledger.violation().map_or(Ok(()), Err)
    }

    fn is_disturbed(&self) -> bool {
        self.plan.faults != Faults::NONE
    }

    /// Customers with their keys, and models that all of them may use.
    pub(crate) async fn prepare(
        &self,
        app: &App,
    ) -> service::Result<(Vec<String>, Arc<Vec<Model>>)> {
        self.store.functions().register(INSPECT_FUNCTION, Duration::from_secs(10), inspect);
        let mut keys = Vec::new();
        let mut models = Vec::new();
        for number in 0..CUSTOMERS {
            let new = NewCustomer { name: format!("customer {number}") };
            let customer = access::create_customer(app, &new, Commit::alone()).await?;
            let key =
                access::create_key(app, &customer.id, &NewKey::default(), Commit::alone()).await?;
            self.ledger.lock().owners.insert(customer.id.clone(), number);
            keys.push(key.secret.unwrap_or_default());
            for (factor, more) in [(2.0, number as f32), (-3.0, 7.0 + number as f32)] {
                let upload = Upload {
                    bytes: Model::file(factor, more),
                    file_name: Some("simulated.onnx".to_owned()),
                    format: None,
                    given: Default::default(),
                    version_of: None,
                    about: About::default(),
                };
                let made = models::upload(app, &customer.id, upload, Commit::alone()).await?;
                self.ledger.lock().owners.insert(made.id.clone(), number);
                models.push(Model { id: made.id, factor, more });
            }
        }
        Ok((keys, Arc::new(models)))
    }

    /// Devices of all customers come, one after the other.
    fn connect(&self, keys: &[String], models: &Arc<Vec<Model>>) {
        for number in 0..self.plan.devices {
            let off_ms = self.plan.faults.clock_off.as_millis() as u64;
            let traits = Traits {
                uuid: format!("device-{number}").into(),
                key: keys[number as usize % keys.len()].clone(),
                share: if self.dice.happens(0.5) { Share::Everyone } else { Share::Own },
                slots: self.dice.between(1, 3) as u32,
                clock_off_ms: self.dice.between(0, 2 * off_ms) as i64 - off_ms as i64,
                pace: Pace::default(),
            };
            let (platform, ledger) = (self.platform.clone(), self.ledger.clone());
            let device = Device::new(traits, models.clone(), platform, ledger);
            let (clock, after) =
                (self.clock.clone(), Duration::from_millis(self.dice.below(10_000)));
            tokio::spawn(async move {
                clock.sleep(after).await;
                device.live().await;
            });
        }
    }

    /// What goes wrong by itself: messages that nobody can handle, and a process that is killed.
    fn disturb(&self) {
        if !self.is_disturbed() {
            return;
        }
        for _ in 0..GARBAGE {
            let (clock, queues) = (self.clock.clone(), self.store.ports().queues);
            let after = Duration::from_secs(self.dice.below(60));
            tokio::spawn(async move {
                clock.sleep(after).await;
                for queue in [WORK_QUEUE, BATCH_QUEUE, SESSIONS_QUEUE] {
                    let garbage = json!({ "garbage": true });
                    queues
                        .send(queue, &garbage, Duration::ZERO)
                        .await
                        .unwrap_or_else(|error| unreachable!("a small message: {error}"));
                }
            });
        }
        if self.platform.shape == Shape::Process && self.plan.faults.killed > 0.0 {
            let (clock, platform) = (self.clock.clone(), self.platform.clone());
            tokio::spawn(async move {
                loop {
                    clock.sleep(platform.weather.dice.duration(CRASHES[0], CRASHES[1])).await;
                    if !platform.weather.is_foul() {
                        return;
                    }
                    platform.crash();
                }
            });
        }
    }

    /// Customers ask, at moments that are by chance.
    fn ask(
        &self,
        keys: &[String],
        models: &Arc<Vec<Model>>,
    ) -> FuturesUnordered<tokio::task::JoinHandle<()>> {
        let last =
            Duration::from_secs_f64(self.plan.tasks as f64 / self.plan.devices as f64 / RATE);
        let asked = (0..self.plan.tasks).map(|_| {
            let number = self.dice.below(keys.len() as u64) as usize;
            let poison = if self.dice.happens(POISON) && self.is_disturbed() {
                *self.dice.one(&Poison::ALL).unwrap_or(&Poison::None)
            } else {
                Poison::None
            };
            let customer = self.customer(number, keys, models);
            let (clock, after) = (self.clock.clone(), self.dice.duration(Duration::ZERO, last));
            tokio::spawn(async move {
                clock.sleep(Duration::from_secs(15) + after).await;
                customer.ask(poison).await;
            })
        });
        let mut asking: FuturesUnordered<_> = asked.collect();
        let is_foul = self.is_disturbed();
        asking.extend((0..self.plan.batches).map(|_| {
            let number = self.dice.below(keys.len() as u64) as usize;
            let customer = self.customer(number, keys, models);
            let (clock, after) = (self.clock.clone(), self.dice.duration(Duration::ZERO, last));
            tokio::spawn(async move {
                clock.sleep(Duration::from_secs(15) + after).await;
                customer.ask_many(is_foul).await;
            })
        }));
        asking
    }

    pub(crate) fn customer(
        &self,
        number: usize,
        keys: &[String],
        models: &Arc<Vec<Model>>,
    ) -> Customer {
        Customer {
            number,
            key: keys[number].clone(),
            foreign_key: keys[(number + 1) % keys.len()].clone(),
            models: models.clone(),
            platform: self.platform.clone(),
            ledger: self.ledger.clone(),
            clock: self.clock.clone(),
        }
    }

    fn report(&self) -> Report {
        let mut ended = std::collections::BTreeMap::<_, u64>::new();
        let mut counts = self.ledger.lock().counts.clone();
        for job in judge::jobs(&self.store) {
            let count = match job.chunk {
                Some(_) => counts.entry("chunks"),
                None => ended.entry(job.state.name()),
            };
            *count.or_default() += 1;
        }
        Report {
            shape: self.platform.shape.name(),
            lasted: self.clock.elapsed(),
            jobs: ended.into_iter().collect(),
            counts: counts.into_iter().collect(),
        }
    }
}

/// What a simulated model takes and gives: rows of any length.
async fn inspect(_: Bytes) -> ports::Result<Bytes> {
    let spec =
        |name: &str| Spec { name: name.to_owned(), dtype: Dtype::Float32, shape: vec![None, None] };
    let signature = Signature { inputs: vec![spec("input")], outputs: vec![spec("output")] };
    let accepted =
        Inspected::Accepted { signature: Some(signature), profile: None, unprofiled: None };
    serde_json::to_vec(&accepted).map(Bytes::from).map_err(ports::Error::unavailable)
}
