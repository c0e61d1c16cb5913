//! The list of open jobs, for the sweep: those that were still open at the end of a batch. A job
//! that begins and ends within one batch, as nearly every waiting call does, costs nothing.

use std::collections::BTreeMap;

use domain::job::Job;
use ports::{Condition, Item, Write};

use super::JobChange;
use crate::{App, Result, table};

pub(super) async fn fold(app: &App, jobs: BTreeMap<String, JobChange>) -> Result<()> {
    for (id, change) in jobs {
        let key = table::open_job(&id);
        let write = match change.open {
            Some(image) => Write::put(key, row(&image.decode()?), Condition::Always),
            // an earlier batch may have listed it
            None if change.was_open => Write::delete(key, Condition::Always),
            None => continue,
        };
        app.ports.records.write(write).await?;
    }
    Ok(())
}

fn row(job: &Job) -> Item {
    let devices: Vec<_> = job.working().map(|attempt| attempt.device.clone()).collect();
    let mut row = Item::new();
    row.insert("state".to_owned(), job.state.name().into());
    row.insert("devices".to_owned(), devices.into());
    row.insert("expires_at".to_owned(), job.expires_at.into());
    row
}
