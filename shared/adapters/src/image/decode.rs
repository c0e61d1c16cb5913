//! Bytes of a JPEG, PNG or WebP file become upright pixels of one or three channels. What a file
//! says of its size is checked before anything is allocated for it.

use std::io::Cursor;

use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

/// The largest picture that is decoded or made, in pixels: what a camera makes.
pub(super) const MAX_PIXELS: u64 = 24_000_000;

/// What the pictures of one input have together at most, in pixels.
pub(super) const MAX_IN_ALL: u64 = 4 * MAX_PIXELS;

/// What decoding may allocate, in bytes: four channels of the largest picture.
const MAX_ALLOCATION: u64 = 4 * MAX_PIXELS;

/// A picture of 8-bit channels, row by row.
pub(super) struct Picture {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) channels: usize,
    pub(super) data: Vec<u8>,
}

/// How many pixels a picture has, by what its file says. The error is a sentence.
pub(super) fn pixels(bytes: &[u8]) -> Result<u64, String> {
    let (width, height) = open(bytes)?.dimensions();
    Ok(u64::from(width) * u64::from(height))
}

/// The beginning of a picture that is not too large. The error is a sentence.
fn open(bytes: &[u8]) -> Result<impl ImageDecoder + '_, String> {
    let format = image::guess_format(bytes).ok().filter(|format| {
        matches!(format, ImageFormat::Jpeg | ImageFormat::Png | ImageFormat::WebP)
    });
    let Some(format) = format else {
        return Err("not a JPEG, PNG or WebP image".to_owned());
    };
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_ALLOCATION);
    reader.limits(limits);
    let decoder = reader.into_decoder().map_err(damaged)?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if pixels > MAX_PIXELS || decoder.total_bytes() > MAX_ALLOCATION {
        return Err(format!(
            "the image has {width} × {height} pixels, and {MAX_PIXELS} in all are allowed; send it smaller"
        ));
    }
    Ok(decoder)
}

fn damaged(error: image::ImageError) -> String {
    format!("the image cannot be read: {error}")
}

/// Reads a picture; grey becomes colour and colour grey as the model needs, transparency is dropped,
/// as Pillow's `convert` does. The error is a sentence.
pub(super) fn decode(bytes: &[u8], channels: usize) -> Result<Picture, String> {
    if !has_end(bytes) {
        return Err("the image cannot be read: it ends early; send the whole file".to_owned());
    }
    let mut decoder = open(bytes)?;
    let orientation = decoder.orientation().map_err(damaged)?;
    let mut image = DynamicImage::from_decoder(decoder).map_err(damaged)?;
    image.apply_orientation(orientation);
    let (width, height) = (image.width(), image.height());
    let data = match channels {
        1 => grey(image),
        _ => image.into_rgb8().into_raw(),
    };
    Ok(Picture { width, height, channels, data })
}

/// Whether a JPEG whose first scan begins also has an end: of one that was cut off, the decoder makes up
/// the rest. Within a scan, the marker of the end stands for nothing else.
/// <https://www.w3.org/Graphics/JPEG/itu-t81.pdf>, annex B
fn has_end(bytes: &[u8]) -> bool {
    let Some(mut rest) = bytes.strip_prefix(&[0xff, 0xd8]) else { return true };
    while let [0xff, marker, tail @ ..] = rest {
        rest = match (marker, tail) {
            // bytes that fill up
            (0xff, _) => &rest[1..],
            (0xda, _) => return tail.windows(2).any(|pair| pair == [0xff, 0xd9]),
            (0x01 | 0xd0..=0xd7, _) => tail,
            (_, [high, low, ..]) => {
                let length = usize::from(u16::from_be_bytes([*high, *low]));
                tail.get(length..).unwrap_or_default()
            }
            _ => return true,
        };
    }
    true
}

/// The luminance of ITU-R 601, which Pillow and OpenCV use; the image crate's own is of 709.
fn grey(image: DynamicImage) -> Vec<u8> {
    if !image.color().has_color() {
        return image.into_luma8().into_raw();
    }
    let luma = |[r, g, b]: [u8; 3]| {
        let [r, g, b] = [r, g, b].map(u32::from);
        ((r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16) as u8
    };
    image.into_rgb8().pixels().map(|pixel| luma(pixel.0)).collect()
}
