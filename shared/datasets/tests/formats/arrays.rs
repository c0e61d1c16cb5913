//! NPY, NPZ and safetensors.

use archive::Pack;
use flate2::{Compression, Crc, write::DeflateEncoder};
use protocol::{
    dataset::{File, Format::Npy, Format::Npz, Format::Safetensors, Values},
    tensor::{Dtype, Named, Tensor, to_safetensors},
};
use std::io::Write;

use crate::{accepted, labels, refused, types};

/// A file as `numpy.save` writes it.
fn npy(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    with_header(&format!("{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}"), data)
}

fn with_header(header: &str, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(header.len() + 1).unwrap().to_le_bytes();
    [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), b"\n", data].concat()
}

fn f32s(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn i64s(values: &[i64]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

#[test]
fn an_array_stays_where_it_is() {
    let file = npy("'<f4'", "(3, 2)", &f32s(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]));
    let (content, data, index) = accepted(Npy, &file);
    assert_eq!((content.rows, types(&content)), (3, vec![("x", "float32")]));
    assert_eq!(content.schema[0].shape, [2]);
    let statistics = &content.schema[0].statistics;
    assert_eq!(
        (statistics.min, statistics.max, statistics.mean),
        (Some(1.0), Some(6.0), Some(3.5))
    );
    let [x] = &content.layout.arrays[..] else { panic!() };
    assert_eq!(x.offset as usize, file.len() - 24);
    assert_eq!((content.layout.file, content.layout.values), (File::Uploaded, Values::Arrays));
    assert!(data.is_empty() && index.is_empty());
}

#[test]
fn every_type_of_number_is_read() {
    for (descr, element, value) in [
        ("'|b1'", &[1][..], 1.0),
        ("'|i1'", &[0xff], -1.0),
        ("'|u1'", &[0xff], 255.0),
        ("'<i2'", &[0xfe, 0xff], -2.0),
        ("'<u2'", &[0xfe, 0xff], 65534.0),
        ("'<i4'", &[0xfe, 0xff, 0xff, 0xff], -2.0),
        ("'<u4'", &[1, 0, 0, 0x80], 2_147_483_649.0),
        ("'<i8'", &[0xff; 8], -1.0),
        ("'<u8'", &[0, 1, 0, 0, 0, 0, 0, 0], 256.0),
        ("'<f2'", &[0, 0x3c], 1.0),
        ("'<f8'", &[0, 0, 0, 0, 0, 0, 0xf8, 0x3f], 1.5),
    ] {
        let (content, ..) = accepted(Npy, npy(descr, "(1,)", element));
        assert_eq!(content.schema[0].statistics.mean, Some(value), "{descr}");
    }
}

#[test]
fn a_refusal_says_which_array_and_where() {
    let two = f32s(&[1.0, f32::NAN]);
    for (file, words) in [
        (npy("'<f4'", "(2, 1)", &two), "array `x` has NaN in row 1 (element 0 of it"),
        (npy("'<f4'", "(3,)", &two), "takes"),
        (npy("'<f4'", "()", &two[..4]), "a single value"),
        (npy("'<f4'", "(0, 2)", &[]), "has 0 rows"),
        (npy("'<f4'", "(1, 0)", &[]), "rows without values"),
        (npy("'<f4'", "(1, 9999999999, 9999999999)", &[]), "rows of too many bytes"),
        (npy("'<f4'", "(99999999999,)", &[]), "has 99999999999 rows"),
        (npy("'>f4'", "(2,)", &two), "order of other machines"),
        (npy("'|O'", "(2,)", &two), "never unpickled"),
        (npy("'<U4'", "(2,)", &two), "only numbers and booleans"),
        (npy("[('a', '<f4')]", "(2,)", &two), "an array for each of their fields"),
        (npy("'|b1'", "(1,)", &[2]), "booleans that are not 0 or 1"),
        (with_header("{'descr': '<f4'}", &two), "its header is incomplete"),
        (
            with_header("{'descr': '<f4', 'fortran_order': True, 'shape': (1, 2)}", &two),
            "numpy.ascontiguousarray",
        ),
        (b"\x93NUMPY\x01\x00\xff".to_vec(), "it ends early"),
        (b"PK\x03\x04 and so on".to_vec(), "does not begin as one"),
    ] {
        let why = refused(Npy, file);
        assert!(why.contains(words), "{words}: {why}");
    }
}

fn npz(arrays: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut pack = Pack::new(Vec::new());
    for (name, file) in arrays {
        pack.add(&format!("{name}.npy"), file).unwrap();
    }
    pack.finish().unwrap()
}

#[test]
fn arrays_of_an_archive_stay_where_they_are() {
    let x = npy("'<f4'", "(3, 2)", &f32s(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]));
    let y = npy("'<i8'", "(3,)", &i64s(&[4, 0, 4]));
    let file = npz(&[("x", x), ("y", y)]);
    let (content, data, _) = accepted(Npz, &file);
    assert_eq!((content.rows, labels(&content)), (3, vec![("0", 1), ("4", 2)]));
    let [x, y] = &content.layout.arrays[..] else { panic!() };
    assert_eq!(file[x.offset as usize + 8..][..4], 3_f32.to_le_bytes());
    assert_eq!(file[y.offset as usize..][..8], 4_i64.to_le_bytes());
    assert_eq!((content.layout.file, data.len()), (File::Uploaded, 0));
}

/// As `numpy.savez_compressed`: an archive of one deflated entry, whose directory says `size`.
fn deflated(name: &str, contents: &[u8], size: usize) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(contents).unwrap();
    let stored = encoder.finish().unwrap();
    let mut crc = Crc::new();
    crc.update(contents);
    let mut about = vec![20, 0, 0, 0, 8, 0, 0, 0, 0, 0];
    for field in [crc.sum(), stored.len() as u32, size as u32] {
        about.extend(field.to_le_bytes());
    }
    about.extend((name.len() as u16).to_le_bytes());
    about.extend([0; 2]);
    let mut file = [b"PK\x03\x04", &about[..], name.as_bytes(), &stored].concat();
    let start = file.len() as u32;
    file.extend(b"PK\x01\x02\x14\0");
    file.extend(&about);
    file.extend([0; 14]);
    file.extend(name.as_bytes());
    let length = file.len() as u32 - start;
    file.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    file.extend(length.to_le_bytes());
    file.extend(start.to_le_bytes());
    file.extend([0; 2]);
    file
}

#[test]
fn deflated_arrays_are_written_anew() {
    let data = f32s(&[1.5; 1000]);
    let array = npy("'<f4'", "(10, 100)", &data);
    let (content, written, _) = accepted(Npz, deflated("x.npy", &array, array.len()));
    assert_eq!((content.rows, content.layout.file), (10, File::Written));
    assert_eq!(content.layout.arrays[0].offset, 0);
    assert_eq!(written, data);
}

#[test]
fn an_archive_that_unpacks_to_more_than_it_says_is_refused_before_it_does() {
    let array = npy("'<f4'", "(250000, 4)", &vec![0; 4_000_000]);
    let lie = deflated("x.npy", &array, array.len() - 100);
    let why = refused(Npz, lie);
    assert!(why.contains("as its header says it takes"), "{why}");
    let short = npy("'<f4'", "(25, 4)", &vec![0; 400]);
    let longer = [&short[..], &vec![0; 4_000_000]].concat();
    let why = refused(Npz, deflated("x.npy", &longer, short.len()));
    assert!(why.contains("`x.npy` is damaged, too long"), "{why}");
    let bomb = deflated("x.npy", &short, 3 << 30);
    let why = refused(Npz, bomb);
    assert!(why.contains("unpacks to 3221225472 bytes, over the limit"), "{why}");
    let mut damaged = npz(&[("x", short)]);
    damaged[150] ^= 0xff;
    let why = refused(Npz, damaged);
    assert!(why.contains("`x.npy` is damaged"), "{why}");
}

#[test]
fn arrays_of_an_archive_belong_together() {
    let one = |shape: &str, count: usize| npy("'<f4'", shape, &f32s(&vec![0.0; count]));
    let why = refused(Npz, npz(&[("x", one("(2,)", 2)), ("y", one("(3,)", 3))]));
    assert_eq!(why, "the array `x` has 2 rows and `y` has 3; all arrays need as many");
    let mut pack = Pack::new(Vec::new());
    pack.add("readme.txt", b"hello").unwrap();
    let why = refused(Npz, pack.finish().unwrap());
    assert!(why.contains("`readme.txt` is no array"), "{why}");
    assert!(refused(Npz, npz(&[])).contains("no zip archive"), "an empty archive has no entry");
}

fn tensors() -> Vec<u8> {
    let named = |name: &str, tensor| Named { name: name.to_owned(), tensor };
    let y = Tensor { dtype: Dtype::Uint8, shape: vec![2], data: vec![1, 1].into() };
    let x = Tensor::from_f32(vec![2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    to_safetensors(&[named("y", y), named("x", x)]).to_vec()
}

#[test]
fn safetensors_stay_where_they_are() {
    let file = tensors();
    let (content, ..) = accepted(Safetensors, &file);
    assert_eq!((content.rows, labels(&content)), (2, vec![("1", 2)]));
    let x = content.layout.arrays.iter().find(|array| array.name == "x").unwrap();
    assert_eq!(file[x.offset as usize + 12..][..4], 4_f32.to_le_bytes());
}

#[test]
fn safetensors_that_lie_are_refused() {
    let mut longer = tensors();
    longer.push(0);
    let header = |json: &str, data: usize| {
        [&(json.len() as u64).to_le_bytes()[..], json.as_bytes(), &vec![0; data]].concat()
    };
    for (file, words) in [
        (longer, "longer or shorter than its header says"),
        (vec![0xff; 16], "its header would have"),
        (vec![1], "too short"),
        (header("{}", 0), "holds no array"),
        (header("{\"x\":", 0), "not a safetensors file"),
        (header(r#"{"x":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}"#, 4), "BF16"),
        (
            header(r#"{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#, 4),
            "safetensors file",
        ),
    ] {
        let why = refused(Safetensors, file);
        assert!(why.contains(words), "{words}: {why}");
    }
}
