//! Who is there, who is not, and who may be.

use std::{ops::RangeInclusive, time::Duration};

use dcmp_service::{SESSIONS_QUEUE, access, devices, idempotency::Commit, sessions};
use domain::job::State;
use protocol::socket::{DeclineReason, Fault, Heartbeat, Metrics};
use serde_json::json;

use crate::support::{Platform, hello};

const TEN_MINUTES: Duration = Duration::from_secs(601);

#[tokio::test]
async fn a_silent_device_gets_nothing_until_it_speaks() {
    let platform = Platform::start().await;
    let mut device = platform.device("stopped").await;
    let model = platform.model().await;
    let session = device.stored().await.session;
    // within its lease nobody can have lost it
    sessions::found_lost(&platform.app, &device.id, &session).await.unwrap();
    assert_eq!(platform.show(&device.id).await.status, "idle");
    platform.pass(Duration::from_secs(16));
    sessions::found_lost(&platform.app, &device.id, "an older session").await.unwrap();
    assert_eq!(platform.show(&device.id).await.status, "idle");
    sessions::found_lost(&platform.app, &device.id, &session).await.unwrap();
    platform.fold().await;
    assert_eq!(platform.show(&device.id).await.status, "offline");
    let job = platform.submit(&model).await;
    assert!(device.hears_nothing());
    assert_eq!(platform.job(&job).await.state, State::Queued);
    // if it lives it connects again, and what waits comes with its first word
    assert_eq!(device.next().await, None);
    let mut device = platform.device("stopped").await;
    assert_eq!(platform.show(&device.id).await.status, "idle");
    assert_eq!(device.task().await.task_id, job);
}

#[tokio::test]
async fn a_session_that_nobody_closed_ends() {
    let platform = Platform::start().await;
    let mut device = platform.device("one").await;
    let looked_at = |delay: RangeInclusive<u64>| {
        let (queue, body, after) = platform.sent().pop().unwrap();
        assert_eq!(queue, SESSIONS_QUEUE);
        assert_eq!(body, json!({ "device": device.id, "connection": device.connection }));
        assert!(delay.contains(&after.as_secs()), "{after:?}");
    };
    looked_at(600..=600);
    let look = || sessions::look_again(&platform.app, &device.id, &device.connection);
    platform.pass(Duration::from_secs(300));
    look().await.unwrap();
    looked_at(200..=300);
    assert_eq!(platform.show(&device.id).await.status, "idle");
    platform.pass(TEN_MINUTES);
    look().await.unwrap();
    assert_eq!(platform.sent(), []);
    assert_eq!(platform.show(&device.id).await.status, "offline");
    assert_eq!(device.next().await, None);

    // the platform died; the device never came back
    let mut device = platform.device("one").await;
    device.vanish();
    assert_eq!(platform.show(&device.id).await.status, "idle");
    sessions::look_again(&platform.app, &device.id, "conn_older").await.unwrap();
    assert_eq!(platform.show(&device.id).await.status, "idle");
    sessions::look_again(&platform.app, &device.id, &device.connection).await.unwrap();
    assert_eq!(platform.show(&device.id).await.status, "offline");
}

#[tokio::test]
async fn a_device_ends_with_its_key() {
    let platform = Platform::start().await;
    let mut device = platform.device("one").await;
    let model = platform.model().await;
    let job = platform.submit(&model).await;
    device.task().await;
    assert!(device.known().await.is_some());
    access::revoke_key(&platform.app, &platform.key_id).await.unwrap();
    assert!(device.known().await.is_none());
    let fault: Fault = serde_json::from_str(&device.hears("error").await).unwrap();
    assert_eq!(fault.code, "AUTH_INVALID");
    assert!(fault.message.contains("revoked"), "{}", fault.message);
    assert_eq!(device.next().await, None);
    assert_eq!(platform.job(&job).await.state, State::Running);
}

#[tokio::test]
async fn a_key_that_expires_ends_its_devices_in_every_process() {
    let platform = Platform::start().await;
    let in_an_hour = platform.app.ports.clock.now_ms() / 1000 + 3600;
    let expires_at = jiff::Timestamp::from_second(in_an_hour as i64).unwrap().to_string();
    let new = protocol::rest::admin::NewKey { expires_at: Some(expires_at), ..Default::default() };
    let key =
        access::create_key(&platform.app, &platform.customer, &new, Commit::alone()).await.unwrap();
    let device = platform.device_with(&key.secret.unwrap(), hello("one")).await;
    let other = platform.another_process();
    assert!(sessions::connection(&other, &device.connection).await.unwrap().is_some());
    platform.pass(Duration::from_secs(3601));
    assert!(sessions::connection(&other, &device.connection).await.unwrap().is_none());
}

#[tokio::test]
async fn a_device_that_wants_no_work_gets_none_until_it_offers_slots() {
    let platform = Platform::start().await;
    let mut device = platform.device("leaving").await;
    let model = platform.model().await;
    platform.submit(&model).await;
    let task = device.task().await;
    device.declines(&task, DeclineReason::Policy).await;
    device.hears("taskAck").await;
    assert_eq!(platform.show(&device.id).await.status, "draining");
    platform.fold().await;
    platform.submit(&model).await;
    assert!(device.hears_nothing());
    device.beats(0, Vec::new()).await;
    assert_eq!(platform.show(&device.id).await.status, "draining");
    let draining =
        devices::list(&platform.app, &platform.customer, Some("draining"), None, 9).await.unwrap();
    assert_eq!(draining.total, 1);
    device.beats(4, Vec::new()).await;
    assert_eq!(platform.show(&device.id).await.status, "idle");
}

#[tokio::test]
async fn another_reason_does_not_drain_a_device() {
    let platform = Platform::start().await;
    let mut device = platform.device("one").await;
    let model = platform.model().await;
    platform.submit(&model).await;
    let task = device.task().await;
    device.declines(&task, DeclineReason::Unsupported).await;
    assert_eq!(platform.show(&device.id).await.status, "idle");
}

#[tokio::test]
async fn everybody_is_asked_to_leave() {
    let platform = Platform::start().await;
    let (mut one, mut two) = (platform.device("one").await, platform.device("two").await);
    sessions::drain_all(&platform.app, "the platform ends").await;
    for device in [&mut one, &mut two] {
        assert!(device.hears("drain").await.contains("the platform ends"));
    }
}

#[tokio::test]
async fn nothing_is_written_of_a_device_that_is_idle_as_before() {
    let platform = Platform::start().await;
    let device = platform.device("one").await;
    let (one, two) =
        ("sha256:".to_owned() + &"1".repeat(64), "sha256:".to_owned() + &"2".repeat(64));
    device.beats(4, vec![one.clone(), two.clone()]).await;
    let before = device.stored().await;
    // the order of the models means nothing
    for models in [[&one, &two], [&two, &one]] {
        device.beats(4, models.map(String::clone).to_vec()).await;
    }
    assert_eq!(device.stored().await, before);
    // a busy one renews its lease, and a new model is news
    device.beats(3, vec![one.clone(), two]).await;
    device.beats(3, vec![one.clone()]).await;
    device.beats(4, vec![one.clone()]).await;
    device.beats(4, Vec::new()).await;
    assert_eq!(device.stored().await.version, before.version + 4);
}

#[tokio::test]
async fn pieces_of_batches_renew_the_lease() {
    let platform = Platform::start().await;
    let device = platform.device("one").await;
    let before = device.stored().await;
    for beats in 1..4 {
        platform.pass(Duration::from_secs(5));
        let models = Vec::new();
        device
            .says(Heartbeat { slots_free: 4, batches: 1, models, metrics: Metrics::default() })
            .await;
        let stored = device.stored().await;
        assert!(stored.renewed_ms >= before.renewed_ms + 5_000 * beats, "{stored:?}");
        assert_eq!(stored.slots_free, 4, "calls find room beside them");
    }
}

#[tokio::test]
async fn any_number_of_slots_is_heard() {
    let platform = Platform::start().await;
    let mut hello = hello("large");
    hello.capabilities.slots = 1024;
    let device = platform.device_with(&platform.key, hello.clone()).await;
    // nothing waits, which is believed for a second
    let forget = || platform.pass(Duration::from_secs(2));
    forget();
    device.beats(u32::MAX, Vec::new()).await;
    forget();
    device.beats(1024, Vec::new()).await;
    assert_eq!(device.stored().await.slots_free, 1024);
    forget();
    device.beats(0, Vec::new()).await;
    assert_eq!(platform.show(&device.id).await.current_tasks, 1024);
    // back on another connection, as busy as before
    forget();
    hello.resume = Some(device.token.clone());
    let device = platform.device_with(&platform.key, hello).await;
    assert_eq!(device.stored().await.slots_free, 0);
}
