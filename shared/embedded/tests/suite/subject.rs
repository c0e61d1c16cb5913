//! The store as a subject of the suite.

use std::{fs, path::Path, time::Duration};

use async_trait::async_trait;
use axum::body::Body;
use bytes::Bytes;
use conformance::{Answer, FUNCTIONS, LIMIT, Peer, Subject};
use dcmp_embedded::{Connection, Durability, Embedded, Options};
use http::Request;
use ports::{Method, Ports};
use tempfile::TempDir;
use tokio::task::block_in_place;
use tower::ServiceExt;

/// A store in a directory of its own.
pub(crate) struct Local {
    options: Options,
    /// Before the directory, so that it is closed before that goes.
    store: Option<Embedded>,
    directory: TempDir,
}

impl Local {
    pub(crate) fn open(durability: Durability) -> Self {
        let options = Options { durability, ..Options::default() };
        let directory = tempfile::tempdir().unwrap();
        let store = Some(block_in_place(|| open(directory.path(), options)));
        Self { options, store, directory }
    }

    fn store(&self) -> &Embedded {
        self.store.as_ref().unwrap()
    }
}

fn open(directory: &Path, options: Options) -> Embedded {
    let store = Embedded::open(directory, options).unwrap();
    for name in FUNCTIONS {
        store.functions().register(name, LIMIT, move |payload| conformance::behave(name, payload));
    }
    store
}

#[async_trait]
impl Subject for Local {
    fn ports(&self) -> Ports {
        self.store().ports()
    }

    /// What a killed process leaves is what the operating system has of its files: a copy of them
    /// at this instant is just that, without what the process still had in its memory.
    async fn crash(&mut self) {
        block_in_place(|| {
            let copy = tempfile::tempdir().unwrap();
            copy_files(self.directory.path(), copy.path());
            drop(self.store.take());
            self.directory = copy;
            self.store = Some(open(self.directory.path(), self.options));
        });
    }

    async fn connect(&self) -> Box<dyn Peer> {
        let id = self.ports().clock.id("conn");
        Box::new(Device { connection: self.store().sockets().open(&id), id })
    }

    async fn transfer(&self, url: &str, method: Method, body: Bytes) -> Answer {
        let method = match method {
            Method::Get => "GET",
            Method::Put(_) => "PUT",
        };
        let path = url.strip_prefix(&self.base()).unwrap();
        let request = Request::builder().method(method).uri(path).body(Body::from(body)).unwrap();
        let response = self.store().blob_router().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        Answer { status, body }
    }

    fn base(&self) -> String {
        "http://dcmp.test".to_owned()
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(8)
    }
}

struct Device {
    id: String,
    connection: Connection,
}

#[async_trait]
impl Peer for Device {
    fn id(&self) -> &str {
        &self.id
    }

    async fn recv(&mut self) -> Option<String> {
        self.connection.recv().await
    }
}

fn copy_files(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let copy = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_files(&path, &copy);
        } else {
            fs::copy(&path, &copy).unwrap();
        }
    }
}
