//! CSV.

use protocol::{
    dataset::{File, Format::Csv, Values},
    tensor::Dtype,
};

use crate::{accepted, labels, offsets, refused, types};

#[test]
fn columns_have_types_and_statistics() {
    let file =
        "id,score,ok,name,gap,label\n1,0.5,true,Ann,,a\n2,1.5,FALSE,Bo,7,b\n3,-1,true,Ann,,a\n";
    let (content, ..) = accepted(Csv, file);
    assert_eq!(content.rows, 3);
    assert_eq!(
        types(&content),
        [
            ("id", "int64"),
            ("score", "float64"),
            ("ok", "bool"),
            ("name", "text"),
            ("gap", "int64"),
            ("label", "text")
        ]
    );
    let [id, score, ok, name, gap, _] = &content.schema[..] else { panic!() };
    assert_eq!((id.statistics.min, id.statistics.max), (Some(1.0), Some(3.0)));
    assert!((score.statistics.mean.unwrap() - 1.0 / 3.0).abs() < 1e-12);
    assert!((score.statistics.std.unwrap() - 1.027_402_334_2).abs() < 1e-9);
    assert_eq!((ok.statistics.min, ok.statistics.distinct), (None, None));
    assert_eq!((name.statistics.distinct, name.statistics.missing), (Some(2), 0));
    assert_eq!((gap.statistics.missing, gap.statistics.mean), (2, Some(7.0)));
    assert_eq!(labels(&content), [("a", 2), ("b", 1)]);
}

#[test]
fn numbers_without_gaps_are_one_array() {
    let (content, data, index) = accepted(Csv, "a,label,b\r\n1,7,0.5\r\n-2,9,1e3\r\n");
    assert_eq!(content.layout.file, File::Written);
    assert_eq!(content.layout.values, Values::Table(vec!["a".to_owned(), "b".to_owned()]));
    let [x, y] = &content.layout.arrays[..] else { panic!("{:?}", content.layout) };
    assert_eq!((x.dtype, &x.shape[..], x.offset), (Dtype::Float32, &[2][..], 0));
    assert_eq!((y.dtype, &y.shape[..], y.offset), (Dtype::Int64, &[][..], 16));
    let expected = [1_f32, 0.5, -2.0, 1e3].iter().flat_map(|n| n.to_le_bytes());
    let expected = expected.chain([7_i64, 9].iter().flat_map(|n| n.to_le_bytes()));
    assert_eq!(data, expected.collect::<Vec<u8>>());
    assert!(index.is_empty());
}

#[test]
fn what_float32_would_change_is_float64() {
    for (cell, dtype) in [
        ("16777216", Dtype::Float32),
        ("16777217", Dtype::Float64),
        ("3e38", Dtype::Float32),
        ("1e39", Dtype::Float64),
    ] {
        let (content, ..) = accepted(Csv, format!("a\n{cell}\n"));
        assert_eq!(content.layout.arrays[0].dtype, dtype, "{cell}");
    }
}

#[test]
fn anything_else_is_a_list_on_each_line() {
    let (content, data, index) = accepted(Csv, "a,b\n1,\"x, \"\"y\"\"\"\n,z\n");
    let first = "[1,\"x, \\\"y\\\"\"]\n";
    assert_eq!(data, format!("{first}[null,\"z\"]\n").into_bytes());
    assert_eq!(offsets(&index), [0, first.len() as u64, data.len() as u64]);
    assert_eq!(content.layout.values, Values::Rows(vec!["a".to_owned(), "b".to_owned()]));
    assert_eq!(content.layout.arrays, []);
}

#[test]
fn labels_that_are_not_everywhere_are_not_learned() {
    let (content, ..) = accepted(Csv, "a,label\n1,x\n2,\n");
    assert_eq!(content.layout.arrays.len(), 1);
    assert_eq!(labels(&content), [("x", 1)]);
    let many: String = (0..1001).map(|n| format!("1,l{n}\n")).collect();
    let (content, ..) = accepted(Csv, format!("a,label\n{many}"));
    assert_eq!((content.labels, content.layout.arrays.len()), (None, 1));
}

#[test]
fn a_refusal_says_the_line_and_the_column() {
    for (file, words) in [
        ("a,b\n1,2\n\n3\n", "line 4 has 1 fields, the header has 2"),
        ("a,b\n\"x\ny\",2\n3\n", "line 4 has 1 fields"),
        ("a\n1\nNaN\n", "line 3, column `a`: `NaN` is no finite number"),
        ("a,b\n1,1\n1,1e999\n", "line 3, column `b`: `1e999` is no finite number"),
        ("a,a\n1,2\n", "two columns `a`"),
        ("a,\n1,2\n", "column 2 of the header"),
        ("a;b\n1;2\n", "separated by commas"),
        ("label\n1\n", "the only column is `label`"),
        ("a,b\n", "no rows"),
        ("\n\n", "no header"),
        ("", "the file is empty"),
    ] {
        let why = refused(Csv, file);
        assert!(why.contains(words), "{file:?}: {why}");
    }
    let why = refused(Csv, b"a,b\n1,\xff\n");
    assert!(why.contains("line 2, column `b`: not text in UTF-8"), "{why}");
}

#[test]
fn texts_among_numbers_make_texts_of_them() {
    let (content, data, _) = accepted(Csv, "a\n1\nnan\nx\n");
    assert_eq!(types(&content), [("a", "text")]);
    assert_eq!(data, b"[\"1\"]\n[\"nan\"]\n[\"x\"]\n");
    assert_eq!(content.schema[0].statistics.missing, 0);
}

#[test]
fn a_quote_that_is_never_closed_takes_no_memory() {
    let mut file = b"a,b\n1,\"".to_vec();
    file.resize(9 << 20, b'x');
    let why = refused(Csv, file);
    assert!(why.contains("is a quote not closed?"), "{why}");
    let wide = ["a"; 5000].join(",");
    assert!(refused(Csv, wide).contains("more than 4096 fields"));
}
