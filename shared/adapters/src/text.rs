//! `text_tokens`: texts, or token ids, become ids, attention mask and segment ids, by the names of
//! the model's inputs.

use std::panic::{AssertUnwindSafe, catch_unwind};

use protocol::{rest::errors::Detail, tensor::Spec};
use serde::Deserialize;
use serde_json::{Map, Value};
use tokenizers::{Tokenizer, TruncationParams};

use crate::{
    before::{MAX_BYTES, Made, Several, detail},
    numbers::{self, Number},
    options,
};

mod growth;

/// The longest text that is tokenized, in bytes.
const MAX_TEXT: usize = 128 * 1024;

/// How long a text may be, in tokens, if neither the model nor the options say it.
const USUAL_LENGTH: usize = 512;

/// `x-adapter` of a text model's `input_schema`.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Options {
    /// The content of a `tokenizer.json`, as an object or as a text.
    tokenizer: Option<Value>,
    /// In tokens, special ones included.
    max_length: Option<usize>,
    padding: Padding,
    /// Longer texts are cut; otherwise they are refused.
    truncation: bool,
    /// Of the padding; by default the tokenizer's.
    pad_id: Option<u32>,
    add_special_tokens: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            tokenizer: None,
            max_length: None,
            padding: Padding::Longest,
            truncation: true,
            pad_id: None,
            add_special_tokens: true,
        }
    }
}

/// How short texts are filled up, if the model leaves it open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Padding {
    /// To the longest of the batch.
    Longest,
    /// Always to `max_length`.
    MaxLength,
}

/// What one of the model's inputs is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Ids,
    Mask,
    Segments,
    Positions,
}

/// The adapter for one model.
pub(crate) struct Texts {
    inputs: Vec<(Role, Spec)>,
    tokenizer: Option<Tokenizer>,
    max_length: usize,
    /// Every sequence is filled up to so many tokens; otherwise to the longest.
    fill: Option<usize>,
    truncation: bool,
    pad_id: u32,
    add_special_tokens: bool,
}

/// The tokens of one text.
struct Tokens {
    ids: Vec<u32>,
    segments: Vec<u32>,
}

impl Texts {
    pub(crate) fn new(
        schema: Option<&Map<String, Value>>,
        inputs: &[Spec],
    ) -> Result<Self, String> {
        let options: Options = options::read(schema)?;
        let inputs = roles(inputs)?;
        let fixed = inputs.iter().find_map(|(_, spec)| spec.shape[1]);
        let max_length = options.max_length.or(fixed).unwrap_or(USUAL_LENGTH);
        if max_length == 0 || fixed.is_some_and(|fixed| max_length > fixed) {
            let most = fixed.map_or(String::new(), |fixed| format!(" to {fixed}, the model's own"));
            return Err(format!("x-adapter.max_length is {max_length}; give 1{most}"));
        }
        let truncate = options.truncation.then_some(max_length);
        let (tokenizer, own_pad) =
            options.tokenizer.map(|content| tokenizer(content, truncate)).transpose()?.unzip();
        let always = (options.padding == Padding::MaxLength).then_some(max_length);
        Ok(Self {
            inputs,
            tokenizer,
            max_length,
            fill: fixed.or(always),
            truncation: options.truncation,
            pad_id: options.pad_id.or(own_pad.flatten()).unwrap_or(0),
            add_special_tokens: options.add_special_tokens,
        })
    }

    pub(crate) fn run(&self, input: Value) -> Result<Made, Vec<Detail>> {
        let (items, many) = items(input)?;
        let rows = items
            .into_iter()
            .map(|(path, item)| {
                self.tokens(&path, item).map_err(|message| vec![detail(path, message)])
            })
            .collect::<Result<Vec<_>, _>>()?;
        let longest = rows.iter().map(|row| row.ids.len()).max().unwrap_or(0);
        let length = self.fill.unwrap_or(longest.max(1));
        let one = |message: String| vec![detail("input", message)];
        let mut tensors = Vec::with_capacity(self.inputs.len());
        for (role, spec) in &self.inputs {
            let mut shape = numbers::batched(spec, rows.len()).map_err(one)?;
            shape.truncate(1);
            shape.push(length);
            let bytes = rows.len().saturating_mul(length).saturating_mul(spec.dtype.size());
            if bytes > MAX_BYTES {
                return Err(one(format!(
                    "{} texts of {length} tokens are more than {MAX_BYTES} bytes; send fewer at a time",
                    rows.len()
                )));
            }
            let mut data = Vec::with_capacity(bytes);
            for row in &rows {
                for index in 0..length {
                    let value = row.value(*role, index, self.pad_id);
                    numbers::push(&mut data, spec.dtype, Number::Whole(value.into()))
                        .map_err(one)?;
                }
            }
            tensors.push(numbers::named(spec, shape, data));
        }
        Ok(Made { tensors, many })
    }

    /// The tokens of one text or list of ids. The error is a sentence.
    fn tokens(&self, path: &str, item: Item) -> Result<Tokens, String> {
        let mut tokens = match item {
            Item::Ids(ids) => Tokens { segments: vec![0; ids.len()], ids },
            Item::Text(text, pair) => {
                let Some(tokenizer) = &self.tokenizer else {
                    return Err(format!(
                        "this model has no tokenizer: send token ids instead of a text in {path}, or set x-adapter.tokenizer of its input_schema to the content of a tokenizer.json"
                    ));
                };
                let length = text.len() + pair.as_ref().map_or(0, String::len);
                if length > MAX_TEXT {
                    return Err(format!(
                        "has {length} bytes, and {MAX_TEXT} are allowed; send it in parts"
                    ));
                }
                let encode = || match pair {
                    Some(pair) => tokenizer.encode((text, pair), self.add_special_tokens),
                    None => tokenizer.encode(text, self.add_special_tokens),
                };
                // the tokenizer is the owner's: what it does not survive ends here
                let encoded = catch_unwind(AssertUnwindSafe(encode))
                    .map_err(|_| "the tokenizer stopped at this text".to_owned())?
                    .map_err(|error| format!("the tokenizer cannot read this text: {error}"))?;
                Tokens {
                    ids: encoded.get_ids().to_vec(),
                    segments: encoded.get_type_ids().to_vec(),
                }
            }
        };
        if tokens.ids.len() > self.max_length {
            if !self.truncation {
                let (is, most) = (tokens.ids.len(), self.max_length);
                return Err(format!("has {is} tokens, and {most} are allowed"));
            }
            tokens.ids.truncate(self.max_length);
            tokens.segments.truncate(self.max_length);
        }
        Ok(tokens)
    }
}

impl Tokens {
    fn value(&self, role: Role, index: usize, pad_id: u32) -> u32 {
        match role {
            Role::Ids => self.ids.get(index).copied().unwrap_or(pad_id),
            Role::Mask => u32::from(index < self.ids.len()),
            Role::Segments => self.segments.get(index).copied().unwrap_or(0),
            Role::Positions => index as u32,
        }
    }
}

/// What each of the model's inputs is, by its name.
fn roles(inputs: &[Spec]) -> Result<Vec<(Role, Spec)>, String> {
    let role = |spec: &Spec| {
        let name = spec.name.to_ascii_lowercase();
        let has = |word: &str| name.contains(word);
        match () {
            () if has("mask") => Role::Mask,
            () if has("type") || has("segment") => Role::Segments,
            () if has("position") => Role::Positions,
            () => Role::Ids,
        }
    };
    let roles: Vec<_> = match inputs {
        [only] => vec![(Role::Ids, only.clone())],
        inputs => inputs.iter().map(|spec| (role(spec), spec.clone())).collect(),
    };
    for (_, spec) in &roles {
        if spec.shape.len() != 2 {
            return Err(format!(
                "needs inputs of the shape [N, tokens]; `{}` takes {}",
                spec.name,
                spec.shape_text()
            ));
        }
    }
    let is_ids = |(role, _): &&(Role, Spec)| *role == Role::Ids;
    if roles.iter().filter(is_ids).count() != 1 {
        let names: Vec<_> = inputs.iter().map(|spec| format!("`{}`", spec.name)).collect();
        return Err(format!(
            "needs one input of token ids beside `attention_mask`, `token_type_ids` and `position_ids`; the model has {}",
            names.join(", ")
        ));
    }
    Ok(roles)
}

/// The tokenizer, and the id that it fills up with.
fn tokenizer(content: Value, truncate: Option<usize>) -> Result<(Tokenizer, Option<u32>), String> {
    let refused = |reason: String| format!("x-adapter.tokenizer is no tokenizer.json: {reason}");
    let content = match content {
        Value::String(text) => {
            serde_json::from_str(&text).map_err(|error| refused(error.to_string()))?
        }
        other => other,
    };
    // what is built has been counted: special tokens go through the steps already here
    let read = || {
        growth::check(&content)?;
        Tokenizer::from_bytes(content.to_string()).map_err(|error| error.to_string())
    };
    let mut tokenizer = catch_unwind(read)
        .map_err(|_| refused("it cannot be read".to_owned()))?
        .map_err(refused)?;
    let pad_id = tokenizer.get_padding().map(|padding| padding.pad_id);
    let pad_id =
        pad_id.or_else(|| ["[PAD]", "<pad>"].iter().find_map(|token| tokenizer.token_to_id(token)));
    // filling up is done here, where the model's shape is known
    tokenizer.with_padding(None);
    let truncation =
        truncate.map(|max_length| TruncationParams { max_length, ..TruncationParams::default() });
    tokenizer.with_truncation(truncation).map_err(|error| refused(error.to_string()))?;
    Ok((tokenizer, pad_id))
}

/// One text, with a second one if it is a pair, or the ids of one.
enum Item {
    Text(String, Option<String>),
    Ids(Vec<u32>),
}

/// All texts with their paths, and whether they came as a list.
fn items(input: Value) -> Result<Several<Item>, Vec<Detail>> {
    let (list, path) = match input {
        // a list of ids is one text
        Value::Array(list) if list.first().is_some_and(Value::is_number) => {
            return Ok((vec![("input".to_owned(), item("input", Value::Array(list))?)], false));
        }
        Value::Array(list) => (list, "input".to_owned()),
        Value::Object(mut fields) => match fields.remove("texts") {
            Some(Value::Array(list)) => (list, "input.texts".to_owned()),
            Some(_) => return Err(vec![detail("input.texts", "expected a list of texts")]),
            None => {
                let one = item("input", Value::Object(fields))?;
                return Ok((vec![("input".to_owned(), one)], false));
            }
        },
        other => return Ok((vec![("input".to_owned(), item("input", other)?)], false)),
    };
    if list.is_empty() {
        return Err(vec![detail(path, "is empty; send at least one text")]);
    }
    let items = list.into_iter().enumerate().map(|(index, value)| {
        let path = format!("{path}[{index}]");
        let item = item(&path, value)?;
        Ok::<_, Vec<Detail>>((path, item))
    });
    Ok((items.collect::<Result<_, _>>()?, true))
}

fn item(path: &str, value: Value) -> Result<Item, Vec<Detail>> {
    let expected = |path: &str| {
        let message = "expected a text, {\"text\": \"…\"}, or token ids as a list of whole numbers";
        vec![detail(path, message)]
    };
    match value {
        Value::String(text) => Ok(Item::Text(text, None)),
        Value::Array(ids) if !ids.is_empty() => ids
            .iter()
            .enumerate()
            .map(|(index, id)| {
                let id = id.as_u64().and_then(|id| u32::try_from(id).ok());
                id.ok_or_else(|| expected(&format!("{path}[{index}]")))
            })
            .collect::<Result<_, _>>()
            .map(Item::Ids),
        Value::Object(mut fields) => {
            let name =
                ["text", "tokens", "input_ids"].into_iter().find(|n| fields.contains_key(*n));
            let (Some(name), pair) = (name, fields.remove("text_pair")) else {
                return Err(expected(path));
            };
            let inner = format!("{path}.{name}");
            let value = fields.remove(name).unwrap_or_default();
            match (value, pair) {
                (Value::String(text), None) if name == "text" => Ok(Item::Text(text, None)),
                (Value::String(text), Some(Value::String(pair))) if name == "text" => {
                    Ok(Item::Text(text, Some(pair)))
                }
                (ids @ Value::Array(_), None) if name != "text" => item(&inner, ids),
                _ => Err(expected(&inner)),
            }
        }
        _ => Err(expected(path)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use protocol::tensor::Dtype;
    use serde_json::json;

    use super::*;

    fn spec(name: &str, length: Option<usize>) -> Spec {
        Spec { name: name.to_owned(), dtype: Dtype::Int64, shape: vec![None, length] }
    }

    fn texts(options: Value, inputs: &[Spec]) -> Result<Texts, String> {
        let schema = json!({ "x-adapter": options });
        Texts::new(schema.as_object(), inputs)
    }

    fn numbers(made: &Made) -> Vec<Vec<f64>> {
        made.tensors.iter().map(|named| named.tensor.to_f64()).collect()
    }

    #[test]
    fn ids_are_filled_up_and_cut_to_what_the_model_takes() {
        let ids = [spec("input_ids", None)];
        let bert = ["input_ids", "attention_mask", "token_type_ids", "position_ids"];
        let bert = bert.map(|name| spec(name, Some(4)));
        let longest = texts(json!({ "pad_id": 9 }), &ids).unwrap();
        let always = texts(json!({ "padding": "max_length", "max_length": 3 }), &ids).unwrap();
        let fixed = texts(json!({ "max_length": 3 }), &bert).unwrap();
        for (texts, input, many, expected) in [
            (&longest, json!([1, 2]), false, vec![vec![1., 2.]]),
            (&longest, json!({ "tokens": [1, 2] }), false, vec![vec![1., 2.]]),
            (&longest, json!([[1, 2], [3]]), true, vec![vec![1., 2., 3., 9.]]),
            (&always, json!({ "input_ids": [1] }), false, vec![vec![1., 0., 0.]]),
            (
                &fixed,
                json!([[1, 2, 3, 4, 5]]),
                true,
                vec![vec![1., 2., 3., 0.], vec![1., 1., 1., 0.], vec![0.; 4], vec![0., 1., 2., 3.]],
            ),
        ] {
            let made = texts.run(input.clone()).unwrap();
            assert_eq!((made.many, numbers(&made)), (many, expected), "{input}");
        }
    }

    #[test]
    fn what_is_no_text_is_named_with_its_place() {
        let none = texts(json!({}), &[spec("x", None)]).unwrap();
        let strict = texts(json!({ "truncation": false, "max_length": 1 }), &[spec("x", None)]);
        let strict = strict.unwrap();
        for (texts, input, path, word) in [
            (&none, json!("a"), "input", "x-adapter.tokenizer"),
            (&none, json!({ "text": "a" }), "input", "no tokenizer"),
            (&none, json!({ "text": 1 }), "input.text", "expected a text"),
            (&none, json!({}), "input", "expected a text"),
            (&none, json!([[1], [2.5]]), "input[1][0]", "whole numbers"),
            (&none, json!([1, -1]), "input[1]", "whole numbers"),
            (&none, json!({ "texts": [] }), "input.texts", "empty"),
            (&none, json!({ "texts": "a" }), "input.texts", "a list"),
            (&strict, json!([[1], [1, 2]]), "input[1]", "2 tokens"),
        ] {
            let faults = texts.run(input.clone()).unwrap_err();
            assert_eq!(faults[0].path, path, "{input}");
            assert!(faults[0].message.contains(word), "{input}: {}", faults[0].message);
        }
    }

    #[test]
    fn texts_and_what_tokenizers_make_of_them_are_bounded() {
        let words = json!({ "[UNK]": 0, "a": 1 });
        let model = json!({ "type": "WordLevel", "vocab": words, "unk_token": "[UNK]" });
        let tokenizer = json!({ "version": "1.0", "added_tokens": [], "model": model });
        let ids = [spec("x", None)];
        let any = texts(json!({ "tokenizer": tokenizer }), &ids).unwrap();
        assert_eq!(numbers(&any.run(json!("a")).unwrap()), [[1.]]);
        let faults = any.run(json!("a".repeat(MAX_TEXT + 1))).unwrap_err();
        assert!(faults[0].message.contains("131073 bytes"), "{faults:?}");
        let ten =
            json!({ "type": "Replace", "pattern": { "String": "a" }, "content": "aaaaaaaaaa" });
        let steps = json!({ "type": "Sequence", "normalizers": vec![ten; 20] });
        let grown = json!({ "version": "1.0", "normalizer": steps, "model": model });
        for tokenizer in [json!(grown.to_string()), grown] {
            let reason = texts(json!({ "tokenizer": tokenizer }), &ids).err().unwrap();
            assert!(reason.contains("8 times as long"), "{reason}");
        }
    }

    #[test]
    fn options_and_models_that_do_not_fit_are_named() {
        let fixed = [spec("x", Some(4))];
        for (options, inputs, word) in [
            (json!({ "max_length": 5 }), &fixed[..], "max_length is 5; give 1 to 4"),
            (json!({ "max_length": 0 }), &fixed, "max_length is 0"),
            (json!({ "padding": "left" }), &fixed, "`left`"),
            (json!({ "tokenizer": {} }), &fixed, "x-adapter.tokenizer"),
            (json!({ "tokenizer": "[" }), &fixed, "x-adapter.tokenizer"),
            (json!({}), &[spec("a", None), spec("b", None)], "`a`, `b`"),
            (json!({}), &[Spec { shape: vec![None], ..spec("x", None) }], "[N, tokens]"),
        ] {
            let reason = texts(options, inputs).err().unwrap();
            assert!(reason.contains(word), "{reason}");
        }
    }
}
