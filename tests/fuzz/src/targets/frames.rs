//! Frames of the devices' socket, decoded at both ends.

use protocol::{
    socket::{self, *},
    tensor::{Dtype, Named, Tensor},
};
use serde::{Serialize, de::DeserializeOwned};

use crate::{Memory, Target};

pub(super) const TARGET: Target = Target {
    name: "frames",
    seeds,
    words: super::JSON,
    read,
    memory: Memory { base: 64 << 10, per_byte: 64 },
    cases: 2_000,
};

/// One message of each kind that holds more than ids.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    let ids = r#""task_id":"infer_1","attempt":1,"fence":"f00d""#;
    let input = Named { name: "x".to_owned(), tensor: Tensor::from_f32(vec![1, 2], &[0.5, -1.0]) };
    let payload = socket::encode(&Payload::Inline(vec![input]));
    let blob = r#"{"blob":{"checksum":"sha256:00","bytes":65536}}"#;
    let dtype = socket::encode(&Dtype::Float16);
    let capabilities = r#"{"formats":["onnx"],"inference":true,"slots":4,"max_model_mb":512}"#;
    let hardware = r#"{"os":"linux","cores":8,"gpu":{"name":"L4","memory_mb":24000}}"#;
    let line = r#"{"time":"2026-01-01T00:00:00.000Z","level":"info","message":"connected"}"#;
    let model = r#"{"id":"model_1","version":1,"format":"onnx","checksum":"sha256:00","bytes":9}"#;
    [
        format!(
            r#"{{"type":"hello","uuid":"sdk-rust-c5d145","sdk_type":"rust","sdk_version":"0.1.0","name":"desk","instance_type":"user","hardware":{hardware},"capabilities":{capabilities},"share":"everyone","resume":"dev_1.token"}}"#
        ),
        r#"{"type":"heartbeat","slots_free":3,"models":["sha256:00"],"metrics":{"cpu_percent":1.5}}"#
            .to_owned(),
        format!(
            r#"{{"type":"taskDone",{ids},"outputs":{payload},"timings_ms":{{"fetch":1}},"usage":{{"cpu_ms":2.5,"bytes_in":1}}}}"#
        ),
        format!(r#"{{"type":"taskDone",{ids},"outputs":{blob}}}"#),
        format!(
            r#"{{"type":"taskFailed",{ids},"error":{{"code":"X","message":{dtype},"retryable":true}}}}"#
        ),
        format!(r#"{{"type":"taskDeclined",{ids},"reason":"busy"}}"#),
        format!(r#"{{"type":"logs","request_id":"logs_1","lines":[{line}],"part":0,"more":false}}"#),
        r#"{"type":"bye","reason":"stopped"}"#.to_owned(),
        format!(
            r#"{{"type":"taskRun",{ids},"lease_ms":15000,"deadline_ms":20000,"model":{model},"inputs":{payload}}}"#
        ),
        r#"{"type":"logsPull","request_id":"logs_1","lines":100,"level":"warn"}"#.to_owned(),
    ]
    .map(String::into_bytes)
    .to_vec()
}

fn read(input: &[u8]) {
    // a socket gives text
    let Ok(frame) = std::str::from_utf8(input) else { return };
    let _ = socket::kind(frame);
    again::<Hello>(frame);
    again::<Heartbeat>(frame);
    again::<TaskDone>(frame);
    again::<TaskFailed>(frame);
    again::<TaskDeclined>(frame);
    again::<Logs>(frame);
    again::<Bye>(frame);
    again::<Welcome>(frame);
    again::<TaskRun>(frame);
    again::<TaskAck>(frame);
    again::<TaskCancel>(frame);
    again::<LogsPull>(frame);
    again::<Drain>(frame);
    again::<Fault>(frame);
}

/// A message that was understood is understood again as it is written.
fn again<T: Serialize + DeserializeOwned>(frame: &str) {
    if let Ok(message) = serde_json::from_str::<T>(frame) {
        let written = socket::encode(&message);
        assert!(serde_json::from_str::<T>(&written).is_ok(), "{written}");
    }
}
