//! Puts a model's outputs into words.

use std::{sync::Arc, time::Duration};

use adapters::After;
use api::Route;
use ports::Action;
use service::{
    App, Error, POSTPROCESS_FUNCTION, Result,
    adapters::{self as calls, Asked, Outputs, Postprocessed, Setup},
};

use crate::kept::{Kept, size};

pub(crate) fn route() -> Route {
    let kept = Kept::new();
    Route::call(POSTPROCESS_FUNCTION, move |app, asked| postprocess(app, asked, kept.clone()))
        .memory_mb(1024)
        .timeout(Duration::from_secs(25))
        .uses(&[Action::GetRecords, Action::ReadBlobs])
}

async fn postprocess(
    app: App,
    asked: Asked<Outputs>,
    kept: Arc<Kept<After>>,
) -> Result<Postprocessed> {
    let (customer, model, Outputs { tensors, many }) = match asked {
        Asked::Check(setup) => {
            return Ok(match make(*setup) {
                Ok(_) => Postprocessed::Usable,
                Err(reason) => Postprocessed::Refused(reason),
            });
        }
        Asked::Run { customer, model, on } => (customer, model, on),
    };
    let name = format!("{}@{}/{}", model.id, model.version, model.revision);
    let after = match kept.get(&name) {
        Some(after) => after,
        None => {
            let setup = match calls::after(&app, &customer, &model).await {
                Err(Error::NoModel(message)) => return Ok(Postprocessed::Refused(message)),
                setup => setup?,
            };
            let bytes = size(&setup);
            match make(setup) {
                Ok(after) => kept.insert(name, bytes, after),
                Err(reason) => return Ok(Postprocessed::Refused(reason)),
            }
        }
    };
    let tensors = tensors.unpack(&app).await?;
    Ok(match kept.run(move || after.run(&tensors, many)).await? {
        Ok(answer) => Postprocessed::Answer(answer),
        Err(reason) => Postprocessed::Refused(reason),
    })
}

fn make(setup: Setup) -> std::result::Result<After, String> {
    let Setup { name, schema, labels, specs, .. } = setup;
    After::new(&name, schema.as_ref(), labels.as_deref(), &specs)
        .map_err(|reason| format!("`{name}` cannot be used with this model: {reason}"))
}
