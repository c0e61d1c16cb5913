//! Files of datasets, in every format.

use std::io::Cursor;

use base64::{Engine, engine::general_purpose::STANDARD};
use datasets::{Output, read};
use protocol::{
    dataset::{Content, File, Format, Layout, Values},
    tensor::{Named, Tensor, to_safetensors},
};

use crate::{Memory, Target};

pub(super) const TARGET: Target = Target {
    name: "datasets",
    seeds,
    words: &[
        "\n",
        "\r\n",
        ",",
        "\"",
        "\"\"",
        "nan",
        "1e999",
        "true",
        "label",
        "{\"a\":",
        "[[[[[[[[",
        "\u{feff}",
        "\u{0}",
        "'descr': '<f4'",
        "'shape': (99999999999,)",
        "(1, 0)",
        "PK\u{1}\u{2}",
        "PK\u{3}\u{4}",
        "PK\u{5}\u{6}",
        ".npy",
        ".png",
        "{\"x\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
    ],
    read: look,
    // buffers of their own, and the flate stream's window; what is read is also written
    memory: Memory { base: 24 << 20, per_byte: 64 },
    cases: 1_000,
};

const FORMATS: [Format; 6] =
    [Format::Csv, Format::Ndjson, Format::Npy, Format::Npz, Format::Safetensors, Format::Images];

fn seeds() -> Vec<Vec<u8>> {
    let header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }\n";
    let data = [0.5_f32, -1.0].map(f32::to_le_bytes).concat();
    let npy = [b"\x93NUMPY\x01\x00", &[header.len() as u8, 0][..], header, &data].concat();
    let tensor = Named { name: "x".to_owned(), tensor: Tensor::from_f32(vec![1, 2], &[0.5, -1.0]) };
    let pixel = STANDARD.decode(
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==",
    );
    let mut images = archive::Pack::new(Vec::new());
    let mut arrays = archive::Pack::new(Vec::new());
    for folder in ["cat", "dog"] {
        let image = pixel.as_deref().unwrap_or_default();
        images.add(&format!("{folder}/1.png"), image).expect("memory takes it");
        arrays.add(&format!("{folder}.npy"), &npy).expect("memory takes it");
    }
    let mut seeds: Vec<_> = [
        "a,b,label\n1,\"x, \"\"y\"\"\",p\n,z,q\n",
        "a,b\r\n1,0.5\r\n-2,1e3\r\n",
        "{\"a\": 1, \"b\": [1, {\"c\": null}]}\n\n{\"a\": 2.5}\n",
        "[1, 2]\n\"text\"\n7",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec();
    seeds.push(npy);
    seeds.push(to_safetensors(&[tensor]).to_vec());
    seeds.extend([images, arrays].map(|pack| pack.finish().expect("memory takes it")));
    seeds
}

/// Whatever is accepted has its rows where it says; whatever is not has a sentence.
fn look(input: &[u8]) {
    for format in FORMATS {
        let (mut data, mut index) = (Vec::new(), Vec::new());
        let mut output = Output { data: &mut data, index: &mut index };
        let read = read(&mut Cursor::new(input), input.len() as u64, format, &mut output);
        match read.expect("memory is read and written") {
            Ok(content) => assert_found(&content, input, &data, &index),
            Err(refused) => {
                let said = refused.to_string();
                assert!(!said.is_empty() && !said.contains('\n'), "{said:?}");
            }
        }
    }
}

fn assert_found(content: &Content, input: &[u8], data: &[u8], index: &[u8]) {
    let Content { rows, layout: Layout { file, arrays, values }, .. } = content;
    let place = match file {
        File::Uploaded => input,
        File::Written => data,
    };
    assert!(*rows > 0);
    for array in arrays {
        let row = array.row_bytes().expect("rows have a limit");
        assert!(array.offset + rows * row <= place.len() as u64, "{array:?}");
    }
    if matches!(values, Values::Lines | Values::Rows(_) | Values::Images) {
        let offsets = index.chunks_exact(8).filter_map(|bytes| bytes.first_chunk());
        let offsets: Vec<_> = offsets.map(|bytes| u64::from_le_bytes(*bytes)).collect();
        assert_eq!(offsets.len() as u64, rows + 1);
        assert!(offsets.is_sorted() && offsets[*rows as usize] <= place.len() as u64);
    }
    serde_json::to_string(content).expect("numbers are finite");
}
