//! Reads an uploaded model file, apart from the function that took it in: whatever is in the file
//! meets only this function's memory and time.

use std::time::Duration;

use api::Route;
use domain::model::Format;
use ports::Action;
use service::{
    App, Error, INSPECT_FUNCTION, Result, Signature,
    models::{InspectRequest, Inspected, Profile},
};

/// Shapes that an engine follows recursively may be nested deep; threads for requests have 2 MB.
const STACK: usize = 64 << 20;

pub(crate) fn route() -> Route {
    Route::call(INSPECT_FUNCTION, inspect)
        .memory_mb(1024)
        .timeout(Duration::from_secs(25))
        .uses(&[Action::ReadBlobs])
}

async fn inspect(app: App, request: InspectRequest) -> Result<Inspected> {
    let bytes = app.ports.blobs.get(&request.blob, None).await?;
    let bytes = bytes.ok_or_else(|| Error::internal(format!("no file {}", request.blob)))?;
    let (answer, answered) = tokio::sync::oneshot::channel();
    std::thread::Builder::new()
        .name("inspect".to_owned())
        .stack_size(STACK)
        // whoever asked may have gone: then nobody needs the answer
        .spawn(move || drop(answer.send(read(&bytes, request.format))))
        .map_err(Error::internal)?;
    answered.await.map_err(Error::internal)
}

fn read(bytes: &[u8], format: Format) -> Inspected {
    match format {
        Format::Onnx => match inference::inspect(bytes) {
            Ok(report) => {
                let signature = Signature {
                    inputs: report.signature.inputs,
                    outputs: report.signature.outputs,
                };
                let (profile, unprofiled) = match report.profile {
                    Ok(inference::Profile { latency_ms, memory_bytes }) => {
                        (Some(Profile { latency_ms, memory_bytes }), None)
                    }
                    Err(why) => (None, Some(why)),
                };
                Inspected::Accepted { signature: Some(signature), profile, unprofiled }
            }
            Err(refused) => Inspected::Refused(refused.to_string()),
        },
        Format::Torchscript => match torchscript::check(bytes) {
            Ok(()) => {
                let why = "only devices that declare `torchscript` run TorchScript".to_owned();
                Inspected::Accepted { signature: None, profile: None, unprofiled: Some(why) }
            }
            Err(refused) => Inspected::Refused(refused.to_string()),
        },
    }
}
