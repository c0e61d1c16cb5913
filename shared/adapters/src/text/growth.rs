//! How much a tokenizer may make of a text before it is cut. A `tokenizer.json` comes from a stranger:
//! steps that each make a text a little longer make it endless together, so what they may add is
//! counted before the first text.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::Value;
use tokenizers::{
    normalizers::NormalizerWrapper as Normalizer, pre_tokenizers::PreTokenizerWrapper as Splitter,
    processors::PostProcessorWrapper,
};

/// How many times as long all steps together may make a text.
const MAX_GROWTH: f64 = 8.0;

/// How many steps there may be before the model.
const MAX_STEPS: usize = 32;

/// How often the templates behind the model may use a text: once alone, twice in pairs.
const MAX_USES: usize = 8;

/// The longest text that a table of characters may put for one, in bytes; Unicode's own is 33.
const MAX_MAPPED: usize = 64;

/// Whether the steps of a `tokenizer.json` make texts longer by a bounded factor. The error is a
/// sentence.
pub(super) fn check(content: &Value) -> Result<(), String> {
    let mut growth = Growth { factor: 1.0, steps: 0, mappings: 0 };
    if let Some(normalizer) = content.get("normalizer").filter(|step| !step.is_null()) {
        let step = Normalizer::deserialize(normalizer).map_err(|error| error.to_string())?;
        growth.normalizer(&step)?;
    }
    if let Some(splitter) = content.get("pre_tokenizer").filter(|step| !step.is_null()) {
        let step = Splitter::deserialize(splitter).map_err(|error| error.to_string())?;
        growth.splitter(&step)?;
    }
    if let Some(processor) = content.get("post_processor").filter(|step| !step.is_null()) {
        let read = PostProcessorWrapper::deserialize(processor);
        let read = read.map_err(|error| error.to_string())?;
        // as the crate writes it: each use of a text is {"Sequence": …}
        if uses(&canonical(&read)?) > MAX_USES {
            return Err(format!("its templates use a text more than {MAX_USES} times"));
        }
    }
    Ok(())
}

struct Growth {
    factor: f64,
    steps: usize,
    /// Steps that put other texts for characters by a table.
    mappings: usize,
}

impl Growth {
    fn normalizer(&mut self, step: &Normalizer) -> Result<(), String> {
        self.step()?;
        match step {
            Normalizer::Sequence(steps) => {
                steps.as_ref().iter().try_for_each(|step| self.normalizer(step))
            }
            Normalizer::Replace(replace) => {
                let source = canonical(replace)?;
                let pattern = source.pointer("/pattern/String").and_then(Value::as_str);
                let content = replace.content.len() as f64;
                self.by(match pattern.unwrap_or_default().len() {
                    // an expression may match nothing, at every place
                    0 => 1.0 + content,
                    shortest => content / shortest as f64,
                })
            }
            // a short one is added once to each part, a long one may be longer than all of them
            Normalizer::Prepend(text) => self.by(1.0 + (text.prepend.len() / 4) as f64),
            Normalizer::ByteLevel(_) => self.by(2.0),
            Normalizer::Precompiled(table) => {
                self.table(&canonical(table)?)?;
                self.mapping()
            }
            Normalizer::NFC(_) | Normalizer::NFD(_) | Normalizer::NFKC(_) | Normalizer::NFKD(_) => {
                self.mapping()
            }
            // of these a second one adds nothing to what the first did
            Normalizer::BertNormalizer(_)
            | Normalizer::StripNormalizer(_)
            | Normalizer::StripAccents(_)
            | Normalizer::Lowercase(_)
            | Normalizer::Nmt(_) => Ok(()),
        }
    }

    fn splitter(&mut self, step: &Splitter) -> Result<(), String> {
        self.step()?;
        match step {
            Splitter::Sequence(steps) => {
                steps.as_ref().iter().try_for_each(|step| self.splitter(step))
            }
            Splitter::ByteLevel(_) => self.by(2.0),
            // others only cut, or put one character for another
            _ => Ok(()),
        }
    }

    fn step(&mut self) -> Result<(), String> {
        self.steps += 1;
        match self.steps > MAX_STEPS {
            true => Err(format!("it has more than {MAX_STEPS} steps before the model")),
            false => Ok(()),
        }
    }

    /// The first such step does what Unicode says; after another there is more for a second to do.
    fn mapping(&mut self) -> Result<(), String> {
        self.mappings += 1;
        if self.mappings > 1 { self.by(2.0) } else { Ok(()) }
    }

    /// A table of sentencepiece: the length of a trie, the trie, and the texts, each with a zero behind.
    fn table(&self, source: &Value) -> Result<(), String> {
        let encoded = source.get("precompiled_charsmap").and_then(Value::as_str);
        let bytes = STANDARD.decode(encoded.unwrap_or_default()).unwrap_or_default();
        let trie = bytes.first_chunk().map_or(0, |length| u32::from_le_bytes(*length) as usize);
        let texts = bytes.get(trie.saturating_add(4)..).unwrap_or_default();
        match texts.split(|byte| *byte == 0).any(|text| text.len() > MAX_MAPPED) {
            true => {
                Err(format!("its charsmap puts more than {MAX_MAPPED} bytes for one character"))
            }
            false => Ok(()),
        }
    }

    fn by(&mut self, factor: f64) -> Result<(), String> {
        self.factor *= factor.max(1.0);
        match self.factor > MAX_GROWTH {
            true => Err(format!(
                "its steps may make a text more than {MAX_GROWTH} times as long; use fewer, or shorter replacements"
            )),
            false => Ok(()),
        }
    }
}

fn canonical(step: &impl serde::Serialize) -> Result<Value, String> {
    serde_json::to_value(step).map_err(|error| error.to_string())
}

fn uses(processor: &Value) -> usize {
    match processor {
        Value::Array(values) => values.iter().map(uses).sum(),
        Value::Object(fields) => {
            usize::from(fields.contains_key("Sequence")) + fields.values().map(uses).sum::<usize>()
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;

    fn replace(pattern: Value, content: &str) -> Value {
        json!({ "type": "Replace", "pattern": pattern, "content": content })
    }

    fn sequence(steps: &[Value]) -> Value {
        json!({ "normalizer": { "type": "Sequence", "normalizers": steps } })
    }

    #[test]
    fn tokenizers_in_use_are_accepted() {
        let string = |text: &str| json!({ "String": text });
        let regex = |text: &str| json!({ "Regex": text });
        let albert = [
            replace(string("``"), "\""),
            replace(string("''"), "\""),
            json!({ "type": "NFKD" }),
            json!({ "type": "StripAccents" }),
            json!({ "type": "Lowercase" }),
            json!({ "type": "NFKC" }),
            replace(regex(" {2,}"), " "),
        ];
        let llama = [json!({ "type": "Prepend", "prepend": "▁" }), replace(string(" "), "▁")];
        let bytes = json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true });
        let gpt = json!({
            "normalizer": null,
            "pre_tokenizer": { "type": "Sequence", "pretokenizers": [{ "type": "Punctuation", "behavior": "Contiguous" }, bytes] },
            "post_processor": {
                "type": "TemplateProcessing", "special_tokens": {},
                "single": [{ "Sequence": { "id": "A", "type_id": 0 } }],
                "pair": [{ "Sequence": { "id": "A", "type_id": 0 } }, { "Sequence": { "id": "B", "type_id": 1 } }],
            },
        });
        for content in [sequence(&albert), sequence(&llama), gpt, json!({})] {
            assert_eq!(check(&content), Ok(()), "{content}");
        }
    }

    #[test]
    fn tokenizers_that_make_texts_endless_are_refused() {
        let ten = replace(json!({ "String": "a" }), "aaaaaaaaaa");
        let two = replace(json!({ "String": "a" }), "aa");
        let bytes = json!({ "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true });
        let uses =
            |texts: usize| json!(vec![json!({ "Sequence": { "id": "A", "type_id": 0 } }); texts]);
        let template = json!({
            "type": "TemplateProcessing", "special_tokens": {}, "single": uses(9), "pair": uses(0),
        });
        let mut charsmap = 4u32.to_le_bytes().to_vec();
        charsmap.extend([0; 4]);
        charsmap.extend([b'a'; 1000]);
        for (content, word) in [
            (sequence(&vec![ten.clone(); 20]), "as long"),
            (json!({ "normalizer": ten }), "as long"),
            (sequence(&vec![two; 4]), "as long"),
            // without the name of its type it is one all the same
            (
                json!({ "normalizer": { "pattern": { "String": "a" }, "content": "a".repeat(9) } }),
                "as long",
            ),
            (json!({ "normalizer": replace(json!({ "Regex": "" }), "aaaaaaaa") }), "as long"),
            (sequence(&vec![json!({ "type": "ByteLevel" }); 40]), "as long"),
            (
                sequence(&vec![json!({ "type": "Prepend", "prepend": "a".repeat(99) }); 4]),
                "as long",
            ),
            (sequence(&vec![json!({ "type": "Lowercase" }); 40]), "32 steps"),
            (sequence(&vec![json!({ "type": "NFKD" }); 9]), "as long"),
            (
                json!({ "pre_tokenizer": { "type": "Sequence", "pretokenizers": vec![bytes; 40] } }),
                "as long",
            ),
            (json!({ "post_processor": template }), "templates"),
            (
                json!({ "normalizer": { "type": "Precompiled", "precompiled_charsmap": STANDARD.encode(charsmap) } }),
                "charsmap",
            ),
        ] {
            let reason = check(&content).unwrap_err();
            assert!(reason.contains(word), "{content}: {reason}");
        }
    }
}
