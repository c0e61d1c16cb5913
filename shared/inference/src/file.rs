//! From bytes to an ONNX model's parts, or a sentence about what the bytes are instead.

use prost::Message;
use tract_onnx::pb::{
    AttributeProto, ModelProto, NodeProto, TensorProto, attribute_proto::AttributeType,
    tensor_proto::DataType,
};

use crate::{Refused, wire};

/// Decodes the file and checks what every ONNX file has.
pub(crate) fn decode(bytes: &[u8]) -> Result<ModelProto, Refused> {
    if bytes.is_empty() {
        return Err(Refused::new("the file is empty; send an ONNX model"));
    }
    check_start(bytes)?;
    wire::check(bytes)?;
    let mut model = ModelProto::decode(bytes).map_err(|error| {
        // ONNX files begin with field 1, `ir_version`
        if bytes[0] == 0x08 {
            Refused::new(format!(
                "the ONNX file is truncated or damaged ({error}); send it again, and check that \
                 `onnx.checker.check_model` accepts it"
            ))
        } else {
            Refused::new("not an ONNX model: the bytes are not a protocol buffer")
        }
    })?;
    let Some(graph) = &mut model.graph else {
        return Err(Refused::new(
            "not an ONNX model, or truncated: it has no `graph`; export the model again",
        ));
    };
    graph.node.iter_mut().for_each(write_out_defaults);
    // It is written after the graph, so a file that ends early lacks it.
    if model.opset_import.is_empty() {
        return Err(Refused::new(
            "the ONNX file is truncated or incomplete: it has no `opset_import`; send it again",
        ));
    }
    Ok(model)
}

/// Writes out what the engine takes otherwise than ONNX when it is left out.
fn write_out_defaults(node: &mut NodeProto) {
    // a float32 zero, and the engine's is float64
    if node.op_type == "ConstantOfShape" && node.attribute.is_empty() {
        let zero = TensorProto {
            dims: vec![1],
            data_type: DataType::Float as i32,
            float_data: vec![0.0],
            ..TensorProto::default()
        };
        node.attribute.push(AttributeProto {
            name: "value".to_owned(),
            r#type: AttributeType::Tensor as i32,
            t: Some(zero),
            ..AttributeProto::default()
        });
    }
}

/// Refuses a file that begins as other formats do; 64 bytes of it are enough.
pub(crate) fn check_start(bytes: &[u8]) -> Result<(), Refused> {
    match other_format(bytes) {
        Some(kind) => Err(Refused::new(format!("not an ONNX model: this looks like {kind}"))),
        None => Ok(()),
    }
}

/// Formats that people take for ONNX, by their first bytes.
fn other_format(bytes: &[u8]) -> Option<&'static str> {
    const STARTS: [(&[u8], &str); 11] = [
        (
            b"PK\x03\x04",
            "a zip archive (a PyTorch `.pt`, perhaps); export it with torch.onnx.export",
        ),
        (b"\x80\x02", "a Python pickle; export the model with torch.onnx.export"),
        (b"\x80\x03", "a Python pickle; export the model with torch.onnx.export"),
        (b"\x80\x04", "a Python pickle; export the model with torch.onnx.export"),
        (b"\x80\x05", "a Python pickle; export the model with torch.onnx.export"),
        (b"\x89HDF", "HDF5 (Keras, perhaps); convert it with tf2onnx"),
        (b"\x1f\x8b", "gzip; send it unpacked"),
        (b"GGUF", "GGUF, which has no graph; send ONNX"),
        (b"\x89PNG", "a PNG image"),
        (b"\xff\xd8\xff", "a JPEG image"),
        (b"<", "HTML or XML, perhaps an error page that was saved instead of the model"),
    ];
    if let Some((_, kind)) = STARTS.iter().find(|(start, _)| bytes.starts_with(start)) {
        return Some(kind);
    }
    if bytes.get(4..8) == Some(b"TFL3") {
        return Some("TensorFlow Lite; convert it with tf2onnx");
    }
    if bytes.get(8) == Some(&b'{') && bytes[4..8] == [0; 4] {
        return Some("safetensors, which holds weights without a graph; send ONNX");
    }
    let start = bytes.trim_ascii_start();
    (start.starts_with(b"{\"") || start.starts_with(b"{ \"") || start.starts_with(b"{\n"))
        .then_some("JSON; send the binary `.onnx` file")
}
