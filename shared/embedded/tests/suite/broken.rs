//! The store with one fault: wrapped in ports that break one MUST and pass everything else on.

mod blobs;
mod queues;
mod records;
mod rest;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use conformance::{Answer, Peer, Subject};
use dcmp_embedded::Durability;
use ports::{Item, Key, Message, Method, Ports};

use crate::subject::Local;

/// The MUSTs that a store can be made to break.
pub(crate) const FAULTS: &[&str] = &[
    "R1", "R2", "R3", "R4", "R5", "R6", "R7", "R8", "R9", "C1", "C2", "C3", "C4", "C5", "B1", "B2",
    "B3", "B4", "B5", "B6", "B7", "B8", "B9", "Q1", "Q2", "Q3", "Q4", "Q5", "Q6", "Q7", "S1", "S2",
    "S3", "S4", "F1", "F2", "F3", "F4", "K1", "K2", "K3", "K4",
];

/// A store that breaks one MUST.
pub(crate) struct Broken {
    inner: Local,
    fault: &'static str,
}

/// The ports of a broken store, and what their faults need to remember.
pub(crate) struct Faulty {
    fault: &'static str,
    inner: Ports,
    memory: Mutex<Memory>,
    jammed: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Memory {
    /// Items as they were read first.
    items: HashMap<Key, Option<Item>>,
    /// Objects that were read, or never written.
    objects: HashMap<String, Bytes>,
    /// Messages that were not sent yet.
    unsent: Vec<(String, serde_json::Value)>,
    /// The last batch that was received.
    batch: Vec<Message>,
    deleted: Vec<String>,
    /// A counter for whatever goes wrong now and then.
    count: u64,
}

impl Broken {
    pub(crate) fn open(fault: &'static str) -> Self {
        Self { inner: Local::open(Durability::Power), fault }
    }
}

impl Faulty {
    fn breaks(&self, must: &str) -> bool {
        self.fault == must
    }

    /// Counts up.
    fn count(&self) -> u64 {
        let mut memory = self.memory.lock().unwrap();
        memory.count += 1;
        memory.count
    }
}

#[async_trait]
impl Subject for Broken {
    fn ports(&self) -> Ports {
        // Made anew each time: checks take their ports once, and again after a crash.
        let faulty = Arc::new(Faulty {
            fault: self.fault,
            inner: self.inner.ports(),
            memory: Mutex::default(),
            jammed: tokio::sync::Mutex::default(),
        });
        Ports {
            records: faulty.clone(),
            changes: faulty.clone(),
            blobs: faulty.clone(),
            queues: faulty.clone(),
            sockets: faulty.clone(),
            functions: faulty.clone(),
            clock: faulty,
        }
    }

    async fn crash(&mut self) {
        self.inner.crash().await;
    }

    async fn connect(&self) -> Box<dyn Peer> {
        self.inner.connect().await
    }

    async fn transfer(&self, url: &str, method: Method, body: Bytes) -> Answer {
        self.inner.transfer(url, method, body).await
    }

    fn base(&self) -> String {
        self.inner.base()
    }

    /// What never comes need not be waited for as long as what comes; the latter takes 2 s at most.
    fn patience(&self) -> Duration {
        Duration::from_secs(4)
    }
}
