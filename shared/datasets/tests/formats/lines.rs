//! NDJSON.

use protocol::dataset::{File, Format::Ndjson, Values};

use crate::{accepted, offsets, refused, types};

#[test]
fn keys_of_objects_are_columns() {
    let file = "{\"a\": 1, \"b\": \"x\"}\n{\"b\": \"y\", \"a\": 2.5, \"c\": [1, {\"d\": null}]}\n\n{\"a\": null, \"b\": true}\n";
    let (content, data, index) = accepted(Ndjson, file);
    assert_eq!(content.rows, 3);
    assert_eq!(types(&content), [("a", "float64"), ("b", "mixed"), ("c", "list")]);
    assert_eq!(content.schema[0].statistics.mean, Some(1.75));
    let missing: Vec<_> = content.schema.iter().map(|field| field.statistics.missing).collect();
    assert_eq!(missing, [1, 0, 2]);
    assert_eq!((content.layout.file, content.layout.values), (File::Uploaded, Values::Lines));
    assert!(data.is_empty());
    let second = file.find('\n').unwrap() as u64 + 1;
    let third = file.rfind("{\"a\"").unwrap() as u64;
    assert_eq!(offsets(&index), [0, second, third, file.len() as u64]);
}

#[test]
fn other_values_are_one_column() {
    let (content, ..) = accepted(Ndjson, "[1, 2]\n[3]");
    assert_eq!(types(&content), [("value", "list")]);
    let (content, ..) = accepted(Ndjson, "1\n18446744073709551615\nnull\n");
    assert_eq!(types(&content), [("value", "float64")]);
    assert_eq!(content.schema[0].statistics.missing, 1);
}

#[test]
fn a_refusal_says_the_line_and_the_column() {
    for (file, words) in [
        ("{}\n\n{\"a\" 1}\n", "line 3, column 6: expected `:`"),
        ("1 2\n", "line 1, column 3: trailing characters"),
        ("{\"a\": NaN}\n", "line 1, column 7: expected value"),
        ("[1e999]\n", "line 1, column 6: number out of range"),
        (" \n\n", "no rows"),
    ] {
        let why = refused(Ndjson, file);
        assert!(why.contains(words), "{file:?}: {why}");
    }
    let deep = format!("1\n{}", "[".repeat(10_000));
    assert!(refused(Ndjson, deep).contains("line 2, column 128: recursion limit exceeded"));
    let long = format!("1\n\"{}\"\n", "x".repeat(4 << 20));
    assert!(refused(Ndjson, long).contains("line 2 is longer than"));
}

#[test]
fn a_million_rows_are_enough() {
    let most = "1\n".repeat(1_000_000);
    assert_eq!(accepted(Ndjson, &most).0.rows, 1_000_000);
    assert!(refused(Ndjson, most + "1").contains("more than 1000000 rows"));
}
