//! `kill -9` of platform and devices during a batch: every input has its one result afterwards.

use reqwest::{Method, StatusCode, header::ACCEPT};
use serde_json::{Value, json};

use crate::support::{Device, Platform, answer, eventually, fixture_json, numbers};

/// How many inputs the batch has.
const INPUTS: usize = 20_000;

/// A two-dimensional array of float32 as a file of NumPy's, version 1.0.
/// <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>
fn npy(rows: &[&Vec<f64>]) -> Vec<u8> {
    let shape = format!("({}, {})", rows.len(), rows[0].len());
    let mut header =
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}").into_bytes();
    while (10 + header.len() + 1) % 64 != 0 {
        header.push(b' ');
    }
    header.push(b'\n');
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend(u16::try_from(header.len()).unwrap().to_le_bytes());
    file.extend(header);
    file.extend(rows.iter().copied().flatten().flat_map(|value| (*value as f32).to_le_bytes()));
    file
}

#[tokio::test]
async fn a_batch_is_done_once_whatever_is_killed() {
    let mut platform = Platform::without_own_device();
    let model = platform.upload("mlp.onnx").await;
    let cases = fixture_json("mlp.json");
    let cases = cases["cases"].as_array().unwrap();
    let cases: Vec<(Vec<f64>, Vec<f64>)> = cases
        .iter()
        .filter(|case| case["input"]["shape"] == json!([1, 10]))
        .map(|case| (numbers(&case["input"]["data"]), numbers(&case["output"]["data"])))
        .collect();
    let rows: Vec<_> = cases.iter().map(|(input, _)| input).cycle().take(INPUTS).collect();
    let part = reqwest::multipart::Part::bytes(npy(&rows)).file_name("rows.npy");
    let form = reqwest::multipart::Form::new().part("file", part);
    let request = platform.client.request(Method::POST, "/datasets").multipart(form);
    let (status, dataset) = answer(request).await;
    assert_eq!(status, StatusCode::CREATED, "{dataset}");

    let mut devices = [platform.device("one").await, platform.device("two").await];
    let body = json!({ "model_id": model, "inputs_dataset_id": dataset["id"] });
    let (status, accepted) = platform.client.post("/inference/batch", body).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{accepted}");
    let id = accepted["job_id"].as_str().unwrap();
    let path = format!("/inference/{id}?limit=1");
    // each falls at another point of the batch
    for (round, share) in [0, 1, 2_000, 6_000, 10_000].into_iter().enumerate() {
        eventually(&format!("{share} results"), || async {
            let (_, batch) = platform.client.get(&path).await;
            let is_there = batch["progress"]["completed"].as_u64()? >= share;
            (is_there || batch["status"] == "completed").then_some(())
        })
        .await;
        let device = &mut devices[round % 2];
        device.process.kill();
        if round % 2 == 1 {
            platform.crash_and_restart();
            // the address is another one, and the devices do not know it
            for (device, name) in devices.iter_mut().zip(["one", "two"]) {
                device.process.kill();
                *device = Device::spawn(&platform, name, &[]);
            }
        } else {
            *device = Device::spawn(&platform, ["one", "two"][round % 2], &[]);
        }
    }
    let batch = platform.client.until_ended(id).await;
    let progress = &batch["progress"];
    assert_eq!((&progress["completed"], &progress["failed"]), (&json!(INPUTS), &json!(0)));
    let request = platform.client.request(Method::GET, &format!("/inference/{id}/results"));
    let lines = request.header(ACCEPT, "application/x-ndjson").send().await.unwrap();
    let lines = lines.text().await.unwrap();
    let mut count = 0;
    for (index, line) in lines.lines().enumerate() {
        let item: Value = serde_json::from_str(line).unwrap();
        assert_eq!((&item["index"], &item["status"]), (&json!(index), &json!("completed")));
        let (_, expected) = &cases[index % cases.len()];
        let found = numbers(&item["result"]["data"]);
        let close = found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5);
        assert!(close && found.len() == expected.len(), "{item} is not {expected:?}");
        count += 1;
    }
    assert_eq!(count, INPUTS);
}
