//! Reads the file of a dataset, apart from the function that took it in, and writes down where its rows
//! are.

mod writer;

use std::{io, time::Duration};

use api::Route;
use datasets::{Output, Refused};
use ports::Action;
use protocol::dataset::{Content, File};
use service::{
    App, DATASET_INSPECT_FUNCTION, Error, Result,
    datasets::{InspectRequest, Inspected},
};
use tokio::runtime::Handle;

use crate::{file::ObjectFile, room, thread::apart};
use writer::ObjectWriter;

pub(crate) fn route() -> Route {
    Route::call(DATASET_INSPECT_FUNCTION, inspect)
        .computes()
        .memory_mb(1024)
        .timeout(Duration::from_secs(840))
        .uses(&[Action::ReadBlobs, Action::WriteBlobs])
}

async fn inspect(app: App, request: InspectRequest) -> Result<Inspected> {
    let missing = || Error::internal(format!("no file {}", request.file));
    let stored = app.ports.blobs.head(&request.file).await?.ok_or_else(missing)?;
    // whatever its size, little of it is in memory
    let Some(room) = room::take(0).await else { return Ok(Inspected::Unread) };
    let (blobs, runtime) = (app.ports.blobs.clone(), Handle::current());
    let mut file =
        ObjectFile::new(blobs.clone(), runtime.clone(), request.file.clone(), stored.size);
    let [data, index, content] = [&request.data, &request.index, &request.content]
        .map(|key| ObjectWriter::new(blobs.clone(), runtime.clone(), key.clone()));
    let answered = apart(room, move || {
        let mut files = Files { data, index, content };
        let read = read(&mut file, stored.size, &request, &mut files);
        if !matches!(read, Ok(Ok(_))) {
            files.abandon();
        }
        read
    })?;
    Ok(match answered.await.map_err(Error::internal)? {
        Ok(Ok(Content { rows, layout, .. })) => {
            Inspected::Accepted { rows, replaced: layout.file == File::Written }
        }
        Ok(Err(refused)) => Inspected::Refused(refused.to_string()),
        Err(cause) => {
            tracing::warn!(%cause, "a dataset's file could not be read");
            Inspected::Unread
        }
    })
}

/// What is written of a dataset.
struct Files {
    data: ObjectWriter,
    index: ObjectWriter,
    content: ObjectWriter,
}

impl Files {
    fn abandon(self) {
        [self.data, self.index, self.content].into_iter().for_each(ObjectWriter::abandon);
    }
}

/// Reads the file, and writes what is needed of it and beside it.
fn read(
    file: &mut ObjectFile,
    size: u64,
    request: &InspectRequest,
    files: &mut Files,
) -> io::Result<Result<Content, Refused>> {
    let mut output = Output { data: &mut files.data, index: &mut files.index };
    let read = datasets::read(file, size, request.format, &mut output)?;
    if let Ok(content) = &read {
        serde_json::to_writer(&mut files.content, content)?;
        files.data.finish()?;
        files.index.finish()?;
        files.content.finish()?;
    }
    Ok(read)
}
