//! An upload under way, beside the row of what it is for.

use domain::upload::Plan;
use ports::{Condition, Key, Write};
use protocol::rest::uploads::Plan as Shown;
use serde::{Deserialize, Serialize};

use super::Pending;
use crate::{App, Error, Result, table, time};

/// An upload under way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    /// The object store's id of the upload.
    pub(crate) upload: String,
    pub(crate) part_size: u64,
    pub(crate) started_ms: u64,
    /// How often somebody began to look at the complete file and died, or could not look into it.
    pub(crate) tries: u32,
    /// How often the file could not be got at.
    #[serde(default)]
    pub(crate) failures: u32,
    /// Somebody is at it until then.
    pub(crate) busy_until_ms: u64,
    /// Where the file is, and when it is looked after.
    pub(crate) pending: Pending,
    /// Of the row: grows with every change.
    pub(crate) version: u64,
}

impl Row {
    /// Begins the upload of a file that is noted.
    pub(crate) async fn start(app: &App, pending: &Pending, plan: &Plan) -> Result<Self> {
        Ok(Self {
            upload: app.ports.blobs.start_upload(&pending.blob).await?,
            part_size: plan.part_size(),
            started_ms: app.now_ms(),
            tries: 0,
            failures: 0,
            busy_until_ms: 0,
            pending: pending.clone(),
            version: 1,
        })
    }

    /// Of the transaction that announces what the file is for.
    pub(crate) fn put(&self, key: Key) -> Result<Write> {
        Ok(Write::put(key, table::encode(self)?, Condition::Absent))
    }

    /// How the file is cut.
    pub(crate) fn plan(&self, size: u64) -> Result<Plan> {
        Plan::new(size, Some(self.part_size)).map_err(Error::internal)
    }

    /// How the file is sent, before any part is signed.
    pub(crate) fn shown(&self, plan: &Plan) -> Shown {
        Shown {
            part_size: plan.part_size(),
            part_count: plan.parts(),
            parts: Vec::new(),
            expires_at: self.expires_at(),
        }
    }

    /// When it is given up, unless a part comes.
    pub(crate) fn expires_at(&self) -> String {
        time::rfc3339(self.pending.due_ms)
    }

    /// The row as it is to be instead of `self`, looked after at `due_ms`, and the writes for that; they
    /// fail when it was changed since it was read.
    pub(crate) fn change(&self, key: &Key, due_ms: u64) -> Result<(Self, Vec<Write>)> {
        let (pending, [settled, noted]) = self.pending.postpone(due_ms)?;
        let changed = Self { pending, version: self.version + 1, ..self.clone() };
        let condition = Condition::Version(self.version);
        let put = Write::put(key.clone(), table::encode(&changed)?, condition);
        Ok((changed, vec![put, settled, noted]))
    }

    /// The writes that end the upload.
    pub(crate) fn end(&self, key: Key) -> Vec<Write> {
        vec![Write::delete(key, Condition::Version(self.version)), self.pending.settle()]
    }
}

/// Commits writes to one upload; false, with nothing written, when it was changed meanwhile.
pub(crate) async fn commit(app: &App, writes: Vec<Write>) -> Result<bool> {
    let written = table::unless_failed(app.ports.records.transact(writes).await)?;
    let Ok(token) = written else { return Ok(false) };
    app.ports.records.durable(token).await?;
    Ok(true)
}
