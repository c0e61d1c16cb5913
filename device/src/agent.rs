//! The agent: puts the parts together and keeps a connection for as long as it lives.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::{broadcast, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    background::Background,
    chance,
    config::Config,
    desk::Desk,
    disk::Disk,
    endpoint::Endpoint,
    home::Home,
    http::Http,
    link::{Introduction, Link, Refusal, Session},
    machine::Machine,
    models::Models,
    report::{Connection, Event, Report, Status},
    results::Results,
    serve::{Ending, Server, until},
    stop::Stop,
    tasks::Intake,
    worker,
};

/// A connection that held for so long was no failure; a platform that accepts and breaks them at once is
/// not to be asked at full speed.
const LASTING: Duration = Duration::from_secs(60);

/// Why an agent cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration needs a change.
    #[error("{0}")]
    Config(String),
    /// The platform does not want this device.
    #[error("{0}")]
    Refused(String),
}

/// What an agent did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Tasks that gave outputs.
    pub done: u64,
    /// Tasks that failed.
    pub failed: u64,
    /// Tasks that were not taken.
    pub declined: u64,
    /// Results that the platform never acknowledged.
    pub unacknowledged: usize,
}

/// A device of the platform.
pub struct Agent {
    config: Config,
    endpoint: Endpoint,
    home: Home,
    disk: Arc<Disk>,
    http: Http,
    report: Arc<Report>,
}

impl Agent {
    /// Prepares an agent; nothing is sent yet.
    ///
    /// # Errors
    /// When the configuration or the data directory cannot be used; the text says what to change.
    pub fn new(config: Config) -> Result<Self, Error> {
        let endpoint = Endpoint::parse(&config.url).map_err(Error::Config)?;
        if !(1..=1024).contains(&config.slots) {
            return Err(Error::Config(format!("{} slots; give 1 to 1024", config.slots)));
        }
        if config.cache_mb == 0 || config.max_model_mb == 0 {
            return Err(Error::Config("models need at least 1 MB of disk".to_owned()));
        }
        let home = Home::open(&config.data_dir).map_err(Error::Config)?;
        let disk = Disk::open(home.models.clone(), config.cache_mb << 20)
            .map_err(|error| Error::Config(format!("the cached models cannot be read: {error}")))?;
        let http =
            Http::new().map_err(|error| Error::Config(format!("no HTTP client: {error}")))?;
        config.journal.hide(config.api_key.clone());
        let report = Arc::new(Report::new(config.slots, config.journal.clone()));
        Ok(Self { config, endpoint, home, disk, http, report })
    }

    /// The name that the platform knows this device by, kept in its data directory.
    pub fn uuid(&self) -> &str {
        &self.home.uuid
    }

    /// How the agent is doing; changes at most ten times a second.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.report.status()
    }

    /// What happens from now on; a listener that falls behind by 1024 events misses some.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.report.events()
    }

    /// Works until `stop` or the platform ends it. Needs a Tokio runtime.
    ///
    /// # Errors
    /// When the platform refuses the device for good, such as for a wrong key.
    pub async fn run(self, stop: Stop) -> Result<Summary, Error> {
        let Self { mut config, endpoint, home, disk, http, report } = self;
        // a model must fit on the disk
        config.max_model_mb = config.max_model_mb.min(config.cache_mb);
        let (machine, hardware) = Machine::new();
        let session = Arc::new(Session::default());
        let desk = Arc::new(Desk::new(config.slots));
        let ended = CancellationToken::new();
        let background = Background::new(tokio::runtime::Handle::current(), ended.clone());
        let results = Results {
            desk: desk.clone(),
            http: http.clone(),
            report: report.clone(),
            background: background.clone(),
        };
        let _closing = Closing { desk: desk.clone(), _background: ended.drop_guard() };
        worker::start(&results, config.slots)
            .map_err(|error| Error::Config(format!("no thread to compute on: {error}")))?;
        let patience = config.timings.room;
        let models = Models::new(
            disk,
            patience,
            http,
            endpoint.clone(),
            session.clone(),
            report.clone(),
            background,
        );
        let introduction = Introduction::new(&config, endpoint, home.uuid.clone(), hardware);
        let mut server = Server {
            desk: desk.clone(),
            intake: Intake {
                models: Arc::new(models),
                results,
                max_model_bytes: config.max_model_mb << 20,
            },
            introduction: Arc::new(introduction),
            session,
            report: report.clone(),
            machine,
            timings: config.timings,
            stop,
            finished: None,
        };
        let outcome = server.live().await;
        server.show();
        report.update(|status| status.connection = Connection::Closed);
        let counts = desk.counts();
        outcome.map(|()| Summary {
            done: counts.done,
            failed: counts.failed,
            declined: counts.declined,
            unacknowledged: counts.unacknowledged,
        })
    }
}

/// Ends the workers and what goes on in the background when the agent ends, in whatever way.
struct Closing {
    desk: Arc<Desk>,
    _background: DropGuard,
}

impl Drop for Closing {
    fn drop(&mut self) {
        self.desk.close();
    }
}

impl Server {
    /// Connects, works, and connects again.
    async fn live(&mut self) -> Result<(), Error> {
        let mut failures = 0;
        loop {
            self.report.update(|status| status.connection = Connection::Connecting);
            let (stop, introduction, session) =
                (self.stop.clone(), self.introduction.clone(), self.session.clone());
            let linked = tokio::select! {
                () = stop.immediately() => return Ok(()),
                () = self.over() => return Ok(()),
                linked = introduction.link(&session) => linked,
            };
            let reason = match linked {
                Ok(link) => {
                    let since = Instant::now();
                    let ending = self.work_on(link).await;
                    if since.elapsed() >= LASTING {
                        failures = 0;
                    }
                    match ending {
                        Ending::Lost(reason) => reason,
                        Ending::Left | Ending::Stopped | Ending::Renewed(_) => return Ok(()),
                    }
                }
                Err(Refusal::Final(reason)) => return Err(Error::Refused(reason)),
                Err(Refusal::Passing(reason)) => reason,
            };
            let wait =
                chance::backoff(self.timings.first_retry, self.timings.longest_retry, failures);
            failures += 1;
            self.report.tell(Event::Lost { reason, retry_in: wait });
            self.report.update(|status| status.connection = Connection::Waiting);
            tokio::select! {
                () = stop.immediately() => return Ok(()),
                () = self.over() => return Ok(()),
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Works on a connection and on those that replace it.
    async fn work_on(&mut self, mut link: Link) -> Ending {
        let (device_id, resumed) = (link.welcome.device_id.clone(), link.resumed);
        self.report.update(|status| {
            status.connection = Connection::Online;
            status.device_id = Some(device_id.clone());
        });
        self.report.tell(Event::Connected { device_id, resumed });
        loop {
            match self.serve(link).await {
                Ending::Renewed(fresh) => {
                    self.report.tell(Event::Renewed);
                    link = *fresh;
                }
                ending => return ending,
            }
        }
    }

    /// Without a connection: waits until the agent drains and has nothing left to do.
    async fn over(&mut self) {
        let (desk, stop) = (self.desk.clone(), self.stop.clone());
        loop {
            let draining = stop.is_draining();
            if draining {
                self.drain("asked to stop");
            }
            self.show();
            if self.is_over() {
                return;
            }
            tokio::select! {
                () = stop.draining(), if !draining => {}
                () = desk.news.notified() => {}
                () = until(self.patience()) => {}
            }
        }
    }
}
