//! Results that are to be put into words, and cannot be.

use dcmp_service::{
    Error,
    adapters::{self, Asked, Postprocessed},
    inference,
    models::{self, About, Description},
};
use domain::model::Postprocessing;
use protocol::rest::inference::Job;
use serde_json::{Value, json};

use crate::support::Platform;

/// A model with an adapter behind it, and a job of it that has its result.
async fn ended(platform: &Platform) -> (String, String) {
    let description =
        Description { postprocessing: Some(Postprocessing::Regression), ..Default::default() };
    let about = About { description, ..Default::default() };
    let model = platform.upload(about, None).await.unwrap().id;
    let mut device = platform.device("desk").await;
    let job = platform.accepted(&model, json!({ "raw": false })).await;
    platform.work().await;
    let task = device.task().await;
    device.finishes(&task).await;
    (model, job)
}

async fn shown(platform: &Platform, job: &str) -> Job {
    inference::show(&platform.app, &platform.job(job).await).await.unwrap()
}

/// The tensor, and a warning that holds this.
#[track_caller]
fn assert_raw(job: &Job, word: &str) {
    let result: Value = serde_json::from_str(job.result.as_ref().unwrap().get()).unwrap();
    assert_eq!(result["shape"], json!([1, 1]), "{result}");
    let [warning] = job.warnings.as_slice() else { panic!("{:?}", job.warnings) };
    assert!(warning.contains("as the model gave it") && warning.contains(word), "{warning}");
}

#[tokio::test]
async fn a_result_is_shown_as_it_is_when_the_adapter_fails() {
    let platform = Platform::start().await;
    let (_, job) = ended(&platform).await;
    platform.postprocessor(|_| async { Err(ports::Error::unavailable("it took too long")) });
    assert_raw(&shown(&platform, &job).await, "failed");
    // and in words once it works again
    let words = serde_json::value::RawValue::from_string("1".to_owned()).unwrap();
    platform.postprocessor(move |_| {
        let answer = Postprocessed::Answer(words.clone());
        async { Ok(answer) }
    });
    let job = shown(&platform, &job).await;
    assert_eq!((job.result.unwrap().get(), job.warnings.len()), ("1", 0));
}

#[tokio::test]
async fn a_result_outlives_its_model_as_it_is() {
    let platform = Platform::start().await;
    let (model, job) = ended(&platform).await;
    models::delete(&platform.app, &platform.customer, &model).await.unwrap();
    // a process that remembers nothing of the model
    let app = platform.another_process();
    platform.postprocessor(move |asked| {
        let app = app.clone();
        async move {
            let Asked::Run { customer, model, .. } = asked else { panic!("nothing is checked") };
            match adapters::after(&app, &customer, &model).await {
                Err(Error::NoModel(reason)) => Ok(Postprocessed::Refused(reason)),
                other => panic!("{other:?}"),
            }
        }
    });
    assert_raw(&shown(&platform, &job).await, &model);
}
