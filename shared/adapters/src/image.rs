//! `image_classification`: pictures as base64 become the pixels that the network was trained on, by
//! torchvision's conventions: shorter side resized, centre cropped, scaled, normalised.

use base64::{Engine, engine::general_purpose::STANDARD};
use protocol::{rest::errors::Detail, tensor::Spec};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{
    before::{MAX_BYTES, Made, Several, detail},
    numbers, options,
};

mod decode;
mod normalise;
mod resize;

use normalise::Normalise;
use resize::Fit;

/// `x-adapter` of an image model's `input_schema`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Options {
    /// `[height, width]` of a model whose own are open.
    size: Option<[u32; 2]>,
    resize: Option<resize::Target>,
    crop: resize::Crop,
    interpolation: resize::Interpolation,
    layout: Option<Layout>,
    channel_order: normalise::Order,
    /// What pixels of 0 to 255 are multiplied with; 1/255 by default.
    scale: Option<f32>,
    mean: Option<normalise::PerChannel>,
    std: Option<normalise::PerChannel>,
}

/// Where the channels are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Layout {
    Nchw,
    Nhwc,
}

/// The adapter for one model.
pub(crate) struct Images {
    spec: Spec,
    channels: usize,
    fit: Fit,
    normalise: Normalise,
}

impl Images {
    pub(crate) fn new(
        schema: Option<&Map<String, Value>>,
        inputs: &[Spec],
    ) -> Result<Self, String> {
        let options: Options = options::read(schema)?;
        let [spec] = inputs else {
            return Err(format!("needs a model with one input, this has {}", inputs.len()));
        };
        let (layout, channels, size) = layout(spec, options.layout)?;
        let [height, width] = match (size, options.size) {
            ([Some(height), Some(width)], None) => [height, width],
            ([height, width], Some([h, w]))
                if height.is_none_or(|height| height == h)
                    && width.is_none_or(|width| width == w) =>
            {
                [h, w]
            }
            (_, Some(given)) => {
                let shape = spec.shape_text();
                return Err(format!("x-adapter.size is {given:?}, but the model takes {shape}"));
            }
            _ => {
                let shape = spec.shape_text();
                return Err(format!(
                    "the model takes {shape}; set x-adapter.size to [height, width]"
                ));
            }
        };
        let fit = Fit::new(height, width, options.resize, options.crop, options.interpolation)?;
        let normalise = Normalise::new(
            normalise::Shape { height, width, channels, first: layout == Layout::Nchw },
            spec.dtype,
            options.channel_order,
            options.scale,
            options.mean,
            options.std,
        )?;
        let mut spec = spec.clone();
        // what was open is known now
        let open = match layout {
            Layout::Nchw => [channels, height as usize, width as usize],
            Layout::Nhwc => [height as usize, width as usize, channels],
        };
        spec.shape.truncate(1);
        spec.shape.extend(open.map(Some));
        Ok(Self { spec, channels, fit, normalise })
    }

    pub(crate) fn run(&self, input: Value) -> Result<Made, Vec<Detail>> {
        let (pictures, many) = pictures(input)?;
        let one = |fault: Detail| vec![fault];
        let shape = numbers::batched(&self.spec, pictures.len())
            .map_err(|message| one(detail("input", message)))?;
        let bytes = self.spec.bytes(pictures.len()).unwrap_or(usize::MAX);
        if bytes > MAX_BYTES {
            let message = format!(
                "{} images make {bytes} bytes of tensors, and {MAX_BYTES} are allowed; send fewer at a time",
                pictures.len()
            );
            return Err(one(detail("input", message)));
        }
        // what the files say is added up before any is decoded
        let mut files = Vec::with_capacity(pictures.len());
        let mut in_all = 0;
        for (path, text) in pictures {
            let read = self::bytes(&text).and_then(|file| Ok((decode::pixels(&file)?, file)));
            let (pixels, file) = read.map_err(|message| one(detail(&path, message)))?;
            in_all += pixels;
            if in_all > decode::MAX_IN_ALL {
                let message = format!(
                    "the images have more than {} pixels together; send fewer at a time, or send them smaller",
                    decode::MAX_IN_ALL
                );
                return Err(one(detail("input", message)));
            }
            files.push((path, file));
        }
        let mut data = Vec::with_capacity(bytes);
        for (path, file) in files {
            let pixels = self.pixels(&file).map_err(|message| one(detail(path, message)))?;
            // the plan is ours, and its shapes are known: what fails here is not the caller's fault,
            // but it is the caller who must know
            let tensor = self.normalise.run(&pixels).map_err(|m| one(detail("input", m)))?;
            data.extend_from_slice(tensor.as_bytes());
        }
        Ok(Made { tensors: vec![numbers::named(&self.spec, shape, data)], many })
    }

    /// The pixels of the model's size: height, width, channel.
    fn pixels(&self, file: &[u8]) -> Result<Vec<u8>, String> {
        let picture = decode::decode(file, self.channels)?;
        self.fit.run(picture)
    }
}

/// Where the channels are, how many, and what is known of `[height, width]`.
fn layout(spec: &Spec, asked: Option<Layout>) -> Result<(Layout, usize, [Option<u32>; 2]), String> {
    let unfit = || {
        format!(
            "needs a model that takes [N, channels, height, width] or [N, height, width, channels] with 1 or 3 channels; this takes {}",
            spec.shape_text()
        )
    };
    let &[_, a, b, c] = spec.shape.as_slice() else { return Err(unfit()) };
    let is_channels = |dim: Option<usize>| matches!(dim, Some(1 | 3));
    let layout = match asked {
        Some(layout) => layout,
        None if is_channels(a) => Layout::Nchw,
        None if is_channels(c) => Layout::Nhwc,
        None => return Err(unfit()),
    };
    let (channels, size) = match layout {
        Layout::Nchw => (a, [b, c]),
        Layout::Nhwc => (c, [a, b]),
    };
    let channels = channels.filter(|channels| matches!(channels, 1 | 3)).ok_or_else(unfit)?;
    let side = |dim: Option<usize>| dim.map(|dim| u32::try_from(dim).unwrap_or(u32::MAX));
    Ok((layout, channels, size.map(side)))
}

/// The texts of all images with their paths, and whether they came as a list.
fn pictures(input: Value) -> Result<Several<String>, Vec<Detail>> {
    let (list, path) = match input {
        Value::Array(list) => (list, "input"),
        Value::Object(mut fields) => match fields.remove("images") {
            Some(Value::Array(list)) => (list, "input.images"),
            Some(_) => return Err(vec![detail("input.images", "expected a list of images")]),
            None => return Ok((vec![picture(Value::Object(fields), "input")?], false)),
        },
        other => return Ok((vec![picture(other, "input")?], false)),
    };
    if list.is_empty() {
        return Err(vec![detail(path, "is empty; send at least one image")]);
    }
    let all = list.into_iter().enumerate();
    let pictures = all.map(|(index, value)| picture(value, &format!("{path}[{index}]")));
    Ok((pictures.collect::<Result<_, _>>()?, true))
}

fn picture(value: Value, path: &str) -> Result<(String, String), Vec<Detail>> {
    let expected = |path: String| {
        let message = "expected a JPEG, PNG or WebP image as base64 or as a data URI, or {\"image\": \"…\"}; to send tensors as they are, set \"raw\": true";
        vec![detail(path, message)]
    };
    match value {
        Value::String(text) => Ok((path.to_owned(), text)),
        Value::Object(mut fields) => {
            let path = format!("{path}.image");
            match fields.remove("image") {
                Some(Value::String(text)) => Ok((path, text)),
                _ => Err(expected(path)),
            }
        }
        _ => Err(expected(path.to_owned())),
    }
}

/// What the base64 stands for; a data URI's head and line breaks are left out.
fn bytes(text: &str) -> Result<Vec<u8>, String> {
    let base64 = match text.strip_prefix("data:") {
        Some(uri) => match uri.split_once(',') {
            Some((head, data)) if head.ends_with(";base64") => data,
            _ => return Err("expected a data URI such as data:image/png;base64,…".to_owned()),
        },
        None => text,
    };
    let compact: String = base64.split_ascii_whitespace().collect();
    STANDARD.decode(compact).map_err(|error| format!("not standard base64: {error}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use protocol::tensor::Dtype;
    use serde_json::json;

    use super::*;

    fn spec(shape: &[Option<usize>]) -> Spec {
        Spec { name: "x".to_owned(), dtype: Dtype::Float32, shape: shape.to_vec() }
    }

    fn refused(options: Value, shape: &[Option<usize>]) -> String {
        let schema = json!({ "x-adapter": options });
        Images::new(schema.as_object(), &[spec(shape)]).err().unwrap()
    }

    #[test]
    fn options_and_models_that_do_not_fit_are_named() {
        let usual = [None, Some(3), Some(8), Some(8)];
        for (options, shape, word) in [
            (json!({}), &[None, Some(10)][..], "[N, channels, height, width]"),
            (json!({}), &[None, Some(4), Some(8), Some(8)], "1 or 3 channels"),
            (json!({}), &[None, Some(3), None, None], "x-adapter.size"),
            (json!({ "size": [9, 8] }), &usual, "x-adapter.size is [9, 8]"),
            (json!({ "layout": "nhwc" }), &usual, "1 or 3 channels"),
            (json!({ "resize": 7 }), &usual, "x-adapter.resize"),
            (json!({ "resize": [8, 7] }), &usual, "x-adapter.resize"),
            (json!({ "resize": "big" }), &usual, "x-adapter"),
            (json!({ "crop": "left" }), &usual, "`left`"),
            (json!({ "interpolation": "magic" }), &usual, "`magic`"),
            (json!({ "mean": [0.5] }), &usual, "x-adapter.mean"),
            (json!({ "std": [1, 0, 1] }), &usual, "x-adapter.std"),
            (json!({ "scale": 1e39 }), &usual, "x-adapter.scale"),
            (json!({}), &[None, Some(3), Some(100_000), Some(100_000)], "pixels"),
        ] {
            let reason = refused(options.clone(), shape);
            assert!(reason.contains(word), "{options}: {reason}");
        }
    }

    #[test]
    fn the_pixels_of_all_images_are_bounded() {
        let images = Images::new(None, &[spec(&[None, Some(3), Some(8), Some(8)])]).unwrap();
        let mut png = std::io::Cursor::new(Vec::new());
        let largest = image::GrayImage::new(4_800, 5_000);
        largest.write_to(&mut png, image::ImageFormat::Png).unwrap();
        let largest = STANDARD.encode(png.into_inner());
        assert!(images.run(json!(largest)).is_ok());
        let faults = images.run(json!(vec![largest; 5])).unwrap_err();
        assert_eq!(faults[0].path, "input");
        assert!(faults[0].message.contains("96000000 pixels together"), "{faults:?}");
    }

    #[test]
    fn what_is_no_image_is_named_with_its_place() {
        let images = Images::new(None, &[spec(&[None, Some(3), Some(8), Some(8)])]).unwrap();
        let fixed = Images::new(None, &[spec(&[Some(1), Some(3), Some(8), Some(8)])]).unwrap();
        let gif = STANDARD.encode(b"GIF89a\x01\x00\x01\x00");
        for (images, input, path, word) in [
            (&images, json!(12), "input", "base64"),
            (&images, json!({ "data": [1], "shape": [1] }), "input.image", "\"raw\": true"),
            (&images, json!({ "image": 1 }), "input.image", "base64"),
            (&images, json!("%%%"), "input", "not standard base64"),
            (&images, json!("data:image/png,abc"), "input", "data URI"),
            (&images, json!({ "images": ["AAAA"] }), "input.images[0]", "JPEG, PNG or WebP"),
            (&images, json!([{ "image": gif }]), "input[0].image", "JPEG, PNG or WebP"),
            (&images, json!([]), "input", "empty"),
            (&fixed, json!(["AAAA", "AAAA"]), "input", "exactly 1"),
        ] {
            let faults = images.run(input.clone()).unwrap_err();
            assert_eq!(faults[0].path, path, "{input}");
            assert!(faults[0].message.contains(word), "{input}: {}", faults[0].message);
        }
    }
}
