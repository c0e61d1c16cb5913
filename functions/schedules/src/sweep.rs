//! The net under everything: looks after every open job.

use std::time::Duration;

use api::Route;
use service::{App, Result, jobs::DISPATCHES, sweep as net};

/// As often as EventBridge can; a platform on one machine runs its timers every second.
const PERIOD: Duration = Duration::from_secs(60);

pub(crate) fn route() -> Route {
    Route::timer("schedule-sweep", PERIOD, sweep)
        .computes()
        .memory_mb(1024)
        .timeout(Duration::from_secs(60))
        .uses(DISPATCHES)
}

async fn sweep(app: App) -> Result<()> {
    net::all(&app).await
}
