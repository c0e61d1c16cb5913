//! The operators that are accepted, and only what of them is known to be right: every entry has
//! numeric cases, which `cargo xtask onnx-suite` runs; docs/operators.md is made from this table.
//!
//! The engine ignores domains and attributes that it does not know, and some that it knows it computes
//! wrongly. So that no wrong answer comes from that, what is not in this table is refused.

use std::ops::RangeInclusive;

/// An operator, and what of it is accepted.
#[derive(Debug)]
pub struct Operator {
    /// As `op_type` names it.
    pub name: &'static str,
    /// Empty for the default one.
    pub domain: &'static str,
    /// The versions of its domain's operator set whose definition of it has cases.
    pub opsets: RangeInclusive<i64>,
    /// The attributes it may have.
    pub attributes: &'static [&'static str],
    /// What else must hold.
    pub limits: &'static [Limit],
}

/// What a node of an operator must keep to.
#[derive(Debug)]
pub enum Limit {
    /// A text attribute, when given, is one of these.
    OneOf(&'static str, &'static [&'static str]),
    /// A number attribute, when given, is this.
    Is(&'static str, f32),
    /// The input at this place is absent or a constant `false`.
    Off(usize),
    /// The input at this place is a constant of type uint8.
    Unsigned(usize),
    /// There are at most so many inputs.
    Inputs(usize),
    /// The first input is not of type bool; known only when the engine has followed the types.
    NotBool,
    /// No constant of the graph is infinite: a row of infinities alone comes out as a finite number.
    Finite,
}

/// Operators that the engine has and that are refused all the same, with what is wrong.
pub const DISTRUSTED: [(&str, &str); 5] = [
    ("BitShift", "shifts by the type's width or more, and by negative amounts, come out wrong"),
    ("OneHot", "an index outside of the depth stops the engine"),
    ("If", "what its branches allocate cannot be bounded before they are read"),
    ("Scan", "what its body allocates cannot be bounded before it is read"),
    ("Multinomial", "its answers differ from run to run"),
];

/// The entry for an operator; `ai.onnx` is the default domain's other name.
pub(crate) fn find(domain: &str, name: &str) -> Option<&'static Operator> {
    let domain = if domain == "ai.onnx" { "" } else { domain };
    let at = OPERATORS
        .binary_search_by(|operator| (operator.domain, operator.name).cmp(&(domain, name)));
    at.ok().map(|at| &OPERATORS[at])
}

const fn op(
    name: &'static str,
    opsets: RangeInclusive<i64>,
    attributes: &'static [&'static str],
) -> Operator {
    Operator { name, domain: "", opsets, attributes, limits: &[] }
}

impl Operator {
    const fn of(self, domain: &'static str) -> Self {
        Self { domain, ..self }
    }

    const fn only(self, limits: &'static [Limit]) -> Self {
        Self { limits, ..self }
    }
}

/// By domain, then by name.
#[rustfmt::skip]
pub static OPERATORS: &[Operator] = &[
    op("Abs", 6..=28, &[]),
    op("Acos", 7..=28, &[]),
    op("Acosh", 9..=28, &[]),
    op("Add", 6..=28, &[]),
    op("And", 7..=28, &[]),
    op("ArgMax", 1..=28, &["axis", "keepdims", "select_last_index"]),
    op("ArgMin", 1..=28, &["axis", "keepdims", "select_last_index"]),
    op("Asin", 7..=28, &[]),
    op("Asinh", 9..=28, &[]),
    op("Atan", 7..=28, &[]),
    op("Atanh", 9..=28, &[]),
    op("Attention", 23..=23, &["is_causal", "kv_num_heads", "q_num_heads", "scale"]).only(&[Limit::Inputs(4)]),
    op("AveragePool", 1..=28, &["auto_pad", "ceil_mode", "count_include_pad", "dilations", "kernel_shape", "pads", "strides"]),
    op("BatchNormalization", 6..=28, &["epsilon", "momentum", "spatial", "training_mode"]).only(&[Limit::Is("training_mode", 0.0), Limit::Is("spatial", 1.0)]),
    op("BitwiseAnd", 18..=28, &[]),
    op("BitwiseNot", 18..=28, &[]),
    op("BitwiseOr", 18..=28, &[]),
    op("BitwiseXor", 18..=28, &[]),
    op("Cast", 9..=28, &["saturate", "to"]),
    op("CastLike", 15..=28, &[]),
    op("Ceil", 6..=28, &[]),
    op("Celu", 12..=27, &["alpha"]),
    op("Clip", 6..=28, &["max", "min"]),
    op("Concat", 4..=28, &["axis"]),
    op("Constant", 1..=28, &["value", "value_float", "value_floats", "value_int", "value_ints"]),
    op("ConstantOfShape", 9..=28, &["value"]),
    op("Conv", 1..=28, &["auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"]),
    op("ConvInteger", 10..=28, &["dilations", "group", "kernel_shape", "pads", "strides"]),
    op("ConvTranspose", 1..=28, &["auto_pad", "dilations", "group", "kernel_shape", "output_padding", "output_shape", "pads", "strides"]),
    op("Cos", 7..=28, &[]),
    op("Cosh", 9..=28, &[]),
    op("CumSum", 11..=28, &["exclusive", "reverse"]),
    op("DFT", 17..=28, &["axis", "inverse", "onesided"]),
    op("DepthToSpace", 1..=28, &["blocksize", "mode"]),
    op("DequantizeLinear", 10..=28, &["axis"]),
    op("Div", 6..=28, &[]),
    op("Dropout", 7..=28, &["ratio", "seed"]).only(&[Limit::Off(2)]),
    op("DynamicQuantizeLinear", 11..=28, &[]),
    op("Einsum", 12..=28, &["equation"]),
    op("Elu", 6..=28, &["alpha"]),
    op("Equal", 7..=28, &[]),
    op("Erf", 9..=28, &[]),
    op("Exp", 6..=28, &[]),
    op("Expand", 8..=28, &[]),
    op("EyeLike", 9..=28, &["dtype", "k"]),
    op("Flatten", 1..=28, &["axis"]),
    op("Floor", 6..=28, &[]),
    op("GRU", 7..=28, &["direction", "hidden_size", "layout", "linear_before_reset"]).only(&[Limit::OneOf("direction", &["forward", "bidirectional"])]),
    op("Gather", 1..=28, &["axis"]),
    op("GatherElements", 11..=28, &["axis"]),
    op("GatherND", 11..=28, &["batch_dims"]),
    op("Gelu", 20..=28, &["approximate"]),
    op("Gemm", 6..=28, &["alpha", "beta", "transA", "transB"]),
    op("GlobalAveragePool", 1..=28, &[]),
    op("GlobalMaxPool", 1..=28, &[]),
    op("Greater", 9..=28, &[]),
    op("GreaterOrEqual", 12..=28, &[]),
    op("GridSample", 16..=28, &["align_corners", "mode", "padding_mode"]),
    op("GroupNormalization", 21..=28, &["epsilon", "num_groups", "stash_type"]).only(&[Limit::Is("stash_type", 1.0)]),
    op("HardSigmoid", 6..=28, &["alpha", "beta"]),
    op("HardSwish", 14..=28, &[]),
    op("Hardmax", 1..=28, &["axis"]),
    op("Identity", 1..=28, &[]),
    op("InstanceNormalization", 6..=28, &["epsilon"]),
    op("IsInf", 10..=28, &["detect_negative", "detect_positive"]),
    op("IsNaN", 9..=28, &[]),
    op("LRN", 1..=28, &["alpha", "beta", "bias", "size"]),
    op("LSTM", 7..=28, &["direction", "hidden_size", "layout"]).only(&[Limit::OneOf("direction", &["forward", "bidirectional"])]),
    op("LayerNormalization", 17..=28, &["axis", "epsilon", "stash_type"]).only(&[Limit::Is("stash_type", 1.0)]),
    op("LeakyRelu", 6..=28, &["alpha"]),
    op("Less", 9..=28, &[]),
    op("LessOrEqual", 12..=28, &[]),
    op("Log", 6..=28, &[]),
    op("LogSoftmax", 1..=28, &["axis"]),
    op("LpNormalization", 22..=28, &["axis", "p"]),
    op("MatMul", 1..=28, &[]),
    op("MatMulInteger", 10..=28, &[]),
    op("Max", 6..=28, &[]),
    op("MaxPool", 1..=28, &["auto_pad", "ceil_mode", "dilations", "kernel_shape", "pads", "storage_order", "strides"]),
    op("Mean", 8..=28, &[]),
    op("MeanVarianceNormalization", 9..=28, &[]),
    op("Min", 6..=28, &[]),
    op("Mish", 18..=28, &[]),
    op("Mod", 10..=28, &["fmod"]),
    op("Mul", 6..=28, &[]),
    op("Neg", 6..=28, &[]),
    op("NonMaxSuppression", 10..=28, &["center_point_box"]),
    op("NonZero", 9..=28, &[]),
    op("Not", 1..=28, &[]),
    op("Or", 7..=28, &[]),
    op("PRelu", 6..=28, &[]),
    op("Pad", 2..=28, &["mode", "pads", "value"]).only(&[Limit::OneOf("mode", &["constant", "edge", "reflect"])]),
    op("Pow", 1..=28, &[]),
    op("QLinearConv", 10..=28, &["dilations", "group", "kernel_shape", "pads", "strides"]),
    op("QLinearMatMul", 10..=28, &[]).only(&[Limit::Unsigned(2), Limit::Unsigned(5), Limit::Unsigned(7)]),
    op("QuantizeLinear", 10..=28, &["axis"]),
    op("RMSNormalization", 23..=28, &["axis", "epsilon", "stash_type"]).only(&[Limit::Is("stash_type", 1.0)]),
    op("RNN", 7..=28, &["direction", "hidden_size", "layout"]).only(&[Limit::OneOf("direction", &["forward", "bidirectional"])]),
    op("Range", 11..=28, &[]),
    op("Reciprocal", 6..=28, &[]),
    op("ReduceL1", 1..=28, &["axes", "keepdims", "noop_with_empty_axes"]),
    op("ReduceL2", 1..=28, &["axes", "keepdims", "noop_with_empty_axes"]),
    op("ReduceLogSum", 1..=28, &["axes", "keepdims", "noop_with_empty_axes"]),
    op("ReduceLogSumExp", 1..=28, &["axes", "keepdims", "noop_with_empty_axes"]),
    op("ReduceMax", 1..=28, &["axes", "keepdims", "noop_with_empty_axes"]).only(&[Limit::NotBool, Limit::Finite]),
    op("ReduceMean", 1..=28, &["axes", "keepdims", "noop_with_empty_axes"]),
    op("ReduceMin", 1..=28, &["axes", "keepdims", "noop_with_empty_axes"]).only(&[Limit::NotBool, Limit::Finite]),
    op("ReduceProd", 1..=28, &["axes", "keepdims", "noop_with_empty_axes"]),
    op("ReduceSum", 1..=28, &["axes", "keepdims", "noop_with_empty_axes"]),
    op("ReduceSumSquare", 1..=28, &["axes", "keepdims", "noop_with_empty_axes"]),
    op("Relu", 6..=28, &[]),
    op("Reshape", 5..=28, &["allowzero"]),
    op("Resize", 11..=28, &["antialias", "axes", "coordinate_transformation_mode", "cubic_coeff_a", "exclude_outside", "extrapolation_value", "keep_aspect_ratio_policy", "mode", "nearest_mode"]),
    op("RotaryEmbedding", 23..=28, &["interleaved", "num_heads", "rotary_embedding_dim"]),
    op("Round", 11..=28, &[]),
    op("STFT", 17..=28, &[]),
    op("Scatter", 9..=10, &["axis"]),
    op("ScatterElements", 11..=28, &["axis", "reduction"]),
    op("ScatterND", 11..=28, &["reduction"]),
    op("Selu", 6..=28, &["alpha", "gamma"]),
    op("Shape", 1..=28, &["end", "start"]),
    op("Shrink", 9..=28, &["bias", "lambd"]),
    op("Sigmoid", 6..=28, &[]),
    op("Sign", 9..=28, &[]),
    op("Sin", 7..=28, &[]),
    op("Sinh", 9..=28, &[]),
    op("Size", 1..=28, &[]),
    op("Slice", 1..=28, &["axes", "ends", "starts"]),
    op("Softmax", 1..=28, &["axis"]),
    op("Softplus", 1..=28, &[]),
    op("Softsign", 1..=28, &[]),
    op("SpaceToDepth", 13..=28, &["blocksize", "mode"]).only(&[Limit::OneOf("mode", &["DCR"])]),
    op("Split", 2..=28, &["axis", "num_outputs", "split"]),
    op("Sqrt", 6..=28, &[]),
    op("Squeeze", 1..=28, &["axes"]),
    op("Sub", 6..=28, &[]),
    op("Sum", 6..=28, &[]),
    op("Swish", 24..=28, &["alpha"]).only(&[Limit::Is("alpha", 1.0)]),
    op("Tan", 7..=28, &[]),
    op("Tanh", 6..=28, &[]),
    op("ThresholdedRelu", 10..=28, &["alpha"]),
    op("Tile", 6..=28, &[]),
    op("TopK", 11..=28, &["axis", "largest", "sorted"]),
    op("Transpose", 1..=28, &["perm"]),
    op("Trilu", 14..=28, &["upper"]),
    op("Unsqueeze", 1..=28, &["axes"]),
    op("Where", 9..=28, &[]),
    op("Xor", 7..=28, &[]),
    op("ArrayFeatureExtractor", 1..=5, &[]).of("ai.onnx.ml"),
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_table_is_in_order() {
        assert!(OPERATORS.is_sorted_by(|a, b| (a.domain, a.name) < (b.domain, b.name)));
        assert_eq!(find("", "Add").unwrap().name, "Add");
        assert_eq!(find("ai.onnx", "Xor").unwrap().name, "Xor");
        assert!(find("example.org", "Add").is_none());
    }
}
