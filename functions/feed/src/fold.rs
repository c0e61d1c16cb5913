//! Folds every batch of changes into what is read: fleet view, open jobs, statistics, totals; tells
//! batches which of their chunks ended; and deletes what is left of whatever is removed.

use std::time::Duration;

use api::Route;
use ports::{Action, Change};
use service::{App, BATCH_QUEUE, Result, fold as folds};

pub(crate) fn route() -> Route {
    Route::feed("feed-fold", fold).timeout(Duration::from_secs(60)).uses(&[
        Action::ReadChanges,
        Action::GetRecords,
        Action::QueryRecords,
        Action::WriteRecords,
        Action::DeleteRecords,
        Action::WriteBlobs,
        Action::DeleteBlobs,
        Action::SendTo(BATCH_QUEUE),
    ])
}

async fn fold(app: App, changes: Vec<Change>) -> Result<()> {
    folds::batch(&app, changes).await
}
