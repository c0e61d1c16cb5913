//! The platform: its functions as they are registered, each run on an instance that remembers what
//! that instance saw before, around one store.

mod gateway;
mod runners;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak},
    time::Duration,
};

use api::{Entry, Route};
use axum::{Router, body::Body};
use bytes::Bytes;
use futures::{FutureExt, future::BoxFuture};
use http::{Request, StatusCode};
use ports::Ports;
use service::{App, Settings};
use tower::ServiceExt;

pub(crate) use self::gateway::Line;
use crate::{
    Store,
    clock::within,
    faults::{Ended, Faults, Invocation, Sabotage, faulty, sabotaged},
    weather::Weather,
};

/// Where devices and customers reach the platform.
pub(crate) const BASE: &str = "http://platform.simulated";

/// The largest answer that is read, in bytes.
const MAX_ANSWER: usize = 64 << 20;

/// How the functions are deployed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// As on AWS: each function has instances of its own, each of which runs one event at a time and
    /// dies with it.
    Functions,
    /// As on one machine: one process runs everything, and may be killed with everything.
    Process,
}

/// The platform.
pub(crate) struct Platform {
    pub(crate) store: Store,
    pub(crate) weather: Arc<Weather>,
    pub(crate) shape: Shape,
    routes: Vec<Route>,
    settings: Settings,
    sabotage: Option<Sabotage>,
    ports: Ports,
    instances: Mutex<HashMap<&'static str, Vec<Arc<Instance>>>>,
    running: Mutex<Vec<Weak<Invocation>>>,
}

/// What one process remembers.
struct Instance {
    app: App,
    router: OnceLock<Router>,
}

/// The instance of a platform that is one process.
const ALL: &str = "";

impl Platform {
    pub(crate) fn new(
        store: Store,
        weather: Arc<Weather>,
        shape: Shape,
        settings: Settings,
        sabotage: Option<Sabotage>,
    ) -> Arc<Self> {
        let ports = faulty(store.ports(), weather.clone());
        Arc::new(Self {
            store,
            weather,
            shape,
            routes: routes(),
            settings,
            sabotage,
            ports,
            instances: Mutex::default(),
            running: Mutex::default(),
        })
    }

    /// An app of nobody's, for whatever a world is prepared with.
    pub(crate) fn app(&self) -> App {
        App::new(self.store.ports(), self.settings.clone(), None)
    }

    /// An instance that nobody uses, or a new one.
    fn instance(&self, function: &'static str) -> Arc<Instance> {
        let name = if self.shape == Shape::Process { ALL } else { function };
        let mut instances = lock(&self.instances);
        let idle = instances.entry(name).or_default();
        let place = self.weather.dice.below(idle.len() as u64) as usize;
        match (self.shape, idle.get(place)) {
            (Shape::Process, Some(only)) => only.clone(),
            (Shape::Functions, Some(_)) => idle.swap_remove(place),
            (_, None) => {
                let ports = sabotaged(&self.ports, self.sabotage, function);
                let app = App::new(ports, self.settings.clone(), None);
                let instance = Arc::new(Instance { app, router: OnceLock::new() });
                if self.shape == Shape::Process {
                    idle.push(instance.clone());
                }
                instance
            }
        }
    }

    /// Runs a function once; `None` when it was killed, by chance or because its time was up.
    pub(crate) async fn invoke<T>(
        &self,
        route: &Route,
        work: impl FnOnce(App) -> BoxFuture<'static, T>,
    ) -> Option<T> {
        self.on_instance(route, |instance| work(route.app(&instance.app))).await
    }

    async fn on_instance<T>(
        &self,
        route: &Route,
        work: impl FnOnce(&Instance) -> BoxFuture<'static, T>,
    ) -> Option<T> {
        let instance = self.instance(route.name);
        let invocation = match self.shape {
            Shape::Functions => Invocation::new(&self.weather.faults(), &self.weather.dice),
            // dies with all others
            Shape::Process => Invocation::new(&Faults::NONE, &self.weather.dice),
        };
        self.note(&invocation);
        let running = invocation.run(work(&instance));
        let clock = &*self.store.ports().clock;
        let ended = within(clock, route.timeout, running).await.and_then(Ended::returned);
        // what was killed takes its process with it
        if ended.is_some() && self.shape == Shape::Functions {
            lock(&self.instances).entry(route.name).or_default().push(instance);
        }
        ended
    }

    fn note(&self, invocation: &Arc<Invocation>) {
        if self.shape == Shape::Process {
            let mut running = lock(&self.running);
            running.retain(|run| run.strong_count() > 0);
            running.push(Arc::downgrade(invocation));
        }
    }

    /// Kills the process with all that runs and remembers in it; another begins at once.
    pub(crate) fn crash(&self) {
        lock(&self.instances).clear();
        for invocation in lock(&self.running).drain(..).filter_map(|run| run.upgrade()) {
            invocation.kill();
        }
        self.store.sockets().shut_all();
    }

    /// A request to the API; `None` when the caller gets no answer.
    pub(crate) async fn http(&self, request: Request<Body>) -> Option<(StatusCode, Bytes)> {
        let Some(function) = self.serves(&request) else {
            let path = request.uri().path();
            return Some((StatusCode::NOT_FOUND, format!("no function serves {path}").into()));
        };
        let routes = std::slice::from_ref(function);
        let answer = |instance: &Instance| {
            let router = match self.shape {
                Shape::Functions => {
                    let router = || api::router(&instance.app, routes, Router::new());
                    instance.router.get_or_init(router)
                }
                Shape::Process => {
                    let router = || api::router(&instance.app, &self.routes, Router::new());
                    instance.router.get_or_init(router)
                }
            };
            let answered = router.clone().oneshot(request);
            async move {
                let Ok(response) = answered.await;
                let status = response.status();
                let body = axum::body::to_bytes(response.into_body(), MAX_ANSWER).await.ok()?;
                Some((status, body))
            }
            .boxed()
        };
        self.on_instance(function, answer).await.flatten()
    }

    /// The function whose route this is; of those that simulated customers use.
    fn serves(&self, request: &Request<Body>) -> Option<&Route> {
        let path = request.uri().path().strip_prefix(api::BASE_PATH)?;
        let segments: Vec<&str> = path.split('/').collect();
        self.routes.iter().find(|route| {
            let Some((method, template)) = route.operation() else { return false };
            let template: Vec<&str> = template.split('/').collect();
            let fits = |(part, is): (&&str, &&str)| part.starts_with('{') || part == is;
            let method = serde_json::to_value(method).unwrap_or_default();
            let asked = method.as_str().unwrap_or_default();
            asked.eq_ignore_ascii_case(request.method().as_str())
                && template.len() == segments.len()
                && template.iter().zip(&segments).all(fits)
        })
    }

    /// Between two signs of life of a device that works.
    pub(crate) fn heartbeat(&self) -> Duration {
        Duration::from_millis(self.settings.lease.heartbeat_ms)
    }

    /// The functions of a kind.
    fn entries<T>(&self, pick: impl Fn(&Entry) -> Option<T>) -> Vec<(Route, T)> {
        let picked = |route: &Route| pick(&route.entry).map(|entry| (route.clone(), entry));
        self.routes.iter().filter_map(picked).collect()
    }
}

/// The functions of the platform, but those that nothing but an engine or an adapter is behind: devices
/// are simulated, and what they compute is.
fn routes() -> Vec<Route> {
    let computing = [
        inference_routes::computing_routes(),
        models::computing_routes(),
        queues::computing_routes(),
        schedules::computing_routes(),
    ];
    light_registry::routes().into_iter().chain(computing.into_iter().flatten()).collect()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
