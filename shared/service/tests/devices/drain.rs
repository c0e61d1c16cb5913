//! A device leaves because its owner wants it to.

use std::time::Duration;

use dcmp_service::{Error, devices};
use domain::job::State;
use protocol::socket::{Bye, Hello, Share};

use crate::support::{Platform, hello};

#[tokio::test]
async fn a_drained_device_finishes_gets_nothing_new_and_leaves() {
    let platform = Platform::start().await;
    let mut device = platform.device("one").await;
    let model = platform.model().await;
    let first = platform.submit(&model).await;
    let task = device.task().await;
    let drain = || devices::drain(&platform.app, &platform.customer, &device.id);
    // again does no harm
    assert_eq!(drain().await.unwrap().status, "draining");
    assert_eq!(drain().await.unwrap().status, "draining");
    for _ in 0..2 {
        assert!(device.hears("drain").await.contains("drained by its owner"));
    }
    platform.fold().await;
    let second = platform.submit(&model).await;
    // a heartbeat that crossed the request offers slots, which are not taken
    device.beats(4, Vec::new()).await;
    assert_eq!(platform.show(&device.id).await.status, "draining");
    assert!(device.tasks().is_empty());
    device.finishes(&task).await;
    assert_eq!(platform.job(&first).await.state, State::Completed);
    let known = device.known().await.unwrap();
    let bye = Bye { reason: "drained".to_owned() };
    dcmp_service::sessions::bye(&platform.app, &known, bye).await.unwrap();
    assert!(device.tasks().is_empty());
    assert_eq!(platform.show(&device.id).await.status, "offline");
    assert_eq!(drain_again(&platform, &device.id).await, "offline");
    // started again it is as good as new, once nobody believes any more that nothing waits
    platform.pass(Duration::from_secs(2));
    let mut device = platform.device("one").await;
    assert_eq!(platform.show(&device.id).await.status, "idle");
    assert_eq!(device.task().await.task_id, second);
}

async fn drain_again(platform: &Platform, device: &str) -> String {
    devices::drain(&platform.app, &platform.customer, device).await.unwrap().status
}

#[tokio::test]
async fn one_that_comes_back_within_its_session_hears_it_again() {
    let platform = Platform::start().await;
    let mut device = platform.device("one").await;
    device.vanish();
    assert_eq!(drain_again(&platform, &device.id).await, "offline");
    let resume = Some(device.token.clone());
    let mut device = platform.device_with(&platform.key, Hello { resume, ..hello("one") }).await;
    device.hears("drain").await;
    assert_eq!(platform.show(&device.id).await.status, "draining");
}

#[tokio::test]
async fn only_its_owner_drains_a_device() {
    let platform = Platform::start().await;
    let shared = Hello { share: Share::Everyone, ..hello("shared") };
    let mut shared = platform.device_with(&platform.key, shared).await;
    let own = platform.device("own").await;
    let (stranger, _) = platform.stranger().await;
    let drain = |id| devices::drain(&platform.app, &stranger, id);
    assert!(matches!(drain(&shared.id).await, Err(Error::Forbidden(_))));
    assert!(matches!(drain(&own.id).await, Err(Error::NotFound(_))));
    assert!(matches!(drain("dev_platform").await, Err(Error::Conflict(_))));
    assert!(shared.hears_nothing());
    assert_eq!(platform.show(&shared.id).await.status, "idle");
}
