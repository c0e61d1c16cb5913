//! What is switched off to see that the simulation notices: by ports that break a promise, and never by
//! anything in the product.

use std::sync::Arc;

use async_trait::async_trait;
use ports::{Condition, Item, Key, Page, Ports, Query, Records, Result, Token, Write};
use serde_json::Value;

/// What is switched off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// The condition that an attempt's fence is live.
    Fence,
    /// The consumer of the queue `work` does not see what was done for a job already.
    Idempotency,
    /// The timer that looks after every open job never fires.
    Sweep,
}

/// The function that [`Sabotage::Idempotency`] is about.
const CONSUMER: &str = "queue-work";

/// The function that [`Sabotage::Sweep`] is about.
pub(crate) const SWEEP: &str = "schedule-sweep";

/// The ports as the function of this name has them.
pub(crate) fn sabotaged(ports: &Ports, what: Option<Sabotage>, function: &str) -> Ports {
    let records: Arc<dyn Records> = match what {
        Some(Sabotage::Fence) => Arc::new(Unfenced(ports.records.clone())),
        Some(Sabotage::Idempotency) if function == CONSUMER => {
            Arc::new(Forgetful(ports.records.clone()))
        }
        _ => ports.records.clone(),
    };
    Ports { records, ..ports.clone() }
}

/// Whether an item is a job.
fn is_job(key: &Key) -> bool {
    key.partition.starts_with("JOB#") && key.sort == "HEAD"
}

/// Takes the result of any attempt.
struct Unfenced(Arc<dyn Records>);

#[async_trait]
impl Records for Unfenced {
    async fn get(&self, key: &Key) -> Result<Option<Item>> {
        self.0.get(key).await
    }

    async fn batch_get(&self, keys: &[Key]) -> Result<Vec<Option<Item>>> {
        self.0.batch_get(keys).await
    }

    async fn write(&self, write: Write) -> Result<Token> {
        let write = match write {
            Write::Update { key, set, remove, condition: Condition::Fence(_) } if is_job(&key) => {
                Write::Update { key, set, remove, condition: Condition::Exists }
            }
            other => other,
        };
        self.0.write(write).await
    }

    async fn transact(&self, writes: Vec<Write>) -> Result<Token> {
        self.0.transact(writes).await
    }

    async fn query(&self, query: Query) -> Result<Page> {
        self.0.query(query).await
    }

    async fn durable(&self, token: Token) -> Result<()> {
        self.0.durable(token).await
    }
}

/// Shows every job as it was accepted.
struct Forgetful(Arc<dyn Records>);

fn forget(item: Item) -> Item {
    let Ok(mut job) = item.decode::<Value>() else { return item };
    job["state"] = "queued".into();
    job["fences"] = Value::Object(Default::default());
    job["attempts"] = Value::Array(Vec::new());
    for ended in ["ended_us", "outcome", "failure"] {
        job[ended] = Value::Null;
    }
    Item::from_json(job.to_string().into())
}

#[async_trait]
impl Records for Forgetful {
    async fn get(&self, key: &Key) -> Result<Option<Item>> {
        let found = self.0.get(key).await?;
        Ok(if is_job(key) { found.map(forget) } else { found })
    }

    async fn batch_get(&self, keys: &[Key]) -> Result<Vec<Option<Item>>> {
        self.0.batch_get(keys).await
    }

    async fn write(&self, write: Write) -> Result<Token> {
        self.0.write(write).await
    }

    async fn transact(&self, writes: Vec<Write>) -> Result<Token> {
        self.0.transact(writes).await
    }

    async fn query(&self, query: Query) -> Result<Page> {
        self.0.query(query).await
    }

    async fn durable(&self, token: Token) -> Result<()> {
        self.0.durable(token).await
    }
}
