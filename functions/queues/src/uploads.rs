//! The file of a model or a dataset is complete: it is joined, compared with its checksum, and looked
//! at.

use std::time::Duration;

use api::Route;
use ports::Action;
use serde_json::Value;
use service::{
    App, DATASET_INSPECT_FUNCTION, Error, INSPECT_FUNCTION, POSTPROCESS_FUNCTION,
    PREPROCESS_FUNCTION, Result, UPLOADS_QUEUE, datasets, models,
};

pub(crate) fn route() -> Route {
    Route::queue("queue-uploads", UPLOADS_QUEUE, validate)
        .memory_mb(512)
        .timeout(Duration::from_secs(900))
        .uses(&[
            Action::GetRecords,
            Action::WriteRecords,
            Action::DeleteRecords,
            Action::ReadBlobs,
            Action::WriteBlobs,
            Action::DeleteBlobs,
            Action::Call(INSPECT_FUNCTION),
            Action::Call(DATASET_INSPECT_FUNCTION),
            Action::Call(PREPROCESS_FUNCTION),
            Action::Call(POSTPROCESS_FUNCTION),
            Action::ReceiveFrom(UPLOADS_QUEUE),
        ])
}

async fn validate(app: App, body: Value) -> Result<()> {
    if let Some(dataset) = body["dataset"].as_str() {
        return datasets::uploads::validate(&app, dataset).await;
    }
    let version = body["version"].as_u64().and_then(|version| u32::try_from(version).ok());
    match (body["model"].as_str(), version) {
        (Some(model), Some(version)) => models::uploads::validate(&app, model, version).await,
        _ => Err(Error::internal(format!("no dataset, nor model and version in {body}"))),
    }
}
