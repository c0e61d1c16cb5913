//! Makes the tensors that a model takes of what people write.

use std::{sync::Arc, time::Duration};

use adapters::Before;
use api::Route;
use ports::Action;
use protocol::rest::errors::Detail;
use serde_json::value::RawValue;
use service::{
    App, Error, PREPROCESS_FUNCTION, Result,
    adapters::{self as calls, Asked, Carried, Preprocessed, Setup},
};

use crate::kept::{Kept, size};

pub(crate) fn route() -> Route {
    let kept = Kept::new();
    Route::call(PREPROCESS_FUNCTION, move |app, asked| preprocess(app, asked, kept.clone()))
        .computes()
        .memory_mb(1024)
        .timeout(Duration::from_secs(25))
        .uses(&[Action::GetRecords, Action::ReadBlobs, Action::WriteBlobs])
}

async fn preprocess(
    app: App,
    asked: Asked<Box<RawValue>>,
    kept: Arc<Kept<Before>>,
) -> Result<Preprocessed> {
    let (customer, model, input) = match asked {
        Asked::Check(setup) => {
            return Ok(match make(&kept, *setup).await? {
                Ok(_) => Preprocessed::Usable,
                Err(reason) => refused("preprocessing", reason),
            });
        }
        Asked::Run { customer, model, on } => (customer, model, on),
    };
    let name = format!("{}@{}/{}", model.id, model.version, model.revision);
    let before = match kept.get(&name) {
        Some(before) => before,
        None => {
            let setup = match calls::before(&app, &customer, &model).await {
                Err(Error::NoModel(message)) => return Ok(refused("model_id", message)),
                setup => setup?,
            };
            let bytes = size(&setup);
            match make(&kept, setup).await? {
                Ok(before) => kept.insert(name, bytes, before),
                // another version of the model may take something else
                Err(reason) => return Ok(refused("model_id", reason)),
            }
        }
    };
    Ok(match kept.run(move || before.run(&input)).await? {
        Ok(made) => Preprocessed::Made(Carried::pack(&app, made.tensors).await?, made.many),
        Err(details) => Preprocessed::Refused(details),
    })
}

async fn make(kept: &Kept<Before>, setup: Setup) -> Result<std::result::Result<Before, String>> {
    let make = move || {
        let Setup { name, schema, features, specs, .. } = setup;
        Before::new(&name, schema.as_ref(), &features, &specs)
            .map_err(|reason| format!("`{name}` cannot be used with this model: {reason}"))
    };
    kept.run(make).await
}

fn refused(path: &str, message: String) -> Preprocessed {
    Preprocessed::Refused(vec![Detail { path: path.to_owned(), message }])
}
