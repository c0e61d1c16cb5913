//! The simulation's ports are held to what every implementation must do, while nothing goes wrong in
//! them.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use conformance::{Answer, FUNCTIONS, LIMIT, Peer, Subject};
use dcmp_simulation::{
    Dice, SimClock, Store,
    store::{Outbox, SimSockets},
};
use ports::{Clock, Method, Ports};

/// A store in memory, by the system's clock: the checks wait for real.
struct InMemory(Store);

impl InMemory {
    fn new() -> Self {
        Self(Store::new(Arc::new(clock::SystemClock::new()), Arc::new(Dice::new(1))))
    }
}

#[async_trait]
impl Subject for InMemory {
    fn ports(&self) -> Ports {
        for name in FUNCTIONS {
            self.0
                .functions()
                .register(name, LIMIT, move |payload| conformance::behave(name, payload));
        }
        self.0.ports()
    }

    /// The functions' processes die, never the store.
    async fn crash(&mut self) {}

    async fn connect(&self) -> Box<dyn Peer> {
        let id = self.ports().clock.id("conn");
        let (outbox, sockets) = (self.0.sockets().open(&id), self.0.sockets().clone());
        Box::new(Device { id, outbox, sockets })
    }

    async fn transfer(&self, url: &str, method: Method, body: Bytes) -> Answer {
        let (status, body) = self.0.transfer(url, method, body);
        Answer { status, body }
    }

    fn base(&self) -> String {
        "http://simulated".to_owned()
    }
}

struct Device {
    id: String,
    outbox: Outbox,
    sockets: Arc<SimSockets>,
}

#[async_trait]
impl Peer for Device {
    fn id(&self) -> &str {
        &self.id
    }

    async fn recv(&mut self) -> Option<String> {
        self.outbox.recv().await
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.sockets.shut(&self.id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ports_do_what_they_must() {
    let mut failures = Vec::new();
    for check in conformance::checks() {
        if let Err(seen) = check.run(&mut InMemory::new()).await {
            failures.push(format!("{} ({}): {seen}", check.must, check.name));
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

/// The clock of the worlds, held to what can be said of one that takes no time.
#[test]
fn simulated_time_passes_as_it_must() {
    let clock = SimClock::new(Arc::new(Dice::new(1)));
    let time = clock.clone();
    clock
        .run(async move {
            let mut last = String::new();
            for ms in 1..200 {
                let (before, id) = (time.now_us(), time.id("job"));
                assert!(id > last, "{id} was made after {last}");
                time.sleep(std::time::Duration::from_millis(ms)).await;
                assert_eq!(time.now_us() - before, ms * 1000);
                last = id;
            }
        })
        .unwrap();
}
