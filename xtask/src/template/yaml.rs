//! Documents as YAML that every reader takes alike. CloudFormation's, SAM's and most emulators' readers
//! speak YAML 1.1, in which `on`, `no` and `2012-10-17` are no texts, so a text stands bare only where
//! it cannot be taken for anything else.

use std::fmt::Write;

use serde_json::Value;

/// Keys that come first, in this order; the others follow by name.
const FIRST: [&str; 15] = [
    "AWSTemplateFormatVersion",
    "Transform",
    "Description",
    "Type",
    "Condition",
    "DependsOn",
    "DeletionPolicy",
    "UpdateReplacePolicy",
    "Metadata",
    "Parameters",
    "Conditions",
    "Resources",
    "Outputs",
    "Properties",
    "Sid",
];

/// The longest list that stands on one line, in characters.
const ONE_LINE: usize = 80;

/// The document, ending with a line break.
pub(super) fn text(document: &Value) -> String {
    let mut text = String::new();
    block(&mut text, document, 0);
    text
}

/// `value` on lines of its own, or behind what was written when it fits there.
fn block(text: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(key, _)| {
                (FIRST.iter().position(|first| first == key).unwrap_or(FIRST.len()), *key)
            });
            for (index, (key, value)) in fields.into_iter().enumerate() {
                // the first field of a list's item stands behind its dash
                if index > 0 || !text.ends_with("- ") {
                    indent(text, depth);
                }
                let _ = write!(text, "{}:", scalar(key));
                field(text, value, depth);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                indent(text, depth);
                text.push_str("- ");
                match item {
                    Value::Object(fields) if !fields.is_empty() => block(text, item, depth + 1),
                    _ => {
                        text.push_str(&flow(item));
                        text.push('\n');
                    }
                }
            }
        }
        _ => {
            text.push_str(&flow(value));
            text.push('\n');
        }
    }
}

/// What follows a key and its colon.
fn field(text: &mut String, value: &Value, depth: usize) {
    let line = flow(value);
    let nested = match value {
        Value::Object(fields) => !fields.is_empty(),
        Value::Array(items) => {
            !items.is_empty() && (line.len() > ONE_LINE || items.iter().any(Value::is_object))
        }
        _ => false,
    };
    if nested {
        text.push('\n');
        block(text, value, depth + 1);
    } else {
        let _ = writeln!(text, " {line}");
    }
}

fn indent(text: &mut String, depth: usize) {
    text.extend(std::iter::repeat_n("  ", depth));
}

/// On one line.
fn flow(value: &Value) -> String {
    match value {
        Value::String(text) => scalar(text),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(flow).collect();
            format!("[{}]", items.join(", "))
        }
        // JSON is YAML
        other => other.to_string(),
    }
}

fn scalar(text: &str) -> String {
    let bare = text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-/.:".contains(&byte))
        && !text.ends_with(':')
        && !RESERVED.iter().any(|reserved| text.eq_ignore_ascii_case(reserved));
    if bare { text.to_owned() } else { Value::from(text).to_string() }
}

/// What is a boolean or nothing in YAML 1.1. <https://yaml.org/type/bool.html>
const RESERVED: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn texts_stay_texts_and_the_order_is_that_of_templates() {
        let document = json!({
            "Resources": {
                "Role": {
                    "Properties": {
                        "Version": "2012-10-17",
                        "Own": "on",
                        "Size": 256,
                        "Yes": true,
                        "Arn": { "Fn::Sub": "arn:${AWS::Region}:*" },
                        "Names": ["a:b", "No", "c d"],
                        "Nested": [{ "B": 1, "A": { "Ref": "X" } }, "plain"],
                        "Empty": [],
                    },
                    "Type": "AWS::IAM::Role",
                },
            },
            "AWSTemplateFormatVersion": "2010-09-09",
        });
        let expected = r#"AWSTemplateFormatVersion: "2010-09-09"
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      Arn:
        Fn::Sub: "arn:${AWS::Region}:*"
      Empty: []
      Names: [a:b, "No", "c d"]
      Nested:
        - A:
            Ref: X
          B: 1
        - plain
      Own: "on"
      Size: 256
      Version: "2012-10-17"
      "Yes": true
"#;
        assert_eq!(text(&document), expected);
    }
}
