//! How many of everything there are, for `/health/detailed`: one item, one write per batch.

use domain::job::State;
use ports::{Key, Place, Write};
use serde::{Deserialize, Serialize};

use super::{Glance, Written, folded::Folded};
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
    /// The changes that are counted.
    #[serde(default)]
    counted: Folded,
    version: u64,
}

pub(crate) fn key() -> Key {
    Key::new("TOTALS", "HEAD")
}

/// What one change adds.
pub(super) struct Count {
    place: Place,
    added: Totals,
}

/// What a change of a job's state from `before` to `after` adds, if it adds anything.
pub(super) fn count_job(place: &Place, [before, after]: [Option<State>; 2]) -> Option<Count> {
    if before == after {
        return None;
    }
    let mut added = Totals::default();
    for (state, sign) in [(before, -1), (after, 1)] {
        match state {
            Some(State::Queued) => added.queued += sign,
            Some(State::Running) => added.running += sign,
            _ => {}
        }
    }
    added.at(place)
}

/// Likewise of a device.
pub(super) fn count_device(
    place: &Place,
    before: Option<&Glance>,
    after: Option<&Glance>,
) -> Option<Count> {
    let mut added = Totals::default();
    for (device, sign) in [(before, -1), (after, 1)] {
        let Some(device) = device else { continue };
        added.devices += sign;
        if device.is_present() {
            let slots = device.capabilities.as_ref().map_or(0, |can| can.slots);
            added.connections += sign;
            added.slots += sign * i64::from(slots);
            added.slots_free += sign * i64::from(device.slots_free.unwrap_or(0));
        }
    }
    added.at(place)
}

/// Likewise of a model, by whether there was and is one.
pub(super) fn count_model(place: &Place, before: bool, after: bool) -> Option<Count> {
    let models = i64::from(after) - i64::from(before);
    Totals { models, ..Totals::default() }.at(place)
}

pub(super) async fn fold(app: &App, counts: Vec<Count>) -> Result<()> {
    loop {
        let found = super::load(app, &key(), |totals: &Totals| totals.version).await?;
        let Some((before, condition)) = found else { return Ok(()) };
        let mut totals = before.clone();
        for count in counts.iter().filter(|count| !before.counted.has(&count.place)) {
            totals.counted.add(&count.place, app.now_ms() / 1000);
            totals.add(&count.added);
        }
        // what came and went within the batch needs no write; counting it again adds nothing
        let added = totals.minus(&before);
        if Totals::default() == (Totals { counted: Folded::default(), version: 0, ..added }) {
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

    /// As what the change at `place` adds, unless that is nothing.
    fn at(self, place: &Place) -> Option<Count> {
        (self != Self::default()).then(|| Count { place: place.clone(), added: self })
    }
}

/// The counts as they were last folded.
pub(crate) async fn load(app: &App) -> Result<Totals> {
    let item = app.ports.records.get(&key()).await?;
    Ok(item.and_then(|item| table::readable(&key(), &item)).unwrap_or_default())
}
