//! Puts a model's outputs into words.

use std::{sync::Arc, time::Duration};

use adapters::After;
use api::Route;
use ports::Action;
use serde_json::value::RawValue;
use service::{
    App, Error, POSTPROCESS_FUNCTION, Result,
    adapters::{self as calls, Asked, Outputs, Postprocessed, Setup},
};

use crate::kept::{Kept, size};

/// The longest answer, in bytes of JSON; a call holds 6 MB.
const MAX_ANSWER: usize = 5 << 20;

pub(crate) fn route() -> Route {
    let kept = Kept::new();
    Route::call(POSTPROCESS_FUNCTION, move |app, asked| postprocess(app, asked, kept.clone()))
        .computes()
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
        Ok(answer) => fitting(answer),
        Err(reason) => Postprocessed::Refused(reason),
    })
}

/// An answer that a call bears.
fn fitting(answer: Box<RawValue>) -> Postprocessed {
    let bytes = answer.get().len();
    match bytes > MAX_ANSWER {
        true => Postprocessed::Refused(format!(
            "in words it would take {bytes} bytes, and {MAX_ANSWER} are possible; send less at a time"
        )),
        false => Postprocessed::Answer(answer),
    }
}

fn make(setup: Setup) -> std::result::Result<After, String> {
    let Setup { name, schema, labels, specs, .. } = setup;
    After::new(&name, schema.as_ref(), labels.as_deref(), &specs)
        .map_err(|reason| format!("`{name}` cannot be used with this model: {reason}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn answers_that_no_call_bears_are_refused_with_a_reason() {
        let of = |bytes: usize| RawValue::from_string(format!("\"{}\"", "a".repeat(bytes - 2)));
        assert!(matches!(fitting(of(MAX_ANSWER).unwrap()), Postprocessed::Answer(_)));
        let Postprocessed::Refused(reason) = fitting(of(MAX_ANSWER + 1).unwrap()) else {
            panic!("it does not fit")
        };
        assert!(reason.contains("5242881 bytes"), "{reason}");
    }
}
