//! A picture of any size becomes one of the model's: as torchvision's `Resize` and `CenterCrop`,
//! with Pillow's antialiased filters.

use fast_image_resize::{
    FilterType, PixelTrait, ResizeAlg, ResizeOptions, Resizer,
    images::{TypedImage, TypedImageRef},
    pixels::{U8, U8x3},
};
use serde::Deserialize;

use super::decode::{MAX_PIXELS, Picture};

/// What a picture is resized to before the crop.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(untagged, expecting = "`resize` is the shorter side, such as 256, or [height, width]")]
pub(super) enum Target {
    /// The shorter side, the other in proportion.
    Shorter(u32),
    /// Height and width.
    Exact([u32; 2]),
}

/// What follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Crop {
    /// The middle is cut out.
    #[default]
    Center,
    /// Nothing is cut: the whole picture is stretched to the model's size.
    None,
}

/// The filter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Interpolation {
    Nearest,
    #[default]
    Bilinear,
    Bicubic,
    Lanczos,
}

/// How pictures come to the model's size.
pub(super) struct Fit {
    height: u32,
    width: u32,
    target: Target,
    algorithm: ResizeAlg,
}

impl Fit {
    pub(super) fn new(
        height: u32,
        width: u32,
        target: Option<Target>,
        crop: Crop,
        interpolation: Interpolation,
    ) -> Result<Self, String> {
        let pixels = |[height, width]: [u32; 2]| u64::from(height) * u64::from(width);
        let largest = match target {
            Some(Target::Exact(size)) => pixels(size),
            Some(Target::Shorter(side)) => pixels([side, side]),
            None => 1,
        };
        let size = pixels([height, width]);
        if size == 0 || size.max(largest) > MAX_PIXELS {
            return Err(format!("images of {height} × {width} need 1 to {MAX_PIXELS} pixels"));
        }
        let target = match (crop, target) {
            (Crop::None, _) => Target::Exact([height, width]),
            (Crop::Center, Some(target)) => target,
            // 256 for 224, and so in proportion
            (Crop::Center, None) => {
                let side = u64::from(height.max(width)) * 256 / 224;
                Target::Shorter(u32::try_from(side).unwrap_or(u32::MAX))
            }
        };
        let smallest = match target {
            Target::Shorter(side) => [side, side],
            Target::Exact(size) => size,
        };
        if smallest[0] < height || smallest[1] < width {
            return Err(format!(
                "x-adapter.resize gives {smallest:?}, too small to cut {height} × {width} out of it"
            ));
        }
        let algorithm = match interpolation {
            Interpolation::Nearest => ResizeAlg::Nearest,
            Interpolation::Bilinear => ResizeAlg::Convolution(FilterType::Bilinear),
            Interpolation::Bicubic => ResizeAlg::Convolution(FilterType::CatmullRom),
            Interpolation::Lanczos => ResizeAlg::Convolution(FilterType::Lanczos3),
        };
        Ok(Self { height, width, target, algorithm })
    }

    /// The pixels of the model's size, row by row. The error is a sentence.
    pub(super) fn run(&self, picture: Picture) -> Result<Vec<u8>, String> {
        let [height, width] = match self.target {
            Target::Exact(size) => size,
            Target::Shorter(side) => shorter(side, &picture),
        };
        if u64::from(height) * u64::from(width) > MAX_PIXELS {
            let (w, h) = (picture.width, picture.height);
            return Err(format!(
                "the image is too narrow to be resized, {w} × {h} pixels; crop it first"
            ));
        }
        let channels = picture.channels;
        let resized = self.resize(picture, height, width)?;
        Ok(centre(&resized, [height, width], [self.height, self.width], channels))
    }

    fn resize(&self, picture: Picture, height: u32, width: u32) -> Result<Vec<u8>, String> {
        if (picture.height, picture.width) == (height, width) {
            return Ok(picture.data);
        }
        // by name: code for every other kind of pixels would be most of the resizing
        let resized = match picture.channels {
            1 => resize::<U8>(&picture, height, width, self.algorithm),
            _ => resize::<U8x3>(&picture, height, width, self.algorithm),
        };
        resized.map_err(|error| format!("the image cannot be resized: {error}"))
    }
}

fn resize<P: PixelTrait>(
    picture: &Picture,
    height: u32,
    width: u32,
    algorithm: ResizeAlg,
) -> Result<Vec<u8>, String> {
    let from = TypedImageRef::<P>::from_buffer(picture.width, picture.height, &picture.data)
        .map_err(|error| error.to_string())?;
    let mut data = vec![0; height as usize * width as usize * picture.channels];
    let mut to = TypedImage::<P>::from_buffer(width, height, &mut data)
        .map_err(|error| error.to_string())?;
    let options = ResizeOptions::new().resize_alg(algorithm);
    Resizer::new().resize_typed(&from, &mut to, &options).map_err(|error| error.to_string())?;
    Ok(data)
}

/// Height and width when the shorter side becomes `side`; the longer is cut down to a whole number.
fn shorter(side: u32, picture: &Picture) -> [u32; 2] {
    let (width, height) = (u64::from(picture.width), u64::from(picture.height));
    let longer = |long: u64, short: u64| {
        u32::try_from(u64::from(side) * long / short.max(1)).unwrap_or(u32::MAX)
    };
    if height <= width { [side, longer(width, height)] } else { [longer(height, width), side] }
}

/// The middle of a picture; where it cannot be met, halves are rounded to even, as Python does.
fn centre(data: &[u8], [height, width]: [u32; 2], to: [u32; 2], channels: usize) -> Vec<u8> {
    let margin = |from: u32, to: u32| (f64::from(from - to) / 2.0).round_ties_even() as usize;
    let (top, left) = (margin(height, to[0]), margin(width, to[1]));
    let row = width as usize * channels;
    data.chunks_exact(row)
        .skip(top)
        .take(to[0] as usize)
        .flat_map(|row| &row[left * channels..(left + to[1] as usize) * channels])
        .copied()
        .collect()
}
