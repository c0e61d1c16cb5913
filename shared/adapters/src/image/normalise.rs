//! Pixels of 0 to 255 become the numbers that the network was trained on: a plan of the engine.

use protocol::tensor::Dtype;
use serde::Deserialize;
use tract_onnx::{
    prelude::{DatumType, DatumTypeExt, IntoTValue, TValue, Tensor, tensor1},
    tract_core::ops::{cast::cast, change_axes::AxisOp, math},
};

use crate::plan::Plan;

/// Mean and deviation of ImageNet's channels, red, green and blue.
const IMAGENET: [[f32; 3]; 2] = [[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]];

/// The order of the channels that the model takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Order {
    #[default]
    Rgb,
    Bgr,
}

/// One number for all channels, or one for each.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "`mean` and `std` are a number or one for each channel")]
pub(super) enum PerChannel {
    All(f32),
    Each(Vec<f32>),
}

/// The pixels of the model's size.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub(super) height: u32,
    pub(super) width: u32,
    pub(super) channels: usize,
    /// The model takes the channels first.
    pub(super) first: bool,
}

/// The arithmetic of one model's pictures.
pub(super) struct Normalise {
    shape: [usize; 3],
    reversed: bool,
    plan: Plan,
}

impl Normalise {
    pub(super) fn new(
        shape: Shape,
        dtype: Dtype,
        order: Order,
        scale: Option<f32>,
        mean: Option<PerChannel>,
        std: Option<PerChannel>,
    ) -> Result<Self, String> {
        let Shape { height, width, channels, first } = shape;
        let to = match dtype {
            Dtype::Float16 => DatumType::F16,
            Dtype::Float32 => DatumType::F32,
            Dtype::Float64 => DatumType::F64,
            Dtype::Uint8 if scale.is_none() && mean.is_none() && std.is_none() => DatumType::U8,
            Dtype::Uint8 => {
                return Err("x-adapter: a model of uint8 takes pixels as they are; leave `scale`, `mean` and `std` out".to_owned());
            }
            other => return Err(format!("needs a model of floats or uint8, this takes {other}")),
        };
        let reversed = order == Order::Bgr && channels == 3;
        let usual = |index: usize, plain: f32| match channels {
            3 => PerChannel::Each(IMAGENET[index].to_vec()),
            _ => PerChannel::All(plain),
        };
        let mean = mean.unwrap_or_else(|| usual(0, 0.0));
        let mut mean = each("mean", mean, channels, |value| value.is_finite())?;
        let std = std.unwrap_or_else(|| usual(1, 1.0));
        let mut std = each("std", std, channels, |value| value.is_normal())?;
        if reversed {
            mean.reverse();
            std.reverse();
        }
        if scale.is_some_and(|scale| !scale.is_finite()) {
            return Err(
                "x-adapter.scale: expected a finite number, such as 0.00392156862".to_owned()
            );
        }
        let shape = [height as usize, width as usize, channels];
        let plan = Plan::new(DatumType::U8.fact(shape), |graph, pixels| {
            let mut value = pixels;
            if to != DatumType::U8 {
                value = graph.node(cast(DatumType::F32), &[value])?;
                // dividing by 255 is not quite multiplying with its inverse
                let (op, factor) = match scale {
                    Some(scale) => (math::mul(), scale),
                    None => (math::div(), 255.0),
                };
                let factor = graph.constant(channelwise(&vec![factor; channels])?)?;
                value = graph.node(op, &[value, factor])?;
                let mean = graph.constant(channelwise(&mean)?)?;
                value = graph.node(math::sub(), &[value, mean])?;
                let std = graph.constant(channelwise(&std)?)?;
                value = graph.node(math::div(), &[value, std])?;
                if to != DatumType::F32 {
                    value = graph.node(cast(to), &[value])?;
                }
            }
            if first {
                value = graph.node(AxisOp::Move(2, 0), &[value])?;
            }
            Ok(vec![value])
        })?;
        Ok(Self { shape, reversed, plan })
    }

    /// The numbers of one picture in the model's layout, from its pixels by height, width and
    /// channel, red first. The error is a sentence.
    pub(super) fn run(&self, pixels: &[u8]) -> Result<TValue, String> {
        let mut dense = Tensor::zero_dt(DatumType::U8, &self.shape).map_err(|e| e.to_string())?;
        let bytes = dense.as_bytes_mut();
        bytes.copy_from_slice(pixels);
        if self.reversed {
            bytes.chunks_exact_mut(3).for_each(<[u8]>::reverse);
        }
        let mut outputs = self.plan.run(dense.into_tvalue())?;
        Ok(outputs.remove(0))
    }
}

/// A constant that goes along with the last axis.
fn channelwise(values: &[f32]) -> tract_onnx::prelude::TractResult<Tensor> {
    tensor1(values).into_shape(&[1, 1, values.len()])
}

fn each(
    option: &str,
    given: PerChannel,
    channels: usize,
    fits: impl Fn(&f32) -> bool,
) -> Result<Vec<f32>, String> {
    let values = match given {
        PerChannel::All(value) => vec![value; channels],
        PerChannel::Each(values) => values,
    };
    if values.len() != channels || !values.iter().all(fits) {
        return Err(format!(
            "x-adapter.{option}: expected {channels} finite numbers{}; of three, red, green, blue",
            if option == "std" { " other than 0" } else { "" }
        ));
    }
    Ok(values)
}
