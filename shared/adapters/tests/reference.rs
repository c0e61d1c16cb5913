//! The adapters against values that were computed without them: `fixtures/adapters/make.py` says how.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::{fs, path::Path};

use dcmp_adapters::{After, Before, Made};
use protocol::tensor::{Dtype, Named, Spec, Tensor};
use serde_json::{Value, json, value::to_raw_value};

fn cases() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/adapters/cases.json");
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn spec(name: &str, dtype: Dtype, shape: &[Option<usize>]) -> Spec {
    Spec { name: name.to_owned(), dtype, shape: shape.to_vec() }
}

fn before(name: &str, options: &Value, inputs: &[Spec]) -> Before {
    let schema = json!({ "x-adapter": options });
    Before::new(name, schema.as_object(), &[], inputs).unwrap()
}

fn run(before: &Before, input: &Value) -> Made {
    before.run(&to_raw_value(input).unwrap()).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    serde_json::from_value(value.clone()).unwrap()
}

/// What one grey level is in the numbers that the network takes.
fn grey_level(options: &Value) -> f64 {
    match options["std"].as_f64() {
        Some(std) => options["scale"].as_f64().unwrap_or(1.0 / 255.0) / std,
        None => 1.0 / 255.0 / 0.224,
    }
}

#[test]
fn pictures_of_every_kind_are_within_a_grey_level_of_pillows() {
    let cases = cases();
    let pictures = cases["pictures"].as_array().unwrap();
    assert_eq!(pictures.len(), 16);
    for case in pictures {
        let shape: Vec<usize> = serde_json::from_value(case["shape"].clone()).unwrap();
        let open: Vec<_> = shape.iter().map(|dim| Some(*dim)).collect();
        let input = spec("x", Dtype::Float32, &open);
        let file = &cases["files"][case["file"].as_str().unwrap()];
        let made = run(&before("image_classification", &case["options"], &[input]), file);
        assert_eq!((made.many, &made.tensors[0].tensor.shape), (false, &shape));
        let expected = numbers(&case["tensor"]);
        let got = made.tensors[0].tensor.to_f64();
        assert_eq!(got.len(), expected.len());
        let furthest = got.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        let levels = furthest / grey_level(&case["options"]);
        assert!(levels < 1.05, "{} {}: {levels} grey levels", case["file"], case["options"]);
    }
}

#[test]
fn a_batch_is_its_pictures_one_behind_the_other_in_any_float_type() {
    let files = &cases()["files"];
    let uri = format!("data:image/jpeg;base64,{}", files["photo.jpg"].as_str().unwrap());
    let list = json!({ "images": [uri, { "image": files["photo.webp"] }] });
    let shape = [None, Some(3), Some(8), Some(8)];
    let single = before("image_classification", &json!({}), &[spec("x", Dtype::Float32, &shape)]);
    let made = run(&single, &list);
    assert!(made.many);
    assert_eq!(made.tensors[0].tensor.shape, [2, 3, 8, 8]);
    let mut apart = Vec::new();
    for name in ["photo.jpg", "photo.webp"] {
        let one = run(&single, &json!({ "image": files[name] }));
        apart.extend(one.tensors[0].tensor.to_f64());
    }
    assert_eq!(made.tensors[0].tensor.to_f64(), apart);

    let half = before("image_classification", &json!({}), &[spec("x", Dtype::Float16, &shape)]);
    for (a, b) in run(&half, &list).tensors[0].tensor.to_f64().iter().zip(&apart) {
        assert!((a - b).abs() < 2e-3, "{a} is not {b}");
    }
    // pixels as they are
    let open = [None, Some(3), None, None];
    let options = json!({ "size": [8, 8] });
    let bytes = before("image_classification", &options, &[spec("x", Dtype::Uint8, &open)]);
    let pixels = run(&bytes, &list).tensors.remove(0).tensor;
    assert_eq!((pixels.dtype, pixels.shape.len(), pixels.data.len()), (Dtype::Uint8, 4, 384));
    let red = (f64::from(pixels.data[0]) / 255.0 - 0.485) / 0.229;
    assert!((red - apart[0]).abs() < 1e-6);
}

#[test]
fn softmax_and_top_k_are_those_of_float64() {
    for case in cases()["softmax"].as_array().unwrap() {
        let scores: Vec<f32> = numbers(&case["scores"]).iter().map(|x| *x as f32).collect();
        let expected = numbers(&case["probabilities"]);
        let output = spec("y", Dtype::Float32, &[None, Some(scores.len())]);
        let schema = json!({ "x-adapter": { "k": 7 } });
        let after = After::new("top_k_labels", schema.as_object(), None, &[output]).unwrap();
        let tensor = Tensor::from_f32(vec![1, scores.len()], &scores);
        let answer = after.run(&[Named { name: "y".to_owned(), tensor }], false).unwrap();
        let answer: Value = serde_json::from_str(answer.get()).unwrap();
        let predictions = answer["predictions"].as_array().unwrap();
        assert_eq!(predictions.len(), 7);
        let mut last = f64::INFINITY;
        for prediction in predictions {
            let score = prediction["score"].as_f64().unwrap();
            let index = prediction["index"].as_u64().unwrap() as usize;
            assert!((score - expected[index]).abs() < 1e-6, "{prediction}: {}", expected[index]);
            assert!(score <= last);
            last = score;
        }
    }
}

#[test]
fn texts_become_the_tokens_of_wordpiece() {
    let cases = cases();
    for case in cases["texts"].as_array().unwrap() {
        let length = case["length"].as_u64().map(|length| length as usize);
        let inputs = ["input_ids", "attention_mask", "token_type_ids"]
            .map(|name| spec(name, Dtype::Int64, &[None, length]));
        let options = json!({ "tokenizer": cases["tokenizer"] });
        let made =
            run(&before("text_tokens", &options, &inputs), &json!({ "texts": case["texts"] }));
        for named in &made.tensors[..2] {
            let rows: Vec<Vec<f64>> = serde_json::from_value(case[&named.name].clone()).unwrap();
            assert_eq!(named.tensor.shape, [rows.len(), rows[0].len()]);
            assert_eq!(named.tensor.to_f64(), rows.concat(), "{}", case["texts"]);
        }
        assert!(made.tensors[2].tensor.to_f64().iter().all(|segment| *segment == 0.0));
    }
    // the tokenizer as a text, and a second sentence
    let inputs =
        ["input_ids", "token_type_ids"].map(|name| spec(name, Dtype::Int64, &[None, None]));
    let options = json!({ "tokenizer": cases["tokenizer"].to_string() });
    let pair = json!({ "text": "the cat", "text_pair": "a dog" });
    let made = run(&before("text_tokens", &options, &inputs), &pair);
    assert_eq!(made.tensors[0].tensor.to_f64(), [2., 4., 5., 3., 16., 17., 3.]);
    assert_eq!(made.tensors[1].tensor.to_f64(), [0., 0., 0., 0., 1., 1., 1.]);
}

#[test]
fn pictures_that_claim_to_be_huge_are_refused_by_their_size() {
    // the head of a PNG of 60 000 × 60 000 pixels, whose checksum is right
    let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\xea\x60\0\0\xea\x60\x08\x02\0\0\0".to_vec();
    png.extend(crc32(&png[12..]).to_be_bytes());
    png.extend_from_slice(b"\0\0\0\0IDAT\x35\xaf\x06\x1e");
    let input = spec("x", Dtype::Float32, &[None, Some(3), Some(8), Some(8)]);
    let before = before("image_classification", &json!({}), &[input]);
    let text = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &png);
    let faults = before.run(&to_raw_value(&text).unwrap()).unwrap_err();
    assert!(faults[0].message.contains("60000 × 60000"), "{faults:?}");
    // and one that ends too early
    let file = cases()["files"]["photo.jpg"].as_str().unwrap()[..400].to_owned();
    let cut = before.run(&to_raw_value(&file).unwrap());
    assert!(cut.is_err_and(|faults| faults[0].message.contains("cannot be read")));
}

/// Of the PNG specification.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |mut crc, byte| {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
        }
        crc
    })
}
