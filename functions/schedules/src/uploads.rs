//! Looks after files on their way whose time has come: those that nobody completes are removed, and
//! those that nobody looks at are put into the queue again.

use std::time::Duration;

use api::Route;
use ports::Action;
use service::{App, Result, UPLOADS_QUEUE, uploads};

/// As often as EventBridge can; a platform on one machine runs its timers every second.
const PERIOD: Duration = Duration::from_secs(60);

pub(crate) fn route() -> Route {
    Route::timer("schedule-uploads", PERIOD, sweep).timeout(Duration::from_secs(60)).uses(&[
        Action::GetRecords,
        Action::QueryRecords,
        Action::WriteRecords,
        Action::DeleteRecords,
        Action::WriteBlobs,
        Action::DeleteBlobs,
        Action::SendTo(UPLOADS_QUEUE),
    ])
}

async fn sweep(app: App) -> Result<()> {
    uploads::sweep(&app).await
}
