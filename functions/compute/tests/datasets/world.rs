//! A platform in a directory of its own, with the function that reads files.

use std::{sync::Arc, time::Duration};

use api::Entry;
use bytes::Bytes;
use embedded::{Durability, Embedded, Options};
use protocol::rest::datasets::Summary;
use service::{
    App, Result, Settings,
    datasets::{self, About, Dataset, Upload},
    idempotency::Commit,
    models::uploads,
};

pub(crate) const CUSTOMER: &str = "cust_1";

pub(crate) struct World {
    pub(crate) app: App,
    _store: Embedded,
    pub(crate) directory: tempfile::TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(uploads::Limits::default())
    }

    /// With limits for uploads.
    pub(crate) fn with(uploads: uploads::Limits) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let options = Options { durability: Durability::Process, ..Options::default() };
        let store = Embedded::open(directory.path(), options).unwrap();
        let settings = Settings {
            version: "test".to_owned(),
            admin_key_hash: String::new(),
            chosen_keys: false,
            public_url: None,
            upload_limit: 4 << 20,
            uploads,
            lease: Default::default(),
            bounded_answers: false,
        };
        let app = App::new(store.ports(), settings, None);
        for route in dcmp_compute::routes() {
            let Entry::Call(handler) = route.entry.clone() else { continue };
            // limited to what the function declares
            let limited = route.app(&app);
            store.functions().register(route.name, Duration::from_secs(600), move |payload| {
                let run = handler(limited.clone(), payload);
                async move { run.await.map(Into::into).map_err(ports::Error::unavailable) }
            });
        }
        Self { app, _store: store, directory }
    }

    /// Uploads a file in one request.
    pub(crate) async fn upload(&self, file: &str, bytes: impl Into<Bytes>) -> Result<Summary> {
        let about = About { file_name: Some(file.to_owned()), ..About::default() };
        let upload = Upload { bytes: bytes.into(), about };
        datasets::upload(&self.app, CUSTOMER, upload, Commit::alone()).await
    }

    /// A ready dataset of a file.
    pub(crate) async fn dataset(&self, file: &str, bytes: impl Into<Bytes>) -> Arc<Dataset> {
        let summary = self.upload(file, bytes).await.unwrap();
        datasets::find(&self.app, CUSTOMER, &summary.id).await.unwrap()
    }

    /// Why a file is refused.
    pub(crate) async fn refused(&self, file: &str, bytes: impl Into<Bytes>) -> String {
        self.upload(file, bytes).await.unwrap_err().to_string()
    }

    /// What customers would send as inputs.
    pub(crate) async fn values(
        &self,
        dataset: &Dataset,
        first: u64,
        max_rows: usize,
        max_bytes: usize,
    ) -> Vec<String> {
        let read = datasets::read_values(&self.app, dataset, first, max_rows, max_bytes);
        read.await.unwrap().iter().map(|value| value.get().to_owned()).collect()
    }

    /// Has the feed read what happened since.
    pub(crate) async fn fold(&self) {
        let changes = &self.app.ports.changes;
        let batch = changes.read("feed-fold", 1000, Duration::ZERO).await.unwrap();
        let Some(last) = batch.last().map(|change| change.place.clone()) else { return };
        service::fold::batch(&self.app, batch).await.unwrap();
        changes.checkpoint("feed-fold", &last).await.unwrap();
    }

    /// Files of datasets that are in the object store, and uploads that nobody finished.
    pub(crate) fn files(&self) -> Vec<std::path::PathBuf> {
        let place = |name: &str| files(&self.directory.path().join(name));
        [place("blobs"), place("uploads")].concat()
    }
}

fn files(directory: &std::path::Path) -> Vec<std::path::PathBuf> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// A file of NumPy, as `numpy.save` writes it.
pub(crate) fn npy(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    while (header.len() + 11) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let length = u16::try_from(header.len()).unwrap().to_le_bytes();
    [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), data].concat()
}

pub(crate) fn f32s(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}
