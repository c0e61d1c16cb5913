//! Reads an uploaded model file, apart from the function that took it in: whatever is in the file
//! meets only this function's memory and time.

use std::time::Duration;

use api::Route;
use ports::Action;
use service::{
    App, Error, INSPECT_FUNCTION, Result, Signature,
    models::{InspectRequest, Inspected},
};

pub(crate) fn route() -> Route {
    Route::call(INSPECT_FUNCTION, inspect)
        .memory_mb(1024)
        .timeout(Duration::from_secs(25))
        .uses(&[Action::ReadBlobs])
}

async fn inspect(app: App, request: InspectRequest) -> Result<Inspected> {
    let bytes = app.ports.blobs.get(&request.blob, None).await?;
    let bytes = bytes.ok_or_else(|| Error::internal(format!("no file {}", request.blob)))?;
    let read = tokio::task::spawn_blocking(move || inference::inspect(&bytes)).await;
    Ok(match read.map_err(Error::internal)? {
        Ok(signature) => {
            Inspected::Signature(Signature { inputs: signature.inputs, outputs: signature.outputs })
        }
        Err(refused) => Inspected::Refused(refused.to_string()),
    })
}
