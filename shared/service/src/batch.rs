//! Batches: many inputs of one model. A batch is accepted when its inputs are on disk; messages of the
//! queue `batches` then look after it: they cut its inputs into chunks, a few more than the devices can
//! have at once, count those that ended, and end the batch with the last of them. A chunk is a job like
//! any other, with attempts, fences and leases; only what waits for it is the batch.

use std::time::Duration;

use domain::batch::Batch;
use ports::{Condition, Item, Token};

use crate::{App, BATCH_QUEUE, Error, Result, table};

mod advance;
mod cut;
mod ending;
mod list;
mod results;
mod rows;
mod source;
mod submit;
mod turns;

pub(crate) use advance::Busy;
pub use advance::{Wake, advance, sweep};
pub(crate) use cut::refused_of;
pub use ending::cancel;
pub use list::{list, show};
pub(crate) use results::Over;
pub use results::{MAX_PAGE_BYTES, page};
pub use submit::{Call, Submitted, submit};
pub(crate) use turns::{Turns, pull, scope};

/// A batch, whoever it belongs to.
pub(crate) async fn load(app: &App, id: &str) -> Result<Option<Batch>> {
    if !domain::name::is_id(id, "batch") {
        return Ok(None);
    }
    table::load(&*app.ports.records, &table::batch(id)).await
}

/// A batch of the customer's.
async fn find(app: &App, customer: &str, id: &str) -> Result<Batch> {
    let batch = load(app, id).await?.filter(|batch| batch.customer == customer);
    batch.ok_or_else(|| Error::no_job(id))
}

/// Writes a batch whose version is raised already; the old item when the condition did not hold.
async fn store(
    app: &App,
    batch: &Batch,
    condition: Condition,
) -> Result<std::result::Result<Token, Option<Item>>> {
    table::store(&*app.ports.records, table::batch(&batch.id), batch, condition).await
}

/// Has a batch looked after soon, because a chunk of it ended.
pub(crate) async fn wake(app: &App, id: &str, ended: &[u32]) -> Result<()> {
    let message = Wake { batch: id.to_owned(), ended: ended.to_vec(), tick: None, revive: false };
    send(app, &message, Duration::ZERO).await
}

async fn send(app: &App, message: &Wake, delay: Duration) -> Result<()> {
    let body = serde_json::to_value(message).map_err(Error::internal)?;
    Ok(app.ports.queues.send(BATCH_QUEUE, &body, delay).await?)
}
