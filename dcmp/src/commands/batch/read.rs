//! Files of inputs, each by the end of its name.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Read, stdin},
    path::{Path, PathBuf},
};

use anyhow::Result;
use base64::{Engine, engine::general_purpose::STANDARD};
use protocol::rest::models::Model;
use serde_json::{Deserializer, json, value::RawValue};

use super::{
    gather::{Gather, Gathered},
    table,
};
use crate::{
    commands::infer::input::{self, Input},
    exit::usage,
    parts::{shown, unreadable},
};

/// What the platform reads by itself.
const ARRAYS: [&str; 4] = ["npy", "npz", "safetensors", "zip"];

/// Images.
const IMAGES: [&str; 4] = ["jpg", "jpeg", "png", "webp"];

/// The adapter before a model that takes images.
const IMAGE_ADAPTER: &str = "image_classification";

/// Reads all files, in their order.
pub(super) fn files(paths: &[PathBuf], model: &Model, raw: bool) -> Result<Gathered> {
    let takes = Takes::new(model, raw);
    let name = paths.first().map(|path| shown(path)).unwrap_or_default();
    let mut gather = Gather::new(if name == "-" { "batch".to_owned() } else { name });
    for path in paths {
        if path == Path::new("-") {
            let mut text = String::new();
            stdin().read_to_string(&mut text).map_err(|cause| unreadable(path, &cause))?;
            values("standard input", &text, &takes, &mut gather)?;
            continue;
        }
        if path.is_dir() {
            folder(path, &takes, &mut gather)?;
            continue;
        }
        let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        match extension.as_str() {
            array if ARRAYS.contains(&array) => {
                if paths.len() > 1 {
                    let path = path.display();
                    return Err(usage(format!("{path} is a dataset; give it alone")));
                }
                File::open(path).map_err(|cause| unreadable(path, &cause))?;
                return Ok(Gathered::Alone(path.clone()));
            }
            "csv" => {
                table::read(path, &takes, &mut gather)?;
                // the platform reads a table faster than rows
                if gather.is_spilled() && paths.len() == 1 {
                    return Ok(Gathered::Alone(path.clone()));
                }
            }
            "ndjson" | "jsonl" => lines(path, &takes, &mut gather)?,
            "json" => {
                let text = fs::read_to_string(path).map_err(|cause| unreadable(path, &cause))?;
                values(&shown(path), &text, &takes, &mut gather)?;
            }
            image if IMAGES.contains(&image) => takes.image(path, &mut gather)?,
            _ => {
                return Err(usage(format!(
                    "{} does not say what it is; inputs are .json, .ndjson, .csv, .npy, .npz, .safetensors, \
                     .jpg, .png, .webp, or a folder of images",
                    path.display()
                )));
            }
        }
    }
    gather.finish()
}

/// What a model takes as an input.
pub(super) struct Takes<'a> {
    pub(super) model: &'a Model,
    /// The adapter that an input goes through.
    pub(super) adapter: Option<&'a str>,
}

impl<'a> Takes<'a> {
    fn new(model: &'a Model, raw: bool) -> Self {
        let adapter = model.summary.preprocessing.as_deref();
        Self { model, adapter: adapter.filter(|name| *name != "passthrough" && !raw) }
    }

    /// An input as the API takes it; the error is a sentence without a subject.
    fn input(&self, json: &RawValue) -> Result<Option<Box<RawValue>>, String> {
        if self.adapter.is_some() || json.get().starts_with('{') {
            return Ok(None);
        }
        match input::parse(json.get())? {
            Input::Tensors(_) => Ok(None),
            Input::List(list) => list.tensor(&self.model.summary.inputs).map(Some),
        }
    }

    /// Takes an input that is JSON.
    fn add(&self, json: &RawValue, gather: &mut Gather, place: impl Fn() -> String) -> Result<()> {
        let input = self.input(json).map_err(|fault| usage(format!("{} {fault}", place())))?;
        gather.add(input.as_deref().unwrap_or(json).get())
    }

    fn image(&self, path: &Path, gather: &mut Gather) -> Result<()> {
        if self.adapter != Some(IMAGE_ADAPTER) {
            let name = &self.model.summary.name;
            return Err(usage(format!(
                "{} is an image, and the model {name} takes none; give it the adapter with \
                 `dcmp model update MODEL --pre {IMAGE_ADAPTER}`",
                path.display()
            )));
        }
        let bytes = fs::read(path).map_err(|cause| unreadable(path, &cause))?;
        gather.add(&json!({ "image": STANDARD.encode(bytes) }).to_string())
    }
}

/// The images of a folder and those below it, by their paths.
fn folder(path: &Path, takes: &Takes<'_>, gather: &mut Gather) -> Result<()> {
    let mut images = Vec::new();
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).map_err(|cause| unreadable(&folder, &cause))?;
        for entry in entries {
            let path = entry.map_err(|cause| unreadable(&folder, &cause))?.path();
            let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
            if path.is_dir() {
                folders.push(path);
            } else if IMAGES.contains(&extension.as_str()) && !shown(&path).starts_with('.') {
                images.push(path);
            }
        }
    }
    if images.is_empty() {
        return Err(usage(format!("{} holds no .jpg, .png or .webp files", path.display())));
    }
    images.sort();
    images.iter().try_for_each(|image| takes.image(image, gather))
}

/// An input on each line.
fn lines(path: &Path, takes: &Takes<'_>, gather: &mut Gather) -> Result<()> {
    let file = File::open(path).map_err(|cause| unreadable(path, &cause))?;
    for (line, number) in BufReader::new(file).lines().zip(1..) {
        let line = line.map_err(|cause| unreadable(path, &cause))?;
        if line.trim().is_empty() {
            continue;
        }
        let place = || format!("{}, line {number}:", path.display());
        let json: &RawValue = serde_json::from_str(&line)
            .map_err(|cause| usage(format!("{} it is not JSON ({cause})", place())))?;
        takes.add(json, gather, || format!("{} the input", place()))?;
    }
    Ok(())
}

/// A list of inputs, or one value after the other.
fn values(name: &str, text: &str, takes: &Takes<'_>, gather: &mut Gather) -> Result<()> {
    let mut values = Vec::new();
    for value in Deserializer::from_str(text).into_iter::<&RawValue>() {
        values.push(value.map_err(|cause| usage(format!("{name} is not JSON ({cause})")))?);
    }
    if let [one] = values[..] {
        let Ok(list) = serde_json::from_str::<Vec<&RawValue>>(one.get()) else {
            return Err(usage(format!(
                "{name} is no list of inputs; `dcmp infer` takes a single one"
            )));
        };
        values = list;
    }
    for (value, number) in values.into_iter().zip(1..) {
        takes.add(value, gather, || format!("{name}: input {number}"))?;
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// A model of the input `x`, `[N, 2]`, with this adapter.
    pub(in super::super) fn model(adapter: &str) -> Model {
        serde_json::from_value(json!({
            "id": "model_1", "name": "m", "format": "onnx", "size": 1, "checksum": "", "version": 1,
            "revision": 1, "status": "ready", "uploaded_at": "", "input_shape": [null, 2],
            "output_shape": [null, 1], "outputs": [], "warnings": [], "profile": null,
            "inputs": [{ "name": "x", "dtype": "float32", "shape": [null, 2] }],
            "preprocessing": adapter, "postprocessing": null, "placement": "own",
            "input_schema": { "properties": { "size": { "type": "string" } } },
            "output_schema": null, "labels": null,
        }))
        .unwrap()
    }

    fn read(files: &[(&str, &str)], adapter: &str, raw: bool) -> Result<String> {
        let home = tempfile::tempdir().unwrap();
        let write = |(name, text): &(&str, &str)| {
            let path = home.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        files.iter().for_each(write);
        let mut paths: Vec<_> = files
            .iter()
            .map(|(name, _)| home.path().join(name.split('/').next().unwrap()))
            .collect();
        paths.dedup();
        Ok(match self::files(&paths, &model(adapter), raw)? {
            Gathered::Body(list) => list.get().to_owned(),
            Gathered::Spilled(_) => "spilled".to_owned(),
            Gathered::Alone(path) => shown(&path),
        })
    }

    #[test]
    fn lists_become_tensors() {
        let tensors = r#"[{"data":[1,2.50],"shape":[1, 2]},{"data": [3, 4]}]"#;
        for (name, text) in [
            ("a.json", "[[1, 2.50], {\"data\": [3, 4]}]"),
            ("a.ndjson", "[1, 2.50]\n\n{\"data\": [3, 4]}\n"),
            ("a.jsonl", "[[1, 2.50]]\n{\"data\": [3, 4]}"),
        ] {
            assert_eq!(read(&[(name, text)], "passthrough", false).unwrap(), tensors, "{name}");
        }
        let both = [("a.json", "[[1, 2.50]]"), ("b.ndjson", "{\"data\": [3, 4]}")];
        assert_eq!(read(&both, "tabular", true).unwrap(), tensors);
        assert_eq!(read(&both, "tabular", false).unwrap(), r#"[[1, 2.50],{"data": [3, 4]}]"#);
        assert_eq!(
            read(&[("a.json", "\"a\" \"b\"")], "text_tokens", false).unwrap(),
            "[\"a\",\"b\"]"
        );
    }

    #[test]
    fn images_are_read_by_their_names() {
        let folder = [("p/b.png", "1"), ("p/a/c.JPG", "2"), ("p/a.txt", "3")];
        let expected = r#"[{"image":"Mg=="},{"image":"MQ=="}]"#;
        assert_eq!(read(&folder, IMAGE_ADAPTER, false).unwrap(), expected);
        let fault = read(&folder, "passthrough", false).unwrap_err().to_string();
        assert!(fault.contains("the model m takes none"), "{fault}");
        let fault = read(&folder[2..], IMAGE_ADAPTER, false).unwrap_err().to_string();
        assert!(fault.contains("holds no .jpg"), "{fault}");
    }

    #[test]
    fn arrays_stay_files() {
        assert_eq!(read(&[("a.npy", "")], "passthrough", false).unwrap(), "a.npy");
        let two = [("a.npy", ""), ("b.npz", "")];
        assert!(
            read(&two, "passthrough", false).unwrap_err().to_string().contains("give it alone")
        );
    }

    #[test]
    fn faults_say_where_they_are() {
        for (name, text, words) in [
            ("a.ndjson", "[1,2]\n[1,", &["a.ndjson, line 2:", "not JSON"][..]),
            ("a.ndjson", "\n3", &["a.ndjson, line 2: the input is no tensor"]),
            ("a.json", "[[1,2],[[1],2]]", &["a.json: input 2 has lists and numbers mixed"]),
            ("a.json", "{\"data\": 1}", &["is no list of inputs"]),
            ("a.json", "[", &["a.json is not JSON"]),
            ("a.ndjson", "\n", &["there are no inputs"]),
            ("a.txt", "", &["does not say what it is"]),
        ] {
            let fault = read(&[(name, text)], "passthrough", false).unwrap_err().to_string();
            assert!(words.iter().all(|word| fault.contains(word)), "{fault}");
        }
    }
}
