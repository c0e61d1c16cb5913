//! A simulated device: it speaks the protocol as the agent does, and is as unreliable as a computer
//! that somebody contributed.

mod desk;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use ports::{Clock, Method};
use protocol::{
    socket::{
        Blob, Capabilities, DeclineReason, DeviceTimings, Hardware, Heartbeat, Hello, InstanceType,
        Metrics, Payload, Share, TaskAck, TaskCancel, TaskDeclined, TaskDone, TaskError,
        TaskFailed, TaskRun, Usage, Welcome, encode, kind,
    },
    tensor::{self, Answers, Named, Tensor, unstack},
};

use self::desk::{Desk, Ids};
use crate::{
    clock::within,
    ledger::Ledger,
    model::{Model, Poison},
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

/// How often, of 1, a task takes much longer than it should, and how long then, in milliseconds.
const STUCK: f64 = 0.03;
const STUCK_MS: [u64; 2] = [5_000, 40_000];

/// How long after it took a task a device crashes at most, where it does, in milliseconds.
const CRASH_MS: u64 = 4_000;

/// Outputs longer than this go by reference.
const MAX_INLINE: usize = 5_000;

/// How long after the acknowledgement a device that is odd answers again.
const AFTERWARDS: [Duration; 2] = [Duration::from_millis(10), Duration::from_secs(40)];

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

    fn hear(&mut self, line: &Line, frame: &str) {
        match kind(frame).as_deref() {
            Some("taskRun") => {
                if let Ok(run) = serde_json::from_str(frame) {
                    self.take(line, run);
                }
            }
            Some("taskAck") => {
                if let Ok(TaskAck { task_id, fence, .. }) = serde_json::from_str(frame) {
                    let said = self.memory.desk.forget(&Ids { task_id, fence, attempt: 0 });
                    if let Some(frame) = said.filter(|_| self.is_odd()) {
                        let after =
                            self.platform.weather.dice.duration(AFTERWARDS[0], AFTERWARDS[1]);
                        self.plan(after, Plan::Say(frame));
                    }
                }
            }
            Some("taskCancel") => {
                if let Ok(TaskCancel { task_id, fence, .. }) = serde_json::from_str(frame) {
                    self.memory.desk.cancel(&Ids { task_id, fence, attempt: 0 });
                    self.start();
                }
            }
            _ => {}
        }
    }

    /// Whether the device misbehaves now.
    fn is_odd(&self) -> bool {
        self.platform.weather.dice.happens(self.platform.weather.faults().odd)
    }

    fn take(&mut self, line: &Line, run: TaskRun) {
        let ids =
            Ids { task_id: run.task_id.clone(), fence: run.fence.clone(), attempt: run.attempt };
        self.ledger.lock().attempts.push((run.task_id.clone(), run.fence.clone()));
        match self.memory.desk.known(&ids) {
            Some(Some(result)) => return line.say(result),
            Some(None) => return,
            None => {}
        }
        if !self.memory.desk.has_room(&run, self.traits.slots) {
            let declined = TaskDeclined {
                task_id: ids.task_id,
                attempt: ids.attempt,
                fence: ids.fence,
                reason: DeclineReason::Busy,
            };
            return line.say(encode(&declined));
        }
        if !self.memory.warm.contains(&run.model.checksum) {
            self.memory.warm.push(run.model.checksum.clone());
        }
        self.memory.desk.admit(ids, run);
        self.start();
        let (dice, crash) = (&self.platform.weather.dice, self.platform.weather.faults().crash);
        if dice.happens(crash) {
            let after = dice.below(CRASH_MS);
            self.plan(Duration::from_millis(after), Plan::Crash);
        }
    }

    /// Begins with what waits, where there is room.
    fn start(&mut self) {
        while let Some((ids, requests)) = self.memory.desk.start(self.traits.slots) {
            let dice = &self.platform.weather.dice;
            let stuck = if self.platform.weather.is_foul() { STUCK } else { 0.0 };
            let [low, high] = match requests {
                _ if dice.happens(stuck) => STUCK_MS,
                None => self.traits.pace.task_ms,
                Some(many) => self.traits.pace.piece_ms.map(|ms| ms * u64::from(many)),
            };
            let takes = Duration::from_millis(dice.between(low, high));
            self.plan(takes, Plan::Finish(ids));
        }
    }

    fn finish(&mut self, line: &Line, ids: Ids) {
        let Some(run) = self.memory.desk.take_run(&ids) else {
            self.start();
            return;
        };
        let ids = Ids { attempt: run.attempt, ..ids };
        match self.compute(&run) {
            Ok(frame) => {
                self.memory.desk.finish(ids.clone(), frame.clone());
                if self.is_odd() {
                    self.misbehave(line, &ids, &frame);
                }
                line.say(frame);
            }
            Err(Died) => self.plan(Duration::ZERO, Plan::Crash),
        }
        self.start();
    }

    /// Answers twice, or for somebody else's task.
    fn misbehave(&self, line: &Line, ids: &Ids, frame: &str) {
        self.ledger.count("odd answers");
        let attempts = self.ledger.lock().attempts.clone();
        let dice = &self.platform.weather.dice;
        let Some((task, fence)) = dice.one(&attempts) else { return };
        let of = |task: &str, fence: &str| {
            let mut answer: serde_json::Value = serde_json::from_str(frame).unwrap_or_default();
            answer["task_id"] = task.into();
            answer["fence"] = fence.into();
            answer.to_string()
        };
        let said = match dice.below(3) {
            0 => frame.to_owned(),
            // its own fence, for a task of another's
            1 if *task != ids.task_id => of(task, &ids.fence),
            // another's fence, for its own task
            _ if *fence != ids.fence => of(&ids.task_id, fence),
            _ => return,
        };
        line.say(said);
    }

    /// The frame of a result.
    fn compute(&self, run: &TaskRun) -> Result<String, Died> {
        let TaskRun { task_id, attempt, fence, .. } = run;
        let failed = |code: &str, retryable| {
            let error = TaskError {
                code: code.to_owned(),
                message: "as it was asked to".to_owned(),
                retryable,
            };
            let (task_id, fence) = (task_id.clone(), fence.clone());
            Ok(encode(&TaskFailed { task_id, attempt: *attempt, fence, error }))
        };
        let Some(inputs) = self.inputs(run) else { return failed("INPUT_UNREADABLE", true) };
        let Some(model) = self.models.iter().find(|model| model.id == run.model.id) else {
            return failed("MODEL_UNREADABLE", true);
        };
        let requests = match run.stacked {
            Some(count) => {
                (0..count as usize).filter_map(|index| unstack(&inputs, index)).collect()
            }
            None => vec![inputs],
        };
        let mut answers = Vec::with_capacity(requests.len());
        for request in requests {
            let Some(named) = request.first() else { return failed("INPUT_UNREADABLE", true) };
            let values = floats(&named.tensor);
            match (Poison::of(&values), run.stacked) {
                (Poison::None, _) => answers.push(Ok(outputs_of(model, named))),
                (Poison::Kills, _) => return Err(Died),
                (Poison::Refused, None) => return failed("REFUSED_INPUT", false),
                (Poison::Fails, None) => return failed("FAILED_INPUT", true),
                (poison, Some(_)) => {
                    let code = poison.reason().unwrap_or_default().to_owned();
                    answers.push(Err((code, "as it was asked to".to_owned())));
                }
            }
        }
        let [_, each] = self.traits.pace.piece_ms;
        let compute = f64::from(run.stacked.unwrap_or(1)) * each as f64;
        let outputs = match (run.stacked, answers.pop()) {
            (None, Some(Ok(only))) => only,
            (_, last) => {
                answers.extend(last);
                Answers::of(answers).into_tensors()
            }
        };
        // by a clock that is off, which is nobody's business but the device's
        let queue = self.traits.clock_off_ms as f64;
        Ok(encode(&TaskDone {
            task_id: task_id.clone(),
            attempt: *attempt,
            fence: fence.clone(),
            outputs: self.payload(run, outputs),
            timings_ms: DeviceTimings { queue, compute, ..DeviceTimings::default() },
            usage: Usage::default(),
        }))
    }

    fn inputs(&self, run: &TaskRun) -> Option<Vec<Named>> {
        match &run.inputs {
            Payload::Inline(inputs) => Some(inputs.clone()),
            Payload::Blob(blob) => {
                let url = blob.url.as_deref()?;
                let (status, file) =
                    self.platform.store.transfer(url, Method::Get, Default::default());
                (status == 200).then(|| tensor::from_safetensors(&file).ok()).flatten()
            }
        }
    }

    /// The outputs in the message if they are small, else where the platform said.
    fn payload(&self, run: &TaskRun, outputs: Vec<Named>) -> Payload {
        let bytes: usize = outputs.iter().map(|named| named.tensor.data.len()).sum();
        match &run.outputs_url {
            Some(url) if bytes > MAX_INLINE => {
                let file = tensor::to_safetensors(&outputs);
                let blob = Blob {
                    url: None,
                    checksum: ports::Checksum::of(&file).to_string(),
                    bytes: file.len() as u64,
                };
                self.platform.store.transfer(url, Method::Put(None), file);
                Payload::Blob(blob)
            }
            _ => Payload::Inline(outputs),
        }
    }
}

/// The device died of an input.
struct Died;

fn outputs_of(model: &Model, input: &Named) -> Vec<Named> {
    let values = model.run(&floats(&input.tensor));
    let tensor = Tensor::from_f32(input.tensor.shape.clone(), &values);
    vec![Named { name: "output".to_owned(), tensor }]
}

fn floats(tensor: &Tensor) -> Vec<f32> {
    tensor.to_f64().into_iter().map(|value| value as f32).collect()
}
