#![allow(clippy::unwrap_used, reason = "tests")]
use protocol::tensor::Tensor;
use serde_json::json;

use super::*;

fn spec(name: &str, dtype: Dtype, width: Option<usize>) -> Spec {
    Spec { name: name.to_owned(), dtype, shape: vec![None, width] }
}

fn output(name: &str, width: usize, values: &[f32]) -> Named {
    let tensor = Tensor::from_f32(vec![values.len() / width, width], values);
    Named { name: name.to_owned(), tensor }
}

fn after(name: &str, options: Value, labels: &[&str], outputs: &[Spec]) -> Result<After, String> {
    let schema = json!({ "x-adapter": options });
    let labels: Vec<String> = labels.iter().map(|label| (*label).to_owned()).collect();
    let labels = (!labels.is_empty()).then_some(&labels[..]);
    After::new(name, schema.as_object(), labels, outputs).map_err(|error| error.to_string())
}

fn said(after: &After, outputs: &[Named], many: bool) -> Value {
    serde_json::from_str(after.run(outputs, many).unwrap().get()).unwrap()
}

#[track_caller]
fn assert_close(value: &Value, expected: f64) {
    assert!((value.as_f64().unwrap() - expected).abs() < 1e-6, "{value} is not {expected}");
}

#[test]
fn probabilities_stay_and_other_scores_are_made_some() {
    let scores = [spec("y", Dtype::Float32, Some(3))];
    let auto = after("top_k_labels", json!({ "k": 2 }), &["a", "b", "c"], &scores).unwrap();
    let answer = said(&auto, &[output("y", 3, &[0.25, 0.5, 0.25])], false);
    assert_eq!(answer["predictions"][0], json!({ "label": "b", "index": 1, "score": 0.5 }));
    assert_eq!(answer["predictions"].as_array().unwrap().len(), 2);
    let answer = said(&auto, &[output("y", 3, &[0.0, 0.0, 2f32.ln()])], false);
    assert_eq!(answer["predictions"][0]["label"], "c");
    assert_close(&answer["predictions"][0]["score"], 0.5);
    assert_close(&answer["predictions"][1]["score"], 0.25);
    let none = json!({ "activation": "none", "k": 9 });
    let none = after("top_k_labels", none, &[], &scores).unwrap();
    let answer = said(&none, &[output("y", 3, &[7.0, 9.0, 8.0])], false);
    let labels: Vec<_> =
        answer["predictions"].as_array().unwrap().iter().map(|p| &p["label"]).collect();
    assert_eq!(labels, ["1", "2", "0"]);
}

#[test]
fn a_batch_has_an_answer_for_each_row_and_a_list_gets_a_list() {
    let after = after("regression", json!({}), &[], &[spec("y", Dtype::Float32, Some(1))]).unwrap();
    assert_eq!(said(&after, &[output("y", 1, &[1.5])], false), json!({ "value": 1.5 }));
    assert_eq!(said(&after, &[output("y", 1, &[1.5])], true), json!([{ "value": 1.5 }]));
    let two = said(&after, &[output("y", 1, &[1.5, -2.0])], false);
    assert_eq!(two, json!([{ "value": 1.5 }, { "value": -2.0 }]));
}

#[test]
fn an_open_dimension_alone_is_a_value_for_each_row() {
    let shaped = |shape: &[Option<usize>]| {
        let (name, dtype) = ("y".to_owned(), Dtype::Float32);
        [Spec { name, dtype, shape: shape.to_vec() }]
    };
    let scores = [0.25, 0.75, 0.5];
    let given = [Named { name: "y".to_owned(), tensor: Tensor::from_f32(vec![3], &scores) }];
    let open = shaped(&[None]);
    let binary = after("binary_classification", json!({}), &["ham", "spam"], &open).unwrap();
    let answer = said(&binary, &given, true);
    let labels: Vec<_> = answer.as_array().unwrap().iter().map(|row| &row["label"]).collect();
    assert_eq!(labels, ["ham", "spam", "spam"]);
    let regression = after("regression", json!({}), &[], &open).unwrap();
    let expected = json!([{ "value": 0.25 }, { "value": 0.75 }, { "value": 0.5 }]);
    assert_eq!(said(&regression, &given, true), expected);
    let top = after("top_k_labels", json!({}), &[], &open).unwrap();
    assert_eq!(said(&top, &given, true).as_array().unwrap().len(), 3);
    // one of several
    let outputs = [open[0].clone(), spec("z", Dtype::Float32, Some(2))];
    let all = after("regression", json!({}), &[], &outputs).unwrap();
    let both = [given[0].clone(), output("z", 2, &[1.0; 6])];
    assert_eq!(said(&all, &both, true)[1], json!({ "y": 0.75, "z": [1.0, 1.0] }));
    // a fixed one is one row
    let top = after("top_k_labels", json!({}), &["a", "b", "c"], &shaped(&[Some(3)])).unwrap();
    assert_eq!(said(&top, &given, false)["predictions"][0]["label"], "b");
}

#[test]
fn one_score_or_two_decide_by_the_threshold() {
    let labels = ["ham", "spam"];
    let make = |width, options| {
        let output = [spec("y", Dtype::Float32, Some(width))];
        after("binary_classification", options, &labels, &output).unwrap()
    };
    for (width, options, values, label, score) in [
        (1, json!({}), vec![0.75], "spam", 0.75),
        (1, json!({ "threshold": 0.8 }), vec![0.75], "ham", 0.75),
        (1, json!({}), vec![-1.0], "ham", 0.268_941_42),
        (1, json!({ "activation": "sigmoid" }), vec![0.0], "spam", 0.5),
        (2, json!({}), vec![0.25, 0.75], "spam", 0.75),
        (2, json!({}), vec![2.0, 1.0], "ham", 0.268_941_42),
    ] {
        let answer = said(&make(width, options), &[output("y", width, &values)], false);
        assert_eq!(
            (&answer["label"], &answer["positive"]),
            (&json!(label), &json!(label == "spam"))
        );
        assert_close(&answer["score"], score);
    }
}

#[test]
fn several_values_go_by_the_names_of_the_outputs() {
    let outputs = [spec("low", Dtype::Float32, Some(1)), spec("high", Dtype::Float32, Some(2))];
    let given = [output("low", 1, &[1.0, 2.0]), output("high", 2, &[3.0, 4.0, 5.0, 6.0])];
    let all = after("regression", json!({}), &[], &outputs).unwrap();
    let expected = json!([{ "low": 1.0, "high": [3.0, 4.0] }, { "low": 2.0, "high": [5.0, 6.0] }]);
    assert_eq!(said(&all, &given, false), expected);
    let one = after("regression", json!({ "output": "low" }), &[], &outputs).unwrap();
    assert_eq!(said(&one, &given, false), json!([{ "value": 1.0 }, { "value": 2.0 }]));
}

#[test]
fn whole_numbers_of_64_bits_are_told_exactly() {
    let of = |dtype, data: [u8; 8]| {
        let outputs = [spec("y", dtype, Some(1))];
        let after = after("regression", json!({}), &[], &outputs).unwrap();
        let tensor = Tensor { dtype, shape: vec![1, 1], data: data.to_vec().into() };
        said(&after, &[Named { name: "y".to_owned(), tensor }], false)
    };
    let odd = 9_007_199_254_740_993_i64;
    assert_eq!(of(Dtype::Int64, odd.to_le_bytes()), json!({ "value": odd }));
    assert_eq!(of(Dtype::Uint64, u64::MAX.to_le_bytes()), json!({ "value": u64::MAX }));
    assert_eq!(of(Dtype::Float64, 0.5f64.to_le_bytes()), json!({ "value": 0.5 }));
}

#[test]
fn the_scores_are_found_beside_a_label() {
    let outputs = [spec("label", Dtype::Int64, None), spec("p", Dtype::Float32, Some(2))];
    let after = after("top_k_labels", json!({}), &["no", "yes"], &outputs).unwrap();
    let label = Tensor { dtype: Dtype::Int64, shape: vec![1], data: vec![0; 8].into() };
    let label = Named { name: "label".to_owned(), tensor: label };
    let answer = said(&after, &[label, output("p", 2, &[0.25, 0.75])], false);
    assert_eq!(answer["predictions"][0]["label"], "yes");
}

#[test]
fn what_cannot_be_read_is_said() {
    let scores = [spec("y", Dtype::Float32, None)];
    let any = after("top_k_labels", json!({}), &[], &scores).unwrap();
    let reason = any.run(&[output("y", 2, &[0.5, f32::NAN])], false).unwrap_err();
    assert!(reason.contains("element 1 of `y`"), "{reason}");
    let reason = any.run(&[output("z", 1, &[0.5])], false).unwrap_err();
    assert!(reason.contains("did not give"), "{reason}");
    let empty = Named { name: "y".to_owned(), tensor: Tensor::from_f32(vec![1, 0], &[]) };
    assert!(any.run(&[empty], false).unwrap_err().contains("no values"));
    let binary = after("binary_classification", json!({}), &[], &scores).unwrap();
    assert!(binary.run(&[output("y", 3, &[0.1; 3])], false).unwrap_err().contains("gave 3"));
}

#[test]
fn options_and_models_that_do_not_fit_are_named() {
    let three = [spec("y", Dtype::Float32, Some(3))];
    for (name, options, labels, word) in [
        ("top_k_labels", json!({ "k": 0 }), &[][..], "x-adapter.k"),
        ("top_k_labels", json!({ "k": "all" }), &[], "x-adapter"),
        ("top_k_labels", json!({ "activation": "relu" }), &[], "`relu`"),
        ("top_k_labels", json!({ "output": "z" }), &[], "no `z`, it has y"),
        ("top_k_labels", json!({}), &["a"], "1 labels, but `y` has 3 classes"),
        ("binary_classification", json!({}), &[], "`y` has 3"),
        ("binary_classification", json!({}), &["a"], "two labels"),
        ("magic", json!({}), &[], "no adapter `magic`"),
    ] {
        let reason = after(name, options, labels, &three).err().unwrap();
        assert!(reason.contains(word), "{reason}");
    }
}
