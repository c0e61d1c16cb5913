//! Rows are read where they are, in every format.

use ports::{Condition, Key, Write};
use protocol::tensor::{Dtype, Named, Tensor};
use service::{Error, datasets};

use crate::world::{CUSTOMER, World, f32s, npy};

#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_numbers_is_an_array_and_its_rows_are_objects() {
    let world = World::new();
    let csv = "sepal,petal,label\n5.1,3,setosa\n4.9,2.5,virginica\n6,1,setosa\n";
    let dataset = world.dataset("iris.csv", csv).await;
    assert_eq!(dataset.rows, 3);
    let arrays: Vec<_> = dataset.arrays().iter().map(|array| (&*array.name, array.dtype)).collect();
    assert_eq!(arrays, [("x", Dtype::Float32), ("y", Dtype::Int64)]);
    let read = datasets::read_tensors(&world.app, &dataset, &["x", "y"], 1..3).await.unwrap();
    let x = Tensor::from_f32(vec![2, 2], &[4.9, 2.5, 6.0, 1.0]);
    let y = [1_i64, 0].iter().flat_map(|class| class.to_le_bytes()).collect::<Vec<_>>();
    let y = Tensor { dtype: Dtype::Int64, shape: vec![2], data: y.into() };
    assert_eq!(read, [named("x", x), named("y", y)]);
    let values = world.values(&dataset, 0, 10, 1 << 20).await;
    assert_eq!(
        values,
        [r#"{"sepal":5.1,"petal":3}"#, r#"{"sepal":4.9,"petal":2.5}"#, r#"{"sepal":6,"petal":1}"#]
    );
    // one at least, however little room there is
    assert_eq!(world.values(&dataset, 1, 10, 1).await, [r#"{"sepal":4.9,"petal":2.5}"#]);
    assert_eq!(world.values(&dataset, 1, 1, 1 << 20).await.len(), 1);
    assert_eq!(world.values(&dataset, 3, 10, 1 << 20).await, Vec::<String>::new());
    let beyond = datasets::read_tensors(&world.app, &dataset, &["x"], 2..4).await.unwrap_err();
    assert!(beyond.to_string().contains("has the rows 0 to 2"), "{beyond}");
    let unknown = datasets::read_tensors(&world.app, &dataset, &["z"], 0..1).await.unwrap_err();
    assert!(unknown.to_string().contains("no array `z`; it has x, y"), "{unknown}");
    // what came is not kept beside what was made of it
    assert_eq!(world.files().len(), 2, "{:?}", world.files());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_with_texts_and_gaps_is_read_by_an_index() {
    let world = World::new();
    let csv = "name,age,member,label\n\"Ann \"\"A\"\"\",30,true,1\nBéa,,FALSE,0\n\"two\nlines\",1e-3,true,1\n";
    let dataset = world.dataset("people.csv", csv).await;
    let values = world.values(&dataset, 0, 10, 1 << 20).await;
    assert_eq!(
        values,
        [
            r#"{"name":"Ann \"A\"","age":30.0,"member":true}"#,
            r#"{"name":"Béa","age":null,"member":false}"#,
            r#"{"name":"two\nlines","age":0.001,"member":true}"#
        ]
    );
    assert_eq!(world.values(&dataset, 2, 10, 1).await, values[2..]);
    // the labels can be learned all the same
    let y = datasets::read_tensors(&world.app, &dataset, &["y"], 0..3).await.unwrap();
    assert_eq!(y[0].tensor.to_f64(), [1.0, 0.0, 1.0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_of_json_are_as_they_came() {
    let world = World::new();
    let lines = "\u{feff}{\"a\": [1, 2]}\r\n\n \"text\" \n[0.5]\n\n7";
    let dataset = world.dataset("rows.jsonl", lines).await;
    assert_eq!(dataset.rows, 4);
    let values = world.values(&dataset, 0, 10, 1 << 20).await;
    assert_eq!(values, [r#"{"a": [1, 2]}"#, r#""text""#, "[0.5]", "7"]);
    assert_eq!(world.values(&dataset, 1, 2, 1 << 20).await, values[1..3]);
    assert_eq!(world.values(&dataset, 3, 1, 0).await, values[3..]);
    assert!(dataset.arrays().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_an_array_are_tensors_of_one_row() {
    let world = World::new();
    let data = f32s(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let dataset = world.dataset("x.npy", npy("<f4", "(3, 2)", &data)).await;
    let read = datasets::read_tensors(&world.app, &dataset, &["x"], 1..3).await.unwrap();
    assert_eq!(read, [named("x", Tensor::from_f32(vec![2, 2], &[3.0, 4.0, 5.0, 6.0]))]);
    let values = world.values(&dataset, 2, 10, 1 << 20).await;
    let value: serde_json::Value = serde_json::from_str(&values[0]).unwrap();
    assert_eq!(value["shape"], serde_json::json!([1, 2]));
    assert_eq!(value["dtype"], "float32");
    assert_eq!(value["data_b64"], "AACgQAAAwEA=");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_file_leaves_nothing() {
    let world = World::new();
    let why = world.refused("rows.csv", "a,b\n1,2\n3\n").await;
    assert_eq!(why, "file: line 3 has 1 fields, the header has 2");
    assert_eq!(world.files(), Vec::<std::path::PathBuf>::new());
    let page = datasets::list(&world.app, CUSTOMER, None, 10).await.unwrap();
    assert_eq!(page.total, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_elses_dataset_is_not_there() {
    let world = World::new();
    let dataset = world.dataset("rows.csv", "a\n1\n").await;
    for customer in ["cust_2", ""] {
        let found = datasets::find(&world.app, customer, &dataset.id).await;
        assert!(matches!(found, Err(Error::NotFound(_))), "{found:?}");
    }
    datasets::delete(&world.app, CUSTOMER, &dataset.id).await.unwrap();
    assert!(matches!(
        datasets::find(&world.app, CUSTOMER, &dataset.id).await,
        Err(Error::NotFound(_))
    ));
    assert_eq!(world.files(), Vec::<std::path::PathBuf>::new());
}

/// As the store does when the time is over: the row goes, and the feed tells.
#[tokio::test(flavor = "multi_thread")]
async fn the_files_of_a_dataset_go_with_its_row() {
    let world = World::new();
    let dataset = world.dataset("rows.csv", "a,b\n1,x\n").await;
    assert_eq!(world.files().len(), 3, "rows, index, content: {:?}", world.files());
    world.fold().await;
    let row = Key::new(format!("DATASET#{}", dataset.id), "HEAD");
    world.app.ports.records.write(Write::delete(row, Condition::Exists)).await.unwrap();
    world.fold().await;
    assert_eq!(world.files(), Vec::<std::path::PathBuf>::new());
    assert_eq!(datasets::list(&world.app, CUSTOMER, None, 10).await.unwrap().total, 0);
}

fn named(name: &str, tensor: Tensor) -> Named {
    Named { name: name.to_owned(), tensor }
}
