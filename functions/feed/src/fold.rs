//! Folds every batch of changes into what is read: fleet view, open jobs, statistics, totals; and
//! deletes what jobs and models that are removed leave.

use std::time::Duration;

use api::Route;
use ports::{Action, Change};
use service::{App, Result, fold as folds};

pub(crate) fn route() -> Route {
    Route::feed("feed-fold", fold).timeout(Duration::from_secs(60)).uses(&[
        Action::ReadChanges,
        Action::GetRecords,
        Action::QueryRecords,
        Action::WriteRecords,
        Action::DeleteRecords,
        Action::DeleteBlobs,
    ])
}

async fn fold(app: App, changes: Vec<Change>) -> Result<()> {
    folds::batch(&app, changes).await
}
