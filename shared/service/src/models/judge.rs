//! What comes of a file that came in parts: its version becomes ready, or is rejected for a reason.

use std::{sync::Arc, time::Duration};

use domain::model::Status;
use ports::Condition;

use super::{
    Version,
    accept::with,
    find,
    fitting::Fitting,
    inspect::{Accepted, Unread, inspect},
    stored,
};
use crate::{App, Error, Result};

/// How often a file that could not be looked at yet is tried again before that counts as a failure:
/// with what `models-inspect` itself waits for its turn, a few minutes.
const MAX_WAITS: u32 = 60;

/// Before the next of these tries.
const WAIT: Duration = Duration::from_secs(1);

/// Looks at the file of a version that is being validated, and says what came of it: ready, or
/// rejected with a reason. Does nothing for a version that was judged before.
///
/// # Errors
/// `NoModel` when the model was deleted.
pub(super) async fn judge(app: &App, id: &str, number: u32) -> Result<()> {
    let head = find::load(app, id).await?;
    let version = find::version(app, &head, number).await?;
    if version.status != Status::Validating {
        return Ok(());
    }
    let mut waits = 0;
    let looked = loop {
        match inspect(app, &version.blob, version.format, &version.given).await {
            Err(Error::Internal(cause)) if cause.is::<Unread>() && waits < MAX_WAITS => {
                waits += 1;
                app.ports.clock.sleep(WAIT).await;
            }
            looked => break looked,
        }
    };
    let looked = match looked {
        Ok(accepted) => accepted,
        Err(refused @ Error::Invalid(_)) => {
            let reason = refused.to_string();
            return reject(app, id, number, Status::Validating, &reason).await.map(drop);
        }
        Err(error) => return Err(error),
    };
    let mut fitting = Fitting::default();
    loop {
        let head = find::load(app, id).await?;
        let version = Version::clone(&*find::version(app, &head, number).await?);
        if version.status != Status::Validating {
            return Ok(());
        }
        let (head, version) = match fitting.look(app, &head, &looked.signature).await {
            Ok(warning) => {
                let mut accepted = Accepted::clone(&looked);
                accepted.warnings.extend(warning);
                with(head, version, Some(accepted))
            }
            // only if the model is still as it was looked at, like the other
            Err(refused @ Error::Invalid(_)) => {
                let (status, reason) = (Status::Rejected, Some(refused.to_string()));
                (head, Arc::new(Version { status, reason, ..version }))
            }
            Err(error) => return Err(error),
        };
        let row = stored::row(id, &version, Condition::Exists)?;
        if stored::commit(app, &head, vec![row]).await? {
            return Ok(());
        }
    }
}

/// Rejects a version for a reason, if it has this status; whether it had.
///
/// # Errors
/// `NoModel` when the model was deleted.
pub(super) async fn reject(
    app: &App,
    id: &str,
    number: u32,
    from: Status,
    reason: &str,
) -> Result<bool> {
    loop {
        let head = find::load(app, id).await?;
        let version = Version::clone(&*find::version(app, &head, number).await?);
        if version.status != from {
            return Ok(false);
        }
        let (status, reason) = (Status::Rejected, Some(reason.to_owned()));
        let row = stored::row(id, &Version { status, reason, ..version }, Condition::Exists)?;
        if stored::commit(app, &head, vec![row]).await? {
            return Ok(true);
        }
    }
}
