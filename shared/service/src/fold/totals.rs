//! How many of everything there are, for `/health/detailed`: one item, one write per batch.

use ports::{Change, Condition, Item, Key};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{App, Result, table};

/// The counts, as they are stored.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Totals {
    pub(crate) devices: i64,
    pub(crate) connections: i64,
    pub(crate) slots: i64,
    pub(crate) slots_free: i64,
    pub(crate) models: i64,
    pub(crate) queued: i64,
    pub(crate) running: i64,
    /// The last change that is counted.
    folded: u64,
    version: u64,
}

pub(crate) fn key() -> Key {
    Key::new("TOTALS", "HEAD")
}

/// What one change adds.
pub(super) struct Count {
    sequence: u64,
    added: Totals,
}

/// What the changes of a batch add, those that add anything.
pub(super) fn count(changes: &[Change]) -> Vec<Count> {
    let counts = changes.iter().filter(|change| change.key.sort == "HEAD").filter_map(|change| {
        let (kind, _) = change.key.partition.split_once('#')?;
        let mut added = Totals::default();
        for (item, sign) in [(&change.old, -1), (&change.new, 1)] {
            if let Some(item) = item {
                added.add_item(kind, item, sign);
            }
        }
        (added != Totals::default()).then_some(Count { sequence: change.sequence, added })
    });
    counts.collect()
}

pub(super) async fn fold(app: &App, counts: Vec<Count>) -> Result<()> {
    let records = &*app.ports.records;
    loop {
        let old: Option<Totals> = table::load(records, &key()).await?;
        let condition =
            old.as_ref().map_or(Condition::Absent, |old| Condition::Version(old.version));
        let before = old.unwrap_or_default();
        let mut totals = before.clone();
        for count in counts.iter().filter(|count| count.sequence > before.folded) {
            totals.folded = totals.folded.max(count.sequence);
            totals.add(&count.added);
        }
        // what came and went within the batch needs no write; counting it again adds nothing
        if Totals::default() == (Totals { folded: 0, version: 0, ..totals.minus(&before) }) {
            return Ok(());
        }
        totals.version += 1;
        if table::store(records, key(), &totals, condition).await?.is_ok() {
            return Ok(());
        }
    }
}

impl Totals {
    fn fields(&mut self) -> [&mut i64; 7] {
        [
            &mut self.devices,
            &mut self.connections,
            &mut self.slots,
            &mut self.slots_free,
            &mut self.models,
            &mut self.queued,
            &mut self.running,
        ]
    }

    fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.fields().into_iter().zip(other.clone().fields()) {
            *mine += *theirs;
        }
    }

    fn minus(&self, other: &Self) -> Self {
        let mut difference = self.clone();
        for (mine, theirs) in difference.fields().into_iter().zip(other.clone().fields()) {
            *mine -= *theirs;
        }
        difference
    }

    fn add_item(&mut self, kind: &str, item: &Item, sign: i64) {
        let number = |value: Option<&Value>| value.and_then(Value::as_i64).unwrap_or(0);
        match kind {
            "MODEL" => self.models += sign,
            "DEV" => {
                self.devices += sign;
                if item.get("closed_ms").is_none_or(Value::is_null) {
                    let slots = item.get("capabilities").and_then(|all| all.get("slots"));
                    self.connections += sign;
                    self.slots += sign * number(slots);
                    self.slots_free += sign * number(item.get("slots_free"));
                }
            }
            "JOB" => match super::state(item) {
                Some("queued") => self.queued += sign,
                Some("running") => self.running += sign,
                _ => {}
            },
            _ => {}
        }
    }
}

/// The counts as they were last folded.
pub(crate) async fn load(app: &App) -> Result<Totals> {
    Ok(table::load(&*app.ports.records, &key()).await?.unwrap_or_default())
}
