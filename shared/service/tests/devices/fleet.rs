//! The fleet view stays small enough for its items, whatever devices say.

use std::collections::BTreeMap;

use dcmp_service::{Error, sessions};
use domain::{
    device::{Capabilities, Device, MAX_WARM, Share},
    fleet::{self, Page},
};
use ports::{Condition, Item, Key, Write};
use protocol::socket::{Gpu, Hardware, Hello};

use crate::support::{Platform, checksum, hello};

/// A device that says as much as it may, on the first page of its owner.
fn largest(customer: &str, number: usize) -> Device {
    let mut ids = (0..).map(|more| format!("dev_{number:016x}{more:016x}"));
    let text = |length: usize| "x".repeat(length);
    Device {
        id: ids.find(|id| fleet::shard(id) == 0).unwrap(),
        customer: customer.to_owned(),
        uuid: text(64),
        name: Some(text(200)),
        sdk_type: "rust".to_owned(),
        sdk_version: "0.1.0".to_owned(),
        instance_type: "user".to_owned(),
        share: Share::Own,
        hardware: serde_json::json!({}),
        capabilities: Capabilities {
            formats: vec![text(32); 8],
            inference: true,
            training: false,
            gpu: false,
            slots: 1024,
            max_model_mb: u64::MAX,
            batches: true,
        },
        session: text(64),
        connection: format!("conn_{}", text(32)),
        fences: BTreeMap::new(),
        base: text(512),
        renewed_ms: 0,
        closed_ms: None,
        lost_ms: None,
        draining: false,
        leaving: false,
        slots_free: 1024,
        warm: (0..MAX_WARM).map(|model| checksum(number * MAX_WARM + model)).collect(),
        connected_ms: 0,
        seen_ms: 0,
        version: 1,
    }
}

async fn on_first_page(devices: usize) -> usize {
    let platform = Platform::start().await;
    for number in 0..devices {
        let device = largest(&platform.customer, number);
        let key = Key::new(format!("DEV#{}", device.id), "HEAD");
        let write = Write::put(key, Item::encode(&device).unwrap(), Condition::Absent);
        platform.app.ports.records.write(write).await.unwrap();
    }
    platform.fold().await;
    let page = platform.get(&format!("POOL#{}", platform.customer), "00").await.unwrap();
    page.decode::<Page>().unwrap().devices.len()
}

#[tokio::test]
async fn a_page_holds_150_devices_with_many_models_each() {
    assert_eq!(on_first_page(150).await, 150);
}

#[tokio::test]
async fn a_page_that_is_full_leaves_devices_out_and_goes_on() {
    let found = on_first_page(500).await;
    assert!((150..500).contains(&found), "{found} devices");
}

#[tokio::test]
async fn only_checksums_are_taken_for_loaded_models() {
    let platform = Platform::start().await;
    let device = platform.device("one").await;
    let mut models = vec!["sha256:0123".to_owned(), "x".repeat(100_000), checksum(1), checksum(1)];
    device.beats(4, models.clone()).await;
    assert_eq!(device.stored().await.warm, [checksum(1)]);
    models.extend((0..500).map(checksum));
    device.beats(4, models).await;
    assert_eq!(device.stored().await.warm.len(), MAX_WARM);
}

#[tokio::test]
async fn a_device_that_says_too_much_of_itself_is_told_what_to_change() {
    let platform = Platform::start().await;
    let mut device = platform.connect(&platform.key).await;
    let with_formats = |formats: Vec<String>| {
        let mut hello = hello("one");
        hello.capabilities.formats = formats;
        hello
    };
    let with_hardware = |hardware| Hello { hardware, ..hello("one") };
    let long = "x".repeat(201);
    let gpu = Gpu { name: long.clone(), memory_mb: 1 };
    let cases = [
        (with_formats(vec!["x".repeat(33)]), "capabilities.formats"),
        (with_formats(vec!["on nx".to_owned()]), "capabilities.formats"),
        (with_formats(vec!["onnx".to_owned(); 9]), "capabilities.formats"),
        (with_hardware(Hardware { cpu: long.clone(), ..Default::default() }), "hardware.cpu"),
        (with_hardware(Hardware { os: long, ..Default::default() }), "hardware.os"),
        (with_hardware(Hardware { gpu: Some(gpu), ..Default::default() }), "hardware.gpu.name"),
    ];
    for (hello, field) in cases {
        let Err(Error::Invalid(details)) = device.hello(hello).await else { panic!("{field}") };
        assert_eq!(details[0].path, field);
    }
    let base = format!("http://{}", "x".repeat(600));
    let refused = sessions::connect(&platform.app, "conn_1", &platform.key, &base).await;
    assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
}
