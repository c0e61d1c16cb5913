//! Looking after a batch: counting chunks that ended, cutting more, ending it.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use domain::{
    batch::{Batch, Ended, MAX_OPEN},
    job::{Failure, Job, State},
    name::chunk_id,
};
use ports::{Condition, Query};
use serde::{Deserialize, Serialize};

use super::{
    cut::{self, Cut, Prepared},
    ending, turns,
};
use crate::{
    App, Error, Result, jobs,
    models::{self, Record},
    parked, table,
};

/// Between two looks at a batch of which nothing was heard.
const TICK: Duration = Duration::from_secs(2);

/// How many chunks are cut before the batch is written.
const CUTS: usize = 16;

/// How many bytes of inputs are held at once while they are cut.
const CUT_BYTES: usize = 8 << 20;

/// The most open chunks that are looked at in one step without a word about them.
const LOOKED_AT: usize = 128;

/// How long a batch that this process heard of is left to its own messages by the sweep.
const HEARD_MS: u64 = 30_000;

/// The most chunks that wait for the platform's own device at once.
const OWN: usize = 4;

/// A message of the queue `batches`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Wake {
    /// `batch_…`
    pub batch: String,
    /// Chunks that ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ended: Vec<u32>,
    /// It is the one that sends itself again, and this is its number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tick: Option<u64>,
    /// Nobody may look after it any more: this message begins anew.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub revive: bool,
}

/// The batches that somebody in this process looks after now, and what they were told meanwhile.
#[derive(Default)]
pub(crate) struct Busy(Mutex<HashMap<String, Option<Wake>>>);

impl Busy {
    /// A look after the batch; `None` when somebody looks after it, who is told then.
    fn begin(&self, wake: &Wake) -> Option<Look<'_>> {
        let mut busy = self.lock();
        let Some(told) = busy.get_mut(&wake.batch) else {
            busy.insert(wake.batch.clone(), None);
            return Some(Look { busy: self, batch: wake.batch.clone(), is_over: false });
        };
        match told {
            Some(told) => told.ended.extend(&wake.ended),
            None => *told = Some(wake.clone()),
        }
        None
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Option<Wake>>> {
        // nothing that holds the lock can panic half-way through a change
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody looks after a batch, however that ends.
struct Look<'a> {
    busy: &'a Busy,
    batch: String,
    is_over: bool,
}

impl Look<'_> {
    /// What was told meanwhile; when nothing was, nobody looks after the batch any more.
    fn told(&mut self) -> Option<Wake> {
        let mut busy = self.busy.lock();
        let told = busy.get_mut(&self.batch).and_then(Option::take);
        if told.is_none() {
            busy.remove(&self.batch);
            // from now on the entry is another's
            self.is_over = true;
        }
        told
    }
}

impl Drop for Look<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.busy.lock().remove(&self.batch);
        }
    }
}

/// Looks after a batch, and again while there is news.
pub async fn advance(app: &App, wake: Wake) -> Result<()> {
    if wake.tick.is_some() || wake.revive {
        // it goes on whoever else looks
        return step(app, wake).await;
    }
    // two at once would only get into each other's way
    let Some(mut look) = app.caches().batches.begin(&wake) else { return Ok(()) };
    let mut next = Some(wake);
    while let Some(wake) = next {
        step(app, wake).await?;
        next = look.told();
    }
    Ok(())
}

/// One look, repeated while somebody else writes the batch in between.
async fn step(app: &App, wake: Wake) -> Result<()> {
    app.caches().heard.insert(&wake.batch, app.now_ms(), ());
    loop {
        let Some(mut batch) = super::load(app, &wake.batch).await? else { return Ok(()) };
        if batch.state.is_terminal() {
            return ending::clear(app, batch).await;
        }
        let version = batch.version;
        let before = batch.clone();
        let goes_on = wake.tick == Some(batch.tick) || wake.revive;
        if goes_on {
            batch.tick += 1;
        }
        let waiting = change(app, &mut batch, &wake).await?;
        if batch != before {
            batch.version += 1;
            match super::store(app, &batch, Condition::Version(version)).await? {
                Ok(_) => {}
                Err(Some(_)) => continue,
                Err(None) => return Ok(()),
            }
        }
        if batch.state.is_terminal() {
            return ending::clear(app, batch).await;
        }
        for job in waiting.chunks {
            parked::put(app, &job).await?;
        }
        give_out(app, &batch).await?;
        if waiting.more {
            let more = Wake { tick: None, revive: false, ended: Vec::new(), ..wake.clone() };
            super::send(app, &more, Duration::ZERO).await?;
        }
        if goes_on {
            slow(app, &batch).await?;
            let tick = Some(batch.tick);
            let again = Wake { batch: batch.id, ended: Vec::new(), tick, revive: false };
            super::send(app, &again, TICK).await?;
        }
        return Ok(());
    }
}

/// What a look left to be done once the batch is written.
#[derive(Default)]
struct Left {
    /// New chunks.
    chunks: Vec<Job>,
    /// More could be cut at once.
    more: bool,
}

async fn change(app: &App, batch: &mut Batch, wake: &Wake) -> Result<Left> {
    let now = app.now_us();
    if batch.expire(now) {
        return Ok(Left::default());
    }
    count(app, batch, wake).await?;
    let mut left = Left::default();
    if !batch.is_cut() {
        let record = match models::find_pinned(app, &batch.customer, &batch.model).await {
            Ok(record) => record,
            Err(Error::NoModel(_)) => {
                let failure = models::deleted(&batch.model.id);
                batch.stop(State::Failed, Some(failure), now);
                return Ok(left);
            }
            Err(error) => return Err(error),
        };
        let devices = turns::devices(app, &batch.customer, &batch.wants, &record).await?;
        let lanes = devices.chunks.max(1);
        // until the first have ended nobody knows how large the others should be
        let window = match batch.input_ms {
            Some(_) => (2 * lanes).clamp(8, MAX_OPEN),
            None => lanes.clamp(2, 64),
        };
        while !batch.is_cut() && batch.open.len() < window {
            if left.chunks.len() >= CUTS {
                left.more = true;
                break;
            }
            let (pieces, gone) = pieces(app, batch, &record, lanes, window).await?;
            for job in cut::store(app, batch, pieces).await? {
                if !job.chunk.as_ref().is_some_and(|chunk| batch.cut(chunk)) {
                    return Err(Error::internal("a chunk does not follow its batch"));
                }
                match ended(&job) {
                    // nothing of it could be run
                    Some(ended) => drop(batch.count(&ended)),
                    None => left.chunks.push(job),
                }
            }
            if let Some(failure) = gone {
                batch.stop(State::Failed, Some(failure), now);
                return Ok(left);
            }
        }
    }
    batch.complete(app.now_us());
    Ok(left)
}

/// The next chunks of a batch, as many as may be open, or why there are no more.
async fn pieces(
    app: &App,
    batch: &Batch,
    record: &Record,
    lanes: usize,
    window: usize,
) -> Result<(Vec<Prepared>, Option<Failure>)> {
    let (mut ahead, mut pieces, mut bytes) = (batch.clone(), Vec::new(), 0);
    while !ahead.is_cut() && ahead.open.len() < window && pieces.len() < CUTS && bytes < CUT_BYTES {
        match cut::next(app, &ahead, record, lanes).await? {
            Cut::Piece(piece) => {
                if !ahead.cut(piece.chunk()) {
                    return Err(Error::internal("a chunk has none of its batch's inputs"));
                }
                bytes += piece.bytes();
                pieces.push(*piece);
            }
            Cut::Gone(failure) => return Ok((pieces, Some(failure))),
        }
    }
    Ok((pieces, None))
}

/// Counts the chunks that ended: those that are named, and some of the others.
async fn count(app: &App, batch: &mut Batch, wake: &Wake) -> Result<()> {
    let told: BTreeSet<u32> = wake.ended.iter().copied().collect();
    let mut numbers: Vec<u32> = batch.open.intersection(&told).copied().collect();
    let looks = wake.tick.is_some() || wake.revive || batch.open.len() <= LOOKED_AT;
    if looks && !batch.open.is_empty() {
        // of many a part, another each time
        let skip = (batch.tick as usize * LOOKED_AT) % batch.open.len();
        let others = batch.open.iter().cycle().skip(skip).take(LOOKED_AT.min(batch.open.len()));
        numbers.extend(others.filter(|number| !told.contains(number)));
    }
    for numbers in numbers.chunks(100) {
        let keys: Vec<_> =
            numbers.iter().map(|number| table::job(&chunk_id(&batch.id, *number))).collect();
        for item in app.ports.records.batch_get(&keys).await?.into_iter().flatten() {
            let job: Job = table::decode(item)?;
            if let Some(ended) = ended(&job) {
                batch.count(&ended);
            }
        }
    }
    Ok(())
}

/// How a chunk ended, if it has.
fn ended(job: &Job) -> Option<Ended> {
    let chunk = job.chunk.as_ref().filter(|_| job.state.is_terminal())?;
    let all = u64::from(chunk.inputs);
    let (failed, input_ms) = match &job.outcome {
        Some(outcome) => {
            let failed = u64::from(chunk.refused) + u64::from(outcome.failed);
            (failed.min(all), Some(outcome.compute_ms / f64::from(chunk.runs().max(1))))
        }
        None => (all, None),
    };
    Some(Ended { number: chunk.number, completed: all - failed, failed, input_ms })
}

/// Gives chunks that wait to whoever has room, and some to the platform's own device if it has.
async fn give_out(app: &App, batch: &Batch) -> Result<()> {
    let scope = turns::scope(batch).to_owned();
    turns::pull(app, &scope, MAX_OPEN).await?;
    if app.engine().is_none() {
        return Ok(());
    }
    for job in parked::waiting_chunks(app, &batch.id, OWN).await? {
        jobs::enqueue(app, &job, Duration::ZERO).await?;
    }
    Ok(())
}

/// When nothing waits any more, chunks that take long are given to another device too.
async fn slow(app: &App, batch: &Batch) -> Result<()> {
    if !batch.is_cut() || !parked::waiting_chunks(app, &batch.id, 1).await?.is_empty() {
        return Ok(());
    }
    let numbers: Vec<_> = batch.open.iter().take(100).collect();
    let keys: Vec<_> =
        numbers.iter().map(|number| table::job(&chunk_id(&batch.id, **number))).collect();
    for item in app.ports.records.batch_get(&keys).await?.into_iter().flatten() {
        let job: Job = table::decode(item)?;
        if !job.state.is_terminal() && jobs::is_slow(app, &job).await? {
            jobs::enqueue(app, &job.id, Duration::ZERO).await?;
        }
    }
    Ok(())
}

/// The net under everything: wakes the open batches of which this process heard nothing for a while.
pub async fn sweep(app: &App) -> Result<()> {
    let mut query = Query::new(table::OPEN_BATCHES, "", 100);
    loop {
        let page = app.ports.records.query(query.clone()).await?;
        for (batch, _) in page.items {
            let now = app.now_ms();
            if app.caches().heard.get(&batch, now, HEARD_MS).is_none() {
                app.caches().heard.insert(&batch, now, ());
                let wake = Wake { batch, ended: Vec::new(), tick: None, revive: true };
                super::send(app, &wake, Duration::ZERO).await?;
            }
        }
        match page.next {
            Some(next) => query.after = Some(next),
            None => return Ok(()),
        }
    }
}
