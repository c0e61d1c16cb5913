//! Reads an uploaded model file, apart from the function that took it in: whatever is in the file
//! meets only this function's memory and time.

use std::{io, time::Duration};

use api::Route;
use domain::model::Format;
use ports::Action;
use service::{
    App, Error, INSPECT_FUNCTION, Result, Signature,
    models::{InspectRequest, Inspected, Profile},
};
use tokio::runtime::Handle;

use crate::{file::ObjectFile, room, thread::apart};

/// Larger files are looked at in pieces, and not run.
const WHOLE: u64 = 128 << 20;

pub(crate) fn route() -> Route {
    Route::call(INSPECT_FUNCTION, inspect)
        .computes()
        .memory_mb(1024)
        .timeout(Duration::from_secs(25))
        .uses(&[Action::ReadBlobs])
}

async fn inspect(app: App, request: InspectRequest) -> Result<Inspected> {
    let InspectRequest { blob, format } = request;
    let missing = || Error::internal(format!("no file {blob}"));
    let stored = app.ports.blobs.head(&blob).await?.ok_or_else(missing)?;
    // before a byte of it is in memory
    let Some(room) = room::take(stored.size.min(WHOLE)).await else { return Ok(Inspected::Unread) };
    let answered = if format == Format::Onnx && stored.size <= WHOLE {
        let bytes = app.ports.blobs.get(&blob, None).await?.ok_or_else(missing)?;
        apart(room, move || Ok(onnx(inference::inspect(&bytes))))?
    } else {
        let blobs = app.ports.blobs.clone();
        let mut file = ObjectFile::new(blobs, Handle::current(), blob, stored.size);
        apart(room, move || match format {
            Format::Onnx => inference::inspect_large(&mut file, stored.size).map(onnx),
            Format::Torchscript => torchscript::check(&mut file).map(torchscript),
        })?
    };
    let looked: io::Result<Inspected> = answered.await.map_err(Error::internal)?;
    Ok(looked.unwrap_or_else(|cause| {
        tracing::warn!(%cause, "a model's file could not be read");
        Inspected::Unread
    }))
}

fn onnx(report: std::result::Result<inference::Report, inference::Refused>) -> Inspected {
    let report = match report {
        Ok(report) => report,
        Err(refused) => return Inspected::Refused(refused.to_string()),
    };
    let inference::Signature { inputs, outputs } = report.signature;
    let (profile, unprofiled) = match report.profile {
        Ok(inference::Profile { latency_ms, memory_bytes }) => {
            (Some(Profile { latency_ms, memory_bytes }), None)
        }
        Err(why) => (None, Some(why)),
    };
    Inspected::Accepted { signature: Some(Signature { inputs, outputs }), profile, unprofiled }
}

fn torchscript(checked: std::result::Result<(), torchscript::Refused>) -> Inspected {
    match checked {
        Ok(()) => {
            let why = "only devices that declare `torchscript` run TorchScript".to_owned();
            Inspected::Accepted { signature: None, profile: None, unprofiled: Some(why) }
        }
        Err(refused) => Inspected::Refused(refused.to_string()),
    }
}
