//! Is the platform well, and what does it hold.

use std::collections::BTreeMap;

use protocol::rest::health::{Detailed, Health, Jobs, Resources, Service};

use crate::{App, fold::totals, time};

/// Alive, and which version.
pub fn basic(app: &App) -> Health {
    Health {
        status: "healthy".to_owned(),
        version: app.settings().version.clone(),
        timestamp: time::rfc3339(app.now_ms()),
    }
}

/// Every service with its counts, as the feed last folded them. `degraded` when the table does not
/// answer.
pub async fn detailed(app: &App) -> Detailed {
    let (healthy, totals) = match totals::load(app).await {
        Ok(totals) => (true, totals),
        Err(cause) => {
            tracing::error!(%cause, "the table does not answer");
            (false, totals::Totals::default())
        }
    };
    let count = |value: i64| u64::try_from(value).unwrap_or(0);
    let status = if healthy { "healthy" } else { "unhealthy" };
    let service = |name: &str, what: &str, value: i64| {
        let counts = BTreeMap::from([(what.to_owned(), count(value))]);
        (name.to_owned(), Service { status: status.to_owned(), counts })
    };
    Detailed {
        status: if healthy { "healthy" } else { "degraded" }.to_owned(),
        version: app.settings().version.clone(),
        services: BTreeMap::from([
            service("device_registry", "devices", totals.devices),
            service("resource_pool", "available", totals.slots_free),
            service("job_manager", "active_jobs", totals.queued + totals.running),
            service("model_store", "models", totals.models),
            service("websocket", "connections", totals.connections),
        ]),
        resources: Resources { slots: count(totals.slots), slots_free: count(totals.slots_free) },
        jobs: Jobs { queued: count(totals.queued), running: count(totals.running) },
    }
}
