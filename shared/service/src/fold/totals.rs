//! How many of everything there are, for `/health/detailed`: one item, one write per batch.

use domain::device::Device;
use ports::{Change, Condition, Item, Key};
use serde::{Deserialize, Serialize};

use super::image;
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

pub(super) async fn fold(app: &App, changes: &[Change]) -> Result<()> {
    let records = &*app.ports.records;
    loop {
        let old: Option<Totals> = table::load(records, &key()).await?;
        let condition =
            old.as_ref().map_or(Condition::Absent, |old| Condition::Version(old.version));
        let before = old.unwrap_or_default();
        let mut totals = before.clone();
        for change in changes.iter().filter(|change| change.sequence > before.folded) {
            totals.add(change)?;
        }
        let same = Totals { folded: before.folded, ..totals.clone() } == before;
        if same {
            return Ok(());
        }
        totals.version += 1;
        if table::store(records, key(), &totals, condition).await?.is_ok() {
            return Ok(());
        }
    }
}

impl Totals {
    fn add(&mut self, change: &Change) -> Result<()> {
        self.folded = self.folded.max(change.sequence);
        if change.key.sort != "HEAD" {
            return Ok(());
        }
        let Some((kind, _)) = change.key.partition.split_once('#') else { return Ok(()) };
        for (image_of, sign) in [(&change.old, -1), (&change.new, 1)] {
            if let Some(item) = image_of {
                self.add_item(kind, item, sign)?;
            }
        }
        Ok(())
    }

    fn add_item(&mut self, kind: &str, item: &Item, sign: i64) -> Result<()> {
        match kind {
            "MODEL" => self.models += sign,
            "DEV" => {
                let Some(device) = image::<Device>(Some(item))? else { return Ok(()) };
                self.devices += sign;
                if device.closed_ms.is_none() {
                    self.connections += sign;
                    self.slots += sign * i64::from(device.capabilities.slots);
                    self.slots_free += sign * i64::from(device.slots_free);
                }
            }
            "JOB" => match item.get("state").and_then(|state| state.as_str()) {
                Some("queued") => self.queued += sign,
                Some("running") => self.running += sign,
                _ => {}
            },
            _ => {}
        }
        Ok(())
    }
}

/// The counts as they were last folded.
pub(crate) async fn load(app: &App) -> Result<Totals> {
    Ok(table::load(&*app.ports.records, &key()).await?.unwrap_or_default())
}
