//! What every function is given.

use std::sync::Arc;

use domain::lease;
use ports::{Action, Ports};

use crate::{Engine, cache::Caches, models::uploads};

/// The ports, the deployment's settings, and what the process remembers.
#[derive(Clone)]
pub struct App {
    /// The world.
    pub ports: Arc<Ports>,
    shared: Arc<Shared>,
}

struct Shared {
    settings: Settings,
    engine: Option<Arc<dyn Engine>>,
    caches: Caches,
}

/// What differs between deployments.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Shown by `/health`.
    pub version: String,
    /// SHA-256 of the operator's key, in hex.
    pub admin_key_hash: String,
    /// Whether keys whose secret somebody chose count; only where nobody else reaches the platform.
    pub chosen_keys: bool,
    /// Where callers reach the platform, when it is not the host they dialled.
    pub public_url: Option<String>,
    /// An answer holds 6 MB at most, so that a stream of results ends early and says where it goes on.
    pub bounded_answers: bool,
    /// The largest model that may be uploaded in one request, in bytes.
    pub upload_limit: usize,
    /// What an upload in parts may take.
    pub uploads: uploads::Limits,
    /// Leases and time limits.
    pub lease: lease::Settings,
}

impl App {
    /// An app over `ports`; `engine` is the platform's own device, if it has one.
    pub fn new(ports: Ports, settings: Settings, engine: Option<Arc<dyn Engine>>) -> Self {
        Self {
            ports: Arc::new(ports),
            shared: Arc::new(Shared { settings, engine, caches: Caches::new() }),
        }
    }

    /// The same app for one function, limited to what the function declares.
    #[must_use]
    pub fn restricted(&self, function: &'static str, uses: &[Action]) -> Self {
        Self { ports: Arc::new(self.ports.restricted(function, uses)), shared: self.shared.clone() }
    }

    /// What differs between deployments.
    pub fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    /// Leases and time limits.
    pub fn lease(&self) -> &lease::Settings {
        &self.shared.settings.lease
    }

    /// The platform's own device, if it has one.
    pub(crate) fn engine(&self) -> Option<&Arc<dyn Engine>> {
        self.shared.engine.as_ref()
    }

    pub(crate) fn caches(&self) -> &Caches {
        &self.shared.caches
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.ports.clock.now_ms()
    }

    pub(crate) fn now_us(&self) -> u64 {
        self.ports.clock.now_us()
    }
}
