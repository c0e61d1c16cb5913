//! Reads an uploaded model file, apart from the function that took it in: whatever is in the file
//! meets only this function's memory and time.

mod file;
mod room;

use std::{io, time::Duration};

use api::Route;
use domain::model::Format;
use ports::Action;
use service::{
    App, Error, INSPECT_FUNCTION, Result, Signature,
    models::{InspectRequest, Inspected, Profile},
};
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, oneshot},
};

use file::ObjectFile;
use room::Room;

/// The room of this process. On Lambda every process reads one file at a time anyway.
static ROOM: Room = Room::new();

/// Larger files are looked at in pieces, and not run.
const WHOLE: u64 = 128 << 20;

/// Shapes that an engine follows recursively may be nested deep; threads for requests have 2 MB.
const STACK: usize = 64 << 20;

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
    let Some(room) = ROOM.take(stored.size.min(WHOLE)).await else { return Ok(Inspected::Unread) };
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

/// Runs `look` in a thread of its own. Whoever asked may have gone, and the thread goes on: so it is
/// the thread that gives the room back.
fn apart<T: Send + 'static>(
    room: OwnedSemaphorePermit,
    look: impl FnOnce() -> T + Send + 'static,
) -> Result<oneshot::Receiver<T>> {
    let (answer, answered) = oneshot::channel();
    let looking = move || {
        // what `look` holds, such as the file, is gone by then; nobody may need the answer
        drop(answer.send(look()));
        drop(room);
    };
    let thread = std::thread::Builder::new().name("inspect".to_owned()).stack_size(STACK);
    thread.spawn(looking).map_err(Error::internal)?;
    Ok(answered)
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn a_thread_whose_caller_has_gone_keeps_its_room() {
        let room = Room::new();
        let (go, wait) = mpsc::channel::<()>();
        let answered = apart(room.take(u64::MAX).await.unwrap(), move || wait.recv()).unwrap();
        drop(answered);
        assert_eq!(room.free(), 0);
        go.send(()).unwrap();
        // waits until the thread has ended
        assert!(room.take(u64::MAX).await.is_some());
    }
}
