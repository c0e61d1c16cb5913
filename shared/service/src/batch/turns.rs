//! Whose turn it is: batches that wait for devices, each customer in turn, and of a customer each
//! project, so that nobody's batch holds up another's.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use domain::{
    batch::Batch,
    fleet::{BATCHES_PER_SLOT, EVERYONE, Entry},
    job::Wants,
    model::Placement,
};
use ports::{Item, Query};
use serde::{Deserialize, Serialize};

use crate::{App, Error, Result, fleet, models::Record, parked, table};

/// How long a list of waiting batches is believed, in milliseconds.
const BELIEVED_MS: u64 = 1_000;

/// The most batches of a scope among which turns are taken.
const MAX_BATCHES: usize = 1_000;

/// The most batches of a customer in a scope that are not over.
const MAX_OPEN_BATCHES: usize = 100;

/// When it is worth trying again with one more.
const RETRY_SECONDS: u64 = 10;

/// A batch in the list of its scope.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) customer: String,
    pub(super) project: String,
}

/// A batch that may have chunks waiting.
#[derive(Clone, Debug)]
struct Waiting {
    batch: String,
    row: Row,
}

/// What this process knows of turns.
#[derive(Default)]
pub(crate) struct Turns(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    /// The batches of a scope, and when they were read, in epoch milliseconds.
    lists: HashMap<String, (u64, Arc<Vec<Waiting>>)>,
    /// When each customer, and each project of a customer, was served last, by this process's count.
    served: HashMap<String, u64>,
    count: u64,
}

/// So many names are remembered before all are forgotten: nobody is then behind the others.
const MAX_SERVED: usize = 10_000;

impl Turns {
    /// A batch was added to a scope.
    pub(super) fn forget(&self, scope: &str) {
        self.lock().lists.remove(scope);
    }

    fn list(&self, scope: &str, now_ms: u64) -> Option<Arc<Vec<Waiting>>> {
        let inner = self.lock();
        let (read_ms, list) = inner.lists.get(scope)?;
        (now_ms < read_ms + BELIEVED_MS).then(|| list.clone())
    }

    fn keep(&self, scope: &str, now_ms: u64, list: Arc<Vec<Waiting>>) {
        let mut inner = self.lock();
        inner.lists.retain(|_, (read_ms, _)| now_ms < *read_ms + BELIEVED_MS);
        inner.lists.insert(scope.to_owned(), (now_ms, list));
    }

    /// The batch whose turn it is, without those that are `dry`: of the customer who was served longest
    /// ago, of its project that was, the oldest.
    fn next(&self, list: &[Waiting], dry: &BTreeSet<String>) -> Option<Waiting> {
        let inner = self.lock();
        let mut groups: BTreeMap<&str, BTreeMap<&str, &Waiting>> = BTreeMap::new();
        for waiting in list.iter().filter(|waiting| !dry.contains(&waiting.batch)) {
            let projects = groups.entry(&waiting.row.customer).or_default();
            projects.entry(&waiting.row.project).or_insert(waiting);
        }
        let served = |name: &str| inner.served.get(name).copied().unwrap_or(0);
        let (customer, projects) =
            groups.into_iter().min_by_key(|(customer, _)| served(customer))?;
        let project = |project: &&str| served(&format!("{customer}/{project}"));
        projects.into_iter().min_by_key(|(name, _)| project(name)).map(|(_, found)| found.clone())
    }

    fn serve(&self, waiting: &Waiting) {
        let Row { customer, project } = &waiting.row;
        let mut inner = self.lock();
        if inner.served.len() >= MAX_SERVED {
            inner.served.clear();
        }
        inner.count += 1;
        let count = inner.count;
        inner.served.insert(format!("{customer}/{project}"), count);
        inner.served.insert(customer.clone(), count);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // nothing that holds the lock can panic half-way through a change
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the devices look for a batch: with its customer, or where everyone's look.
pub(crate) fn scope(batch: &Batch) -> &str {
    match batch.wants.placement {
        Placement::Shared => EVERYONE,
        Placement::Own | Placement::Platform => &batch.customer,
    }
}

/// A device of `customer` has room for chunks: finds some for it, at most `limit`, by turns. How many
/// were sent.
pub(crate) async fn pull(app: &App, customer: &str, limit: usize) -> Result<usize> {
    let mut sent = 0;
    for scope in [customer, EVERYONE] {
        let list = list(app, scope).await?;
        let mut dry = BTreeSet::new();
        while sent < limit
            && let Some(waiting) = app.caches().turns.next(&list, &dry)
        {
            if Box::pin(parked::walk_chunks(app, &waiting.batch, 1)).await? == 0 {
                dry.insert(waiting.batch);
                continue;
            }
            app.caches().turns.serve(&waiting);
            sent += 1;
        }
    }
    Ok(sent)
}

async fn list(app: &App, scope: &str) -> Result<Arc<Vec<Waiting>>> {
    let now = app.now_ms();
    if let Some(list) = app.caches().turns.list(scope, now) {
        return Ok(list);
    }
    let query = Query::new(table::batch_turns(scope), "", MAX_BATCHES);
    let rows = app.ports.records.query(query).await?.items;
    let waiting = rows.into_iter().map(|(sort, row)| {
        // sorted by age, and named behind it
        let batch = sort.split_once('#').map_or(sort.as_str(), |(_, batch)| batch).to_owned();
        Ok(Waiting { batch, row: table::decode(row)? })
    });
    let list: Arc<Vec<_>> = Arc::new(waiting.collect::<Result<_>>()?);
    app.caches().turns.keep(scope, now, list.clone());
    Ok(list)
}

/// Refuses one more batch of a customer who has as many as one may have.
pub(super) async fn check_open(app: &App, customer: &str) -> Result<()> {
    for scope in [customer, EVERYONE] {
        let query = Query::new(table::batch_turns(scope), "", MAX_BATCHES);
        let rows = app.ports.records.query(query).await?.items;
        let own = |row: &Item| row.decode().is_ok_and(|row: Row| row.customer == customer);
        if rows.iter().filter(|(_, row)| own(row)).count() >= MAX_OPEN_BATCHES {
            let message = format!(
                "you have {MAX_OPEN_BATCHES} batches that are not over, and more are not taken; wait for one, cancel one, or put more inputs into one"
            );
            return Err(Error::RateLimited(message, RETRY_SECONDS));
        }
    }
    Ok(())
}

/// What could work on a batch.
pub(super) struct Devices {
    pub(super) count: u64,
    /// How many chunks they have at once.
    pub(super) chunks: usize,
}

/// The devices that could work on a batch of a model, and the platform's own.
pub(super) async fn devices(
    app: &App,
    customer: &str,
    wants: &Wants,
    record: &Record,
) -> Result<Devices> {
    let scopes: &[&str] = match wants.placement {
        Placement::Own => &[customer],
        Placement::Shared => &[customer, EVERYONE],
        Placement::Platform => &[],
    };
    let version = &record.version;
    let mut found: BTreeMap<String, u32> = BTreeMap::new();
    for scope in scopes {
        let pages = fleet::view(app, scope, false).await?;
        let fits = |entry: &&Entry| {
            entry.batches
                && entry.formats.iter().any(|format| format == version.format.name())
                && entry.max_model_mb.saturating_mul(1 << 20) >= version.size
                && wants.instance_type.as_ref().is_none_or(|kind| *kind == entry.instance_type)
        };
        let devices = pages.iter().flat_map(|page| &page.devices);
        found.extend(devices.filter(|(_, e)| fits(e)).map(|(id, e)| (id.clone(), e.slots)));
    }
    let own = usize::from(app.engine().is_some_and(|engine| engine.takes(version.size)));
    let slots: u64 = found.values().map(|slots| u64::from(*slots)).sum();
    let chunks = slots.saturating_mul(u64::from(BATCHES_PER_SLOT)) as usize;
    Ok(Devices { count: (found.len() + own) as u64, chunks: chunks + 2 * own })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn waiting(batch: &str, customer: &str, project: &str) -> Waiting {
        let row = Row { customer: customer.to_owned(), project: project.to_owned() };
        Waiting { batch: batch.to_owned(), row }
    }

    #[test]
    fn customers_take_turns_and_so_do_their_projects() {
        let turns = Turns::default();
        let list = [
            waiting("a1", "ann", "one"),
            waiting("a2", "ann", "one"),
            waiting("a3", "ann", "two"),
            waiting("b1", "bob", "one"),
        ];
        let mut order = Vec::new();
        for _ in 0..6 {
            let next = turns.next(&list, &BTreeSet::new()).unwrap();
            turns.serve(&next);
            order.push(next.batch);
        }
        assert_eq!(order, ["a1", "b1", "a3", "b1", "a1", "b1"]);
        let dry = BTreeSet::from(["a1".to_owned(), "a3".to_owned(), "b1".to_owned()]);
        assert_eq!(turns.next(&list, &dry).unwrap().batch, "a2");
    }
}
