//! A simulated device: it speaks the protocol as the agent does, and is as unreliable as a computer
//! that somebody contributed.

mod compute;
mod desk;
mod work;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use ports::Clock;
use protocol::socket::{
    Capabilities, Hardware, Heartbeat, Hello, InstanceType, Metrics, Share, Welcome, encode, kind,
};

use self::desk::{Desk, Ids};
use crate::{
    clock::within,
    ledger::Ledger,
    model::Model,
    platform::{Line, Platform},
};

/// How long a device waits for its welcome.
const WELCOME: Duration = Duration::from_secs(10);

/// Between two tries to connect.
const BACKOFF: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(5)];

/// How long a device that crashed is away.
const AWAY: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(30)];

/// An idle device speaks at least this often.
const IDLE_BEAT: Duration = Duration::from_secs(480);

/// How long a connection is kept.
const RENEWAL: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(600)];

/// What a device is.
pub(crate) struct Traits {
    pub(crate) uuid: Arc<str>,
    pub(crate) key: String,
    pub(crate) share: Share,
    pub(crate) slots: u32,
    /// How far its clock is off, in milliseconds.
    pub(crate) clock_off_ms: i64,
    pub(crate) pace: Pace,
}

/// How long a device computes, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) task_ms: [u64; 2],
    /// For each request of a piece of a batch.
    pub(crate) piece_ms: [u64; 2],
}

/// As small models do.
impl Default for Pace {
    fn default() -> Self {
        Self { task_ms: [50, 2_000], piece_ms: [2, 10] }
    }
}

/// A device and what it knows.
pub(crate) struct Device {
    traits: Traits,
    models: Arc<Vec<Model>>,
    platform: Arc<Platform>,
    ledger: Arc<Ledger>,
    clock: Arc<dyn Clock>,
    /// What it has in memory.
    memory: Memory,
    /// Who it is to the platform; outlives a crash as a file does, now and then.
    token: Option<String>,
}

/// What a crash takes.
#[derive(Default)]
struct Memory {
    desk: Desk,
    /// What happens when, in epoch microseconds.
    plans: BTreeMap<(u64, u64), Plan>,
    planned: u64,
    /// The free slots and the warm models that the platform was told last, and when.
    told: Option<(u32, usize, u64)>,
    warm: Vec<String>,
}

/// What a device is going to do.
enum Plan {
    /// Finish the computation of a task.
    Finish(Ids),
    /// Send a frame, whatever became of it.
    Say(String),
    Beat,
    Renew,
    Crash,
}

/// How a connection ended.
enum End {
    Closed,
    Crashed,
}

impl Device {
    pub(crate) fn new(
        traits: Traits,
        models: Arc<Vec<Model>>,
        platform: Arc<Platform>,
        ledger: Arc<Ledger>,
    ) -> Self {
        let clock = platform.store.ports().clock;
        let (memory, token) = (Memory::default(), None);
        Self { traits, models, platform, ledger, clock, memory, token }
    }

    /// Works for as long as the world lasts.
    pub(crate) async fn live(mut self) {
        loop {
            let ended = self.connection().await;
            // a connection that ends may cost what is in hand
            self.ledger.hurt(&self.traits.uuid, self.memory.desk.fences());
            let pause = match ended {
                End::Closed => BACKOFF,
                End::Crashed => {
                    self.ledger.count("device crashes");
                    self.memory = Memory::default();
                    if self.platform.weather.dice.happens(0.5) {
                        self.token = None;
                    }
                    AWAY
                }
            };
            let pause = self.platform.weather.dice.duration(pause[0], pause[1]);
            self.clock.sleep(pause).await;
        }
    }

    /// One connection, from its beginning to its end.
    async fn connection(&mut self) -> End {
        let opened =
            Line::open(&self.platform, &self.ledger, &self.traits.uuid, &self.traits.key).await;
        let Some(mut line) = opened else { return End::Closed };
        line.say(encode(&self.hello()));
        let welcomed = within(&*self.clock.clone(), WELCOME, self.welcome(&mut line)).await;
        let Some(Some(early)) = welcomed else { return End::Closed };
        for frame in self.memory.desk.results() {
            line.say(frame);
        }
        for frame in early {
            self.hear(&line, &frame);
        }
        let renewal = self.platform.weather.dice.duration(RENEWAL[0], RENEWAL[1]);
        self.plan(renewal, Plan::Renew);
        self.serve(&mut line).await
    }

    fn hello(&self) -> Hello {
        Hello {
            uuid: self.traits.uuid.to_string(),
            sdk_type: "rust".to_owned(),
            sdk_version: "1.0.0".to_owned(),
            name: None,
            instance_type: InstanceType::User,
            hardware: Hardware::default(),
            capabilities: Capabilities {
                formats: vec!["onnx".to_owned()],
                inference: true,
                training: false,
                gpu: false,
                slots: self.traits.slots,
                max_model_mb: 64,
                batches: true,
            },
            share: self.traits.share,
            resume: self.token.clone(),
        }
    }

    /// Waits for the welcome; what came before it. `None` when the connection ended first.
    async fn welcome(&mut self, line: &mut Line) -> Option<Vec<String>> {
        let mut early = Vec::new();
        loop {
            let frame = line.inbox.recv().await?;
            match kind(&frame).as_deref() {
                Some("welcome") => {
                    let Ok(welcome) = serde_json::from_str::<Welcome>(&frame) else { return None };
                    let resumed = self.token.replace(welcome.session_token).is_some();
                    let now = self.clock.now_us();
                    self.memory.told = (!resumed).then_some((self.traits.slots, 0, now));
                    self.memory.plans.retain(|_, plan| !matches!(plan, Plan::Beat | Plan::Renew));
                    self.plan(Duration::from_millis(welcome.heartbeat_ms), Plan::Beat);
                    return Some(early);
                }
                Some("error") => return None,
                _ => early.push(frame),
            }
        }
    }

    async fn serve(&mut self, line: &mut Line) -> End {
        let clock = self.clock.clone();
        loop {
            let now = clock.now_us();
            let due = self.memory.plans.first_key_value().map_or(now, |((at, _), _)| *at);
            let patience = Duration::from_micros(due.saturating_sub(now));
            match within(&*clock, patience, line.inbox.recv()).await {
                Some(Some(frame)) => self.hear(line, &frame),
                Some(None) => return End::Closed,
                None => match self.memory.plans.pop_first() {
                    Some((_, Plan::Crash)) => return End::Crashed,
                    Some((_, Plan::Renew)) => return End::Closed,
                    Some((_, Plan::Beat)) => self.beat(line),
                    Some((_, Plan::Say(frame))) => line.say(frame),
                    Some((_, Plan::Finish(ids))) => self.finish(line, ids),
                    None => {}
                },
            }
        }
    }

    fn plan(&mut self, after: Duration, plan: Plan) {
        let at_us = self.clock.now_us() + after.as_micros() as u64;
        self.memory.planned += 1;
        self.memory.plans.insert((at_us, self.memory.planned), plan);
    }

    fn beat(&mut self, line: &Line) {
        let now = self.clock.now_us();
        let memory = &mut self.memory;
        let (on_slots, in_hand) = memory.desk.open();
        let free = self.traits.slots.saturating_sub(on_slots);
        let warm = memory.warm.len();
        let silent = |at: u64| now.saturating_sub(at) >= IDLE_BEAT.as_micros() as u64;
        let known =
            matches!(memory.told, Some((f, w, at)) if (f, w) == (free, warm) && !silent(at));
        if in_hand > 0 || !known {
            memory.told = Some((free, warm, now));
            let models = memory.warm.clone();
            let batches = in_hand - on_slots;
            let beat = Heartbeat { slots_free: free, batches, models, metrics: Metrics::default() };
            line.say(encode(&beat));
        }
        let beat = self.platform.heartbeat();
        self.plan(beat, Plan::Beat);
    }
}
