//! `dcmp dataset`: small files, large ones, folders of images; listed, shown, deleted.

use std::{fmt::Write, fs};

use ports::Checksum;
use serde_json::{Value, json};

use crate::{shell::Shell, support::Platform};

/// A table of two parts of the usual size.
fn table() -> String {
    let mut file = String::from("a,b\n");
    for row in 0..800_000 {
        writeln!(file, "{row},{}.25", row % 1000).unwrap();
    }
    assert!(((8 << 20)..(16 << 20)).contains(&file.len()));
    file
}

/// A PNG of one pixel.
const PIXEL: &[u8] =
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\0\0\0\0\x3a\x7e\x9b\x55\
    \0\0\0\nIDAT\x78\x9c\x63\x60\0\0\0\x02\0\x01\x48\xaf\xa4\x71\0\0\0\0IEND\xae\x42\x60\x82";

#[test]
fn a_small_file_is_uploaded_shown_listed_and_deleted() {
    let platform = Platform::without_own_device();
    let shell = Shell::of(&platform);
    shell.run(&["dataset", "list"]).ended(0).told(&["There are no datasets yet"]);
    shell.file("iris.csv", "sepal,label\n5.1,setosa\n4.9,virginica\n6,setosa\n");
    let uploaded = shell.run(&["dataset", "upload", "iris.csv", "--days", "3"]).ended(0);
    assert_eq!((uploaded.field("name"), uploaded.field("rows")), ("iris", "3"));
    assert_eq!(uploaded.field("column"), "sepal: float64, 4.9 to 6, mean 5.3333");
    assert_eq!(uploaded.field("labels"), "setosa 2, virginica 1");
    let shown = shell.run(&["dataset", "show", "iris"]).ended(0);
    assert_eq!(shown.out, uploaded.out);
    let listed = shell.run(&["dataset", "list"]).ended(0);
    assert!(listed.out.contains(uploaded.field("id")) && listed.out.contains("iris"), "{listed:?}");
    let deleted = shell.json(&["dataset", "delete", "iris", "--json"]);
    assert_eq!(deleted, json!({ "deleted": [uploaded.field("id")] }));
    shell
        .run(&["dataset", "show", "iris"])
        .refused(3, &["no dataset is called", "dcmp dataset list"]);
    shell.file("bad.csv", "a\n1\nnan\n");
    let why = ["line 3, column `a`: `nan` is no finite number"];
    shell.run(&["dataset", "upload", "bad.csv"]).refused(3, &why);
    shell.run(&["dataset", "upload", "bad.csv", "--parts"]).refused(3, &["rejected", why[0]]);
    shell.run(&["dataset", "upload", "nowhere.csv"]).refused(2, &["cannot read nowhere.csv"]);
}

#[test]
fn a_folder_of_images_is_packed_on_the_way() {
    let platform = Platform::without_own_device();
    let shell = Shell::of(&platform);
    for (folder, file) in [("cat", "1.png"), ("dog", "2.png"), ("dog", "3.PNG")] {
        fs::create_dir_all(shell.home().join("pets").join(folder)).unwrap();
        fs::write(shell.home().join("pets").join(folder).join(file), PIXEL).unwrap();
    }
    shell.file("pets/notes.txt", "not an image");
    let uploaded = shell.run(&["dataset", "upload", "pets"]).ended(0);
    assert_eq!((uploaded.field("name"), uploaded.field("format")), ("pets", "images"));
    assert_eq!(uploaded.field("labels"), "cat 1, dog 2");
    assert_eq!(uploaded.field("column"), "image: image, 1 to 1 × 1 to 1 pixels");
    fs::create_dir(shell.home().join("empty")).unwrap();
    shell.run(&["dataset", "upload", "empty"]).refused(2, &["holds no .jpg, .png or .webp"]);
}

#[tokio::test]
async fn a_large_file_goes_on_where_it_was_interrupted() {
    const PART: usize = 8 << 20;
    let platform = Platform::without_own_device();
    let file = table();
    let checksum = Checksum::of(file.as_bytes()).to_string();
    let body = json!({ "file_name": "rows.csv", "size": file.len(), "checksum": checksum });
    let (_, begun) = platform.client.post("/datasets", body).await;
    let id = begun["id"].as_str().unwrap();
    let first = &file.as_bytes()[..PART];
    let wanted = json!({ "parts": [{ "number": 1, "checksum": Checksum::of(first).to_string() }] });
    let (_, signed) = platform.client.post(&format!("/datasets/{id}/upload/parts"), wanted).await;
    let url = signed["parts"][0]["url"].as_str().unwrap();
    platform.client.http.put(url).body(first.to_vec()).send().await.unwrap();

    let shell = Shell::of(&platform);
    shell.file("rows.csv", &file);
    let resumed = shell.run(&["dataset", "upload", "rows.csv"]).ended(0);
    assert_eq!((resumed.field("id"), resumed.field("status")), (id, "ready"));
    assert_eq!(resumed.field("rows"), "800000");
    resumed.told(&["going on with an upload of rows.csv: 1 of 2 parts are there"]);
    let (_, list) = platform.client.get("/datasets").await;
    assert_eq!(list["total"], Value::from(1));
}
