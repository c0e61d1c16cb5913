//! `dcmp jobs cancel`

use anyhow::Result;
use protocol::rest::inference::Cancelled;

use super::Which;
use crate::{exit::Exit, output};

pub(super) async fn run(which: Which) -> Result<Exit> {
    let answer = which.connection.client()?.delete(&["inference", &which.job]).await?;
    if which.json {
        output::print(&answer.text)?;
    } else {
        let cancelled: Cancelled = answer.read()?;
        output::say(format_args!("{} is {}", cancelled.job_id, cancelled.status));
    }
    Ok(Exit::Done)
}
