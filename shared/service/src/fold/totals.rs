//! How many of everything there are, for `/health/detailed`: one item, one write per batch.

use domain::job::State;
use ports::{Key, Write};
use serde::{Deserialize, Serialize};

use super::{Glance, Written};
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

/// What a change from `before` to `after` adds, if it adds anything.
pub(super) fn count(
    kind: &str,
    sequence: u64,
    before: Option<&Glance>,
    after: Option<&Glance>,
) -> Option<Count> {
    let mut added = Totals::default();
    for (glance, sign) in [(before, -1), (after, 1)] {
        if let Some(glance) = glance {
            added.add_one(kind, glance, sign);
        }
    }
    (added != Totals::default()).then_some(Count { sequence, added })
}

pub(super) async fn fold(app: &App, counts: Vec<Count>) -> Result<()> {
    loop {
        let found = super::load(app, &key(), |totals: &Totals| totals.version).await?;
        let Some((before, condition)) = found else { return Ok(()) };
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
        let write = Write::put(key(), table::encode(&totals)?, condition);
        if !matches!(super::write(app, write).await?, Written::Changed) {
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

    fn add_one(&mut self, kind: &str, glance: &Glance, sign: i64) {
        match kind {
            "MODEL" => self.models += sign,
            "DEV" => {
                self.devices += sign;
                if glance.is_present() {
                    let slots = glance.capabilities.as_ref().map_or(0, |can| can.slots);
                    self.connections += sign;
                    self.slots += sign * i64::from(slots);
                    self.slots_free += sign * i64::from(glance.slots_free.unwrap_or(0));
                }
            }
            _ => match glance.state {
                Some(State::Queued) => self.queued += sign,
                Some(State::Running) => self.running += sign,
                _ => {}
            },
        }
    }
}

/// The counts as they were last folded.
pub(crate) async fn load(app: &App) -> Result<Totals> {
    let item = app.ports.records.get(&key()).await?;
    Ok(item.and_then(|item| table::readable(&key(), &item)).unwrap_or_default())
}
