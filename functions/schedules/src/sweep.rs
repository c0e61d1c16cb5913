//! The net under everything: looks after every open job.

use std::time::Duration;

use api::Route;
use ports::Action;
use service::{App, Result, WORK_QUEUE, sweep as net};

/// As often as EventBridge can; a platform on one machine runs its timers every second.
const PERIOD: Duration = Duration::from_secs(60);

pub(crate) fn route() -> Route {
    Route::timer("schedule-sweep", PERIOD, sweep)
        .memory_mb(1024)
        .timeout(Duration::from_secs(60))
        .uses(&[
            Action::GetRecords,
            Action::QueryRecords,
            Action::WriteRecords,
            Action::DeleteRecords,
            Action::ReadBlobs,
            Action::WriteBlobs,
            Action::SendTo(WORK_QUEUE),
            Action::PostToSockets,
        ])
}

async fn sweep(app: App) -> Result<()> {
    net::all(&app).await
}
