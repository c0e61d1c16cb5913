//! Archives of images.

use std::io::Cursor;

use archive::Pack;
use image::{DynamicImage, ImageFormat};
use protocol::{
    dataset::{Format::Images, Values},
    tensor::Dtype,
};

use crate::{accepted, labels, offsets, refused};

fn png(width: u32, height: u32) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    DynamicImage::new_rgb8(width, height).write_to(&mut file, ImageFormat::Png).unwrap();
    file.into_inner()
}

fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut pack = Pack::new(Vec::new());
    for (path, file) in files {
        pack.add(path, file).unwrap();
    }
    pack.finish().unwrap()
}

#[test]
fn folders_are_labels() {
    let (small, wide) = (png(2, 3), png(5, 1));
    let file = zip(&[
        ("pets/", b""),
        ("pets/dog/b.png", &wide),
        ("pets/cat/a.png", &small),
        ("pets/cat/more/c.png", &small),
        ("pets/.DS_Store", b"x"),
        ("__MACOSX/pets/cat/._a.png", b"x"),
    ]);
    let (content, data, index) = accepted(Images, file);
    assert_eq!((content.rows, labels(&content)), (3, vec![("cat", 2), ("dog", 1)]));
    let statistics = &content.schema[0].statistics;
    assert_eq!((statistics.width, statistics.height), (Some([2, 5]), Some([1, 3])));
    let offsets = offsets(&index);
    assert_eq!(offsets.len(), 4);
    assert_eq!(data[..offsets[1] as usize], wide);
    assert_eq!(data[offsets[2] as usize..offsets[3] as usize], small);
    let [y] = &content.layout.arrays[..] else { panic!() };
    assert_eq!((y.dtype, y.offset), (Dtype::Int64, offsets[3]));
    let classes: Vec<u8> = [1_i64, 0, 0].iter().flat_map(|class| class.to_le_bytes()).collect();
    assert_eq!(data[y.offset as usize..], classes);
    assert_eq!(content.layout.values, Values::Images);
}

#[test]
fn images_of_one_folder_have_no_labels() {
    let image = png(1, 1);
    for paths in [["a.png", "b.png"], ["all/a.png", "all/b.png"]] {
        let (content, ..) = accepted(Images, zip(&paths.map(|path| (path, &image[..]))));
        assert_eq!((content.labels, content.layout.arrays.len()), (None, 0));
    }
}

#[test]
fn a_refusal_says_which_entry() {
    let image = png(1, 1);
    let large = vec![0; 4 << 20];
    for (file, words) in [
        (zip(&[("a.txt", b"hello")]), "`a.txt`: not a JPEG, PNG or WebP image"),
        (zip(&[("a.png", &image[..20])]), "`a.png`: the image cannot be read"),
        (zip(&[("a.png", &large)]), "`a.png` has 4194304 bytes"),
        (zip(&[("a.png", &image), ("cat/b.png", &image)]), "`a.png` lies beside folders"),
        (zip(&[("../a.png", &image)]), "a path that leaves the archive"),
        (zip(&[("cat/", b"")]), "holds no images"),
        (b"no archive".to_vec(), "no zip archive"),
        (zip(&[("a.png", &image)])[..60].to_vec(), "truncated"),
    ] {
        let why = refused(Images, file);
        assert!(why.contains(words), "{words}: {why}");
    }
    // what it says of its size is not believed
    let mut vast = png(1, 1);
    vast[16..20].copy_from_slice(&100_000_u32.to_be_bytes());
    vast[20..24].copy_from_slice(&100_000_u32.to_be_bytes());
    refused(Images, zip(&[("a.png", &vast)]));
}
