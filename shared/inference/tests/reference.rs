//! The answers are ONNX Runtime's, which `fixtures/` recorded.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::{fs, path::PathBuf};

use dcmp_inference::{Error, Network};
use protocol::tensor::{Dtype, Named, parse, parse_named};
use serde_json::{Value, value::to_raw_value};

fn fixture(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "../../fixtures", name].iter().collect()
}

fn network(name: &str) -> Network {
    Network::load(&fs::read(fixture(&format!("{name}.onnx"))).unwrap()).unwrap()
}

fn cases(name: &str) -> Vec<Value> {
    let text = fs::read_to_string(fixture(&format!("{name}.json"))).unwrap();
    let mut file: Value = serde_json::from_str(&text).unwrap();
    serde_json::from_value(file["cases"].take()).unwrap()
}

/// The inputs of a case: one as `input`, several as `inputs` by name.
fn inputs(network: &Network, case: &Value) -> Vec<Named> {
    let expected: Vec<(&str, Dtype)> =
        network.signature().inputs.iter().map(|spec| (spec.name.as_str(), spec.dtype)).collect();
    let raw = match case.get("input") {
        Some(input) => to_raw_value(input),
        None => to_raw_value(case),
    };
    parse_named(&raw.unwrap(), &expected).unwrap()
}

#[track_caller]
fn assert_as_recorded(outputs: &[Named], case: &Value) {
    for output in outputs {
        let recorded = case.get("output").unwrap_or_else(|| &case["outputs"][&output.name]);
        let recorded =
            parse(&to_raw_value(recorded).unwrap(), "output", output.tensor.dtype).unwrap();
        assert_eq!(output.tensor.shape, recorded.shape);
        for (is, want) in output.tensor.to_f64().into_iter().zip(recorded.to_f64()) {
            assert!((is - want).abs() <= 1e-5 * (1.0 + want.abs()), "{is} instead of {want}");
        }
    }
}

#[test]
fn each_case_alone_and_all_together() {
    for name in ["mlp", "digits", "cnn", "two"] {
        let (network, cases) = (network(name), cases(name));
        let requests: Vec<Vec<Named>> = cases.iter().map(|case| inputs(&network, case)).collect();
        for (request, case) in requests.iter().zip(&cases) {
            assert_as_recorded(&network.run(request).unwrap(), case);
        }
        let requests: Vec<&[Named]> = requests.iter().map(Vec::as_slice).collect();
        // the first time finds out whether the model can be stacked
        for _ in 0..2 {
            let answers: Vec<Result<Vec<Named>, Error>> = network.run_stacked(&requests);
            for (answer, case) in answers.into_iter().zip(&cases) {
                assert_as_recorded(&answer.unwrap(), case);
            }
        }
    }
}

#[test]
fn a_wide_output() {
    let (network, case) = (network("wide"), cases("wide").remove(0));
    let outputs = network.run(&inputs(&network, &case)).unwrap();
    assert_eq!(serde_json::json!(outputs[0].tensor.shape), case["output_shape"]);
    let sum: f64 = outputs[0].tensor.to_f64().iter().sum();
    assert!((sum - case["sum"].as_f64().unwrap()).abs() < 1e-2, "{sum}");
}
