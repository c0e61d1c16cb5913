//! The list of open jobs, for the sweep: those that were still open at the end of a batch. A job
//! that begins and ends within one batch, as nearly every waiting call does, costs nothing.

use std::collections::BTreeMap;

use domain::job::{Job, State};
use ports::{Condition, Write};
use serde::{Deserialize, Serialize};

use super::JobChange;
use crate::{App, Result, table};

pub(super) async fn fold(app: &App, jobs: BTreeMap<String, JobChange>) -> Result<()> {
    for (id, change) in jobs {
        let key = table::open_job(&id);
        let open = change.newest.filter(|job| super::is_open(job));
        let write = match open {
            Some(job) => Write::put(key, table::encode(&Row::of(&job))?, Condition::Always),
            // an earlier batch may have listed it
            None if change.was_open => Write::delete(key, Condition::Always),
            None => continue,
        };
        super::write(app, write).await?;
    }
    Ok(())
}

/// An open job, as the sweep finds it.
#[derive(Serialize, Deserialize)]
pub(crate) struct Row {
    state: State,
    /// Those that work on it.
    pub(crate) devices: Vec<String>,
    expires_at: u64,
}

impl Row {
    fn of(job: &Job) -> Self {
        Self {
            state: job.state,
            devices: job.working().map(|attempt| attempt.device.clone()).collect(),
            expires_at: job.expires_at,
        }
    }
}
