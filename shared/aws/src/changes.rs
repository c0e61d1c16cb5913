//! Changes: the table's stream, and waiting for one item by reading it.
//!
//! A deployment's feed functions are given their batches by Lambda, which keeps their place:
//! [`changes`] reads such an event. The port itself reads the stream for anybody else; the place of
//! each consumer in each shard is an item of the table.

mod event;
mod shards;
mod watch;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use clock::SystemClock;
use ports::{
    Change, Changes, Clock, Condition, Item, Key, Place, Query, Records, Result, Sequence, Watch,
    Write,
};
use serde::{Deserialize, Serialize};
use tokio::{
    sync::{Mutex, OnceCell},
    time::Instant,
};

pub use self::event::{Event, changes};
use self::{
    shards::{Reading, Walk, open},
    watch::Polling,
};
use crate::{clients::Clients, records::Table};

/// How long between two looks at shards that had nothing new; each may be read 5 times a second.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html>
const POLL: Duration = Duration::from_millis(250);

/// The most records of one answer.
const MAX_RECORDS: usize = 1000;

/// Partitions of the places begin so; changes of them are nobody's business.
const PLACES: &str = "FEED#";

/// How long a place is kept: the stream forgets its changes after 24 hours.
const KEPT_SECONDS: u64 = 48 * 60 * 60;

/// The stream of the table.
pub(crate) struct Streams {
    clients: Arc<Clients>,
    table: Arc<Table>,
    clock: Arc<SystemClock>,
    arn: OnceCell<String>,
    consumers: Mutex<HashMap<String, Consumer>>,
    /// Counts calls, so that each begins at another shard and none is left waiting.
    turn: AtomicUsize,
}

/// What this process knows of a consumer.
#[derive(Clone, Default)]
struct Consumer {
    places: BTreeMap<Arc<str>, Sequence>,
    /// Shards that will never have anything more.
    ended: BTreeSet<Arc<str>>,
    /// How far shards were looked through behind the place, where nothing was found so far.
    walks: BTreeMap<Arc<str>, Walk>,
}

/// A place as an item of the table.
#[derive(Serialize, Deserialize)]
struct Row {
    sequence: Sequence,
    expires_at: u64,
}

impl Streams {
    pub(crate) fn new(clients: Arc<Clients>, table: Arc<Table>, clock: Arc<SystemClock>) -> Self {
        Self {
            clients,
            table,
            clock,
            arn: OnceCell::new(),
            consumers: Mutex::default(),
            turn: AtomicUsize::new(0),
        }
    }

    /// The consumer as this process knows it, read from the table the first time.
    async fn consumer(&self, name: &str) -> Result<Consumer> {
        let mut consumers = self.consumers.lock().await;
        if let Some(known) = consumers.get(name) {
            return Ok(known.clone());
        }
        let mut consumer = Consumer::default();
        let mut query = Query::new(format!("{PLACES}{name}"), "", 1000);
        loop {
            let page = self.table.query(query.clone()).await?;
            for (shard, item) in page.items {
                consumer.places.insert(shard.into(), item.decode::<Row>()?.sequence);
            }
            let Some(next) = page.next else { break };
            query.after = Some(next);
        }
        Ok(consumers.entry(name.to_owned()).or_insert(consumer).clone())
    }

    async fn keep(
        &self,
        consumer: &str,
        ended: BTreeSet<Arc<str>>,
        walks: BTreeMap<Arc<str>, Walk>,
    ) {
        if let Some(consumer) = self.consumers.lock().await.get_mut(consumer) {
            (consumer.ended, consumer.walks) = (ended, walks);
        }
    }
}

#[async_trait]
impl Changes for Streams {
    async fn read(&self, consumer: &str, max: usize, wait: Duration) -> Result<Vec<Change>> {
        let deadline = Instant::now() + wait;
        let Consumer { places, mut ended, mut walks } = self.consumer(consumer).await?;
        let mut shards = self.shards().await?;
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let first = turn.checked_rem(shards.len()).unwrap_or(0);
        shards.rotate_left(first);
        loop {
            let mut has_ended = false;
            for shard in open(&shards, &ended) {
                let walk = walks.entry(shard.id.clone()).or_default();
                let place = places.get(&shard.id).copied();
                match self.step(shard, walk, place, max.min(MAX_RECORDS)).await? {
                    Reading::Some(changes) => {
                        // they come again from the place on, until that moves
                        walks.remove(&shard.id);
                        self.keep(consumer, ended, walks).await;
                        return Ok(changes);
                    }
                    Reading::None => {}
                    Reading::Ended => has_ended |= ended.insert(shard.id.clone()),
                }
            }
            if has_ended {
                // its children may be new
                shards = self.shards().await?;
                continue;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                self.keep(consumer, ended, walks).await;
                return Ok(Vec::new());
            }
            self.clock.sleep(left.min(POLL)).await;
        }
    }

    async fn checkpoint(&self, consumer: &str, place: &Place) -> Result<()> {
        let known = self.consumer(consumer).await?;
        // never back: a slow duplicate of a consumer must not undo what another has done
        if known.places.get(&place.shard).is_some_and(|known| *known >= place.sequence) {
            return Ok(());
        }
        let expires_at = self.clock.now_ms() / 1000 + KEPT_SECONDS;
        let row = Item::encode(&Row { sequence: place.sequence, expires_at })?;
        let key = Key::new(format!("{PLACES}{consumer}"), place.shard.as_ref());
        self.table.write(Write::put(key, row, Condition::Always)).await?;
        if let Some(known) = self.consumers.lock().await.get_mut(consumer) {
            let known = known.places.entry(place.shard.clone()).or_default();
            *known = place.sequence.max(*known);
        }
        Ok(())
    }

    fn watch(&self, key: &Key) -> Box<dyn Watch> {
        Box::new(Polling::new(self.table.clone(), self.clock.clone(), key))
    }
}
