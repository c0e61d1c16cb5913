//! An archive of images, in the order in which they lie in it. Those in folders have the names of their
//! folders as labels. Their bytes are written one after the other, unpacked, with an index.

use std::{
    collections::BTreeMap,
    io::{Cursor, Read, Seek},
};

use archive::{Contents, Entry, Rules, quoted};
use image::{ImageFormat, ImageReader, Limits};
use protocol::{
    dataset::{Array, Content, Field, File, Label, Layout, Statistics, Values},
    tensor::Dtype,
};

use crate::{
    Output, Problem, Refused,
    npz::{check_size, damaged},
};

/// The largest image, in bytes: what may be sent as one input, as base64 within 4 MB.
const MAX_IMAGE: u64 = 3 << 20;

/// The largest image, in pixels: what the adapters take.
const MAX_PIXELS: u64 = 24_000_000;

/// What reading the head of an image may allocate, in bytes: profiles and texts lie in it.
const MAX_ALLOCATION: u64 = 16 << 20;

/// The most labels.
const MAX_LABELS: usize = 1_000;

const RULES: Rules = Rules {
    what: "a zip archive of images",
    remedy: "pack it again, such as with zip -r",
    max_entries: 65_534,
    max_directory: 16 << 20,
};

pub(crate) fn read(
    file: &mut (impl Read + Seek),
    output: &mut Output<'_>,
) -> Result<Content, Problem> {
    let mut entries = archive::entries(file, &RULES)?;
    entries.retain(|entry| !is_beside(&entry.name));
    check_size(&entries)?;
    entries.sort_by_key(|entry| entry.stored.start);
    if entries.is_empty() {
        return Err(Refused::new("the archive holds no images").into());
    }
    let classes = Classes::of(&entries)?;
    let (mut sizes, mut end) = (Sizes::default(), 0_u64);
    let mut bytes = Vec::new();
    for entry in &entries {
        load(file, entry, &mut bytes).map_err(|problem| damaged(problem, entry))?;
        let (width, height) = dimensions(&bytes)
            .map_err(|why| Refused::new(format!("the entry {}: {why}", quoted(&entry.name))))?;
        sizes.add(width, height, bytes.len() as u64);
        output.index.write_all(&end.to_le_bytes())?;
        output.data.write_all(&bytes)?;
        end += bytes.len() as u64;
    }
    output.index.write_all(&end.to_le_bytes())?;
    let mut arrays = Vec::new();
    if let Some(Classes { of_rows, .. }) = &classes {
        for class in of_rows {
            output.data.write_all(&class.to_le_bytes())?;
        }
        let (name, dtype) = ("y".to_owned(), Dtype::Int64);
        arrays.push(Array { name, dtype, shape: Vec::new(), offset: end });
    }
    let field = Field {
        name: "image".to_owned(),
        dtype: "image".to_owned(),
        shape: Vec::new(),
        statistics: sizes.shown(),
    };
    Ok(Content {
        rows: entries.len() as u64,
        schema: vec![field],
        labels: classes.map(|classes| classes.labels),
        layout: Layout { file: File::Written, arrays, values: Values::Images },
    })
}

/// Folders themselves, and what file managers leave.
fn is_beside(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.is_empty()
        || path.starts_with("__MACOSX/")
        || matches!(name, ".DS_Store" | "Thumbs.db" | "desktop.ini")
}

/// The contents of an entry.
fn load(file: &mut (impl Read + Seek), entry: &Entry, bytes: &mut Vec<u8>) -> Result<(), Problem> {
    bytes.clear();
    if entry.size > MAX_IMAGE {
        return Err(Refused::new(format!(
            "the entry {} has {} bytes; an image may have {MAX_IMAGE}",
            quoted(&entry.name),
            entry.size
        ))
        .into());
    }
    Contents::open(file, entry)?.read_to_end(bytes)?;
    Ok(())
}

/// Width and height of an image, by what its file says.
fn dimensions(bytes: &[u8]) -> Result<(u64, u64), String> {
    let format = image::guess_format(bytes).ok().filter(|format| {
        matches!(format, ImageFormat::Jpeg | ImageFormat::Png | ImageFormat::WebP)
    });
    let format = format.ok_or("not a JPEG, PNG or WebP image")?;
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_ALLOCATION);
    reader.limits(limits);
    let (width, height) =
        reader.into_dimensions().map_err(|error| format!("the image cannot be read: {error}"))?;
    let (width, height) = (u64::from(width), u64::from(height));
    if width == 0 || height == 0 || width * height > MAX_PIXELS {
        return Err(format!(
            "an image of {width} × {height} pixels; at most {MAX_PIXELS} are taken"
        ));
    }
    Ok((width, height))
}

/// The labels by the folders.
struct Classes {
    labels: Vec<Label>,
    /// The position of each row's label among all.
    of_rows: Vec<i64>,
}

impl Classes {
    /// `None` when all images lie in one folder, or in none.
    fn of(entries: &[Entry]) -> Result<Option<Self>, Refused> {
        let top = common(entries);
        let folder =
            |entry: &'_ Entry| entry.name[top..].split_once('/').map(|(name, _)| name.to_owned());
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        let mut without = None;
        for entry in entries {
            match folder(entry) {
                Some(name) => *counts.entry(name).or_default() += 1,
                None => without = Some(entry),
            }
            if counts.len() > MAX_LABELS {
                let message = format!("there are over {MAX_LABELS} folders, each one is a label");
                return Err(Refused::new(message));
            }
        }
        if counts.is_empty() {
            return Ok(None);
        }
        if let Some(entry) = without {
            return Err(Refused::new(format!(
                "the entry {} lies beside folders of images; put it into the folder of its label",
                quoted(&entry.name)
            )));
        }
        let places: BTreeMap<&str, i64> = counts.keys().map(String::as_str).zip(0..).collect();
        let class = |entry: &Entry| {
            let name = entry.name[top..].split('/').next().unwrap_or_default();
            places.get(name).copied().unwrap_or_default()
        };
        let of_rows = entries.iter().map(class).collect();
        let labels =
            counts.iter().map(|(label, count)| Label { label: label.clone(), count: *count });
        Ok(Some(Self { labels: labels.collect(), of_rows }))
    }
}

/// How long the folders are that all paths begin with, in bytes.
fn common(entries: &[Entry]) -> usize {
    let Some(first) = entries.first() else { return 0 };
    let mut length = first.name.rfind('/').map_or(0, |at| at + 1);
    while !entries.iter().all(|entry| entry.name.starts_with(&first.name[..length])) {
        length = first.name[..length - 1].rfind('/').map_or(0, |at| at + 1);
    }
    length
}

/// The least and greatest sizes.
#[derive(Default)]
struct Sizes {
    width: Option<[u64; 2]>,
    height: Option<[u64; 2]>,
    bytes: Option<[u64; 2]>,
}

impl Sizes {
    fn add(&mut self, width: u64, height: u64, bytes: u64) {
        let sizes =
            [(&mut self.width, width), (&mut self.height, height), (&mut self.bytes, bytes)];
        for (seen, size) in sizes {
            let [least, most] = seen.unwrap_or([size; 2]);
            *seen = Some([least.min(size), most.max(size)]);
        }
    }

    fn shown(self) -> Statistics {
        let Self { width, height, bytes } = self;
        Statistics { width, height, bytes, ..Statistics::default() }
    }
}
