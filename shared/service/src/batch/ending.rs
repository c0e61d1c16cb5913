//! The end of a batch: what is still open of it stops, and it leaves the lists of those that go on.

use std::time::Duration;

use domain::{
    batch::Batch,
    job::{Event, Job, State},
    name::chunk_id,
};
use futures::{StreamExt, stream};
use ports::{Condition, Query, Token, Write};
use protocol::rest::inference::Cancelled;

use super::Wake;
use crate::{App, Error, Result, jobs, table};

/// How many chunks are stopped at the same time.
const AT_ONCE: usize = 16;

/// How many are stopped by one message.
const A_STEP: usize = 500;

/// Cancels a batch; the devices that work on it are told.
pub async fn cancel(app: &App, customer: &str, id: &str) -> Result<Cancelled> {
    loop {
        let mut batch = super::find(app, customer, id).await?;
        let version = batch.version;
        if !batch.stop(State::Cancelled, None, app.now_us()) {
            app.ports.records.durable(Token::LATEST).await?;
            return Err(Error::CannotCancel(batch.state));
        }
        batch.version += 1;
        match super::store(app, &batch, Condition::Version(version)).await? {
            Ok(token) => {
                app.ports.records.durable(token).await?;
                // if this is lost, the sweep finds the batch in the list of open ones
                super::wake(app, id, &[]).await?;
                let status = batch.state.name().to_owned();
                return Ok(Cancelled { job_id: batch.id, status });
            }
            Err(Some(_)) => {}
            Err(None) => return Err(Error::no_job(id)),
        }
    }
}

/// Stops what is open of a batch that is over, and takes it off the lists; may be repeated.
pub(super) async fn clear(app: &App, mut batch: Batch) -> Result<()> {
    let numbers: Vec<u32> = batch.open.iter().copied().take(A_STEP).collect();
    // nothing waits any more before the chunks are stopped, so that no device is given them
    let waiting = table::waiting(&batch.id);
    let rows = app.ports.records.query(Query::new(waiting.clone(), "", 1000)).await?.items;
    for (sort, _) in rows {
        let key = ports::Key::new(waiting.clone(), sort);
        app.ports.records.write(Write::delete(key, Condition::Always)).await?;
    }
    let stopped = stream::iter(numbers.clone()).map(|number| stop(app, &batch.id, number));
    let results: Vec<Result<()>> = stopped.buffer_unordered(AT_ONCE).collect().await;
    results.into_iter().collect::<Result<()>>()?;
    let is_all = numbers.len() == batch.open.len();
    if !numbers.is_empty() {
        let version = batch.version;
        batch.open.retain(|number| !numbers.contains(number));
        batch.version += 1;
        // if somebody else does the same, either of them is right
        let _ = super::store(app, &batch, Condition::Version(version)).await?;
    }
    if !is_all {
        let id = batch.id.clone();
        let more = Wake { batch: id, ended: Vec::new(), tick: None, revive: false };
        return super::send(app, &more, Duration::ZERO).await;
    }
    for key in [table::batch_turn(&batch), table::open_batch(&batch.id)] {
        app.ports.records.write(Write::delete(key, Condition::Always)).await?;
    }
    app.caches().turns.forget(super::turns::scope(&batch));
    Ok(())
}

async fn stop(app: &App, batch: &str, number: u32) -> Result<()> {
    let job: Option<Job> =
        table::load(&*app.ports.records, &table::job(&chunk_id(batch, number))).await?;
    if let Some(job) = job {
        // one that ended by itself stays as it is
        let _ = jobs::apply(app, job, Event::Cancel).await?;
    }
    Ok(())
}
