//! Items as DynamoDB has them: typed attributes, made of JSON text and made back into it.
//!
//! Texts, booleans, null, lists and maps are each the same on both sides. DynamoDB's numbers are decimal
//! with 38 digits and lose how they were written: `1.0` comes back as `1`, and `1e300` is refused. So
//! only numbers that come back as they were are numbers there; of all others the JSON text is stored,
//! as bytes: JSON has none, so they mean nothing else.
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html>

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
};

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use ports::{Error, Item, Key, Result};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::IgnoredAny,
    ser::{Error as _, SerializeMap},
};
use serde_json::value::RawValue;

/// The attributes of the table's key.
pub(crate) const PARTITION: &str = "pk";
pub(crate) const SORT: &str = "sk";

/// How many digits a number keeps.
const DIGITS: usize = 38;

/// An item's attributes, by name.
pub(crate) type Attributes = HashMap<String, AttributeValue>;

#[derive(Deserialize, PartialEq, Eq, Hash)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// The key's attributes.
pub(crate) fn key(key: &Key) -> Attributes {
    let text = |text: &String| AttributeValue::S(text.clone());
    [(PARTITION.to_owned(), text(&key.partition)), (SORT.to_owned(), text(&key.sort))].into()
}

/// The item's attributes, without its key.
///
/// # Errors
/// [`Invalid`](Error::Invalid) for a text that is no JSON object, or names the key's attributes.
pub(crate) fn of(item: &Item) -> Result<Attributes> {
    let attributes = map(item.json())
        .map_err(|error| Error::Invalid(format!("the item is no JSON object: {error}")))?;
    match [PARTITION, SORT].into_iter().find(|name| attributes.contains_key(*name)) {
        None => Ok(attributes),
        Some(name) => {
            Err(Error::Invalid(format!("the attribute `{name}` is the table's own: rename it")))
        }
    }
}

fn map(json: &[u8]) -> serde_json::Result<Attributes> {
    let entries: HashMap<Name<'_>, &RawValue> = serde_json::from_slice(json)?;
    entries.into_iter().map(|(Name(name), json)| Ok((name.into_owned(), value(json)?))).collect()
}

/// One value. Each level is read by itself, with what is below it as text, so that numbers are seen as
/// they were written.
fn value(json: &RawValue) -> serde_json::Result<AttributeValue> {
    let text = json.get();
    Ok(match text.as_bytes().first() {
        Some(b'{') => AttributeValue::M(map(text.as_bytes())?),
        Some(b'[') => {
            let entries: Vec<&RawValue> = serde_json::from_str(text)?;
            AttributeValue::L(entries.into_iter().map(value).collect::<Result<_, _>>()?)
        }
        Some(b'"') => AttributeValue::S(serde_json::from_str(text)?),
        Some(b't' | b'f') => AttributeValue::Bool(text.starts_with('t')),
        Some(b'n') => AttributeValue::Null(true),
        _ if comes_back(text) => AttributeValue::N(text.to_owned()),
        _ => AttributeValue::B(Blob::new(text)),
    })
}

/// Whether DynamoDB gives back the same number: a whole one, or one with a point and no zero at the end,
/// that has few enough digits and no exponent.
fn comes_back(number: &str) -> bool {
    let digits = number.strip_prefix('-').unwrap_or(number);
    if digits.len() > DIGITS || digits.contains(['e', 'E']) || number == "-0" {
        return false;
    }
    !(digits.contains('.') && digits.ends_with('0'))
}

/// What DynamoDB stores under a name, as its clients and Lambda's events give it.
#[derive(Debug, Deserialize)]
pub(crate) enum Attribute {
    S(String),
    N(String),
    #[serde(deserialize_with = "bytes")]
    B(Vec<u8>),
    #[serde(rename = "BOOL")]
    Bool(bool),
    #[serde(rename = "NULL")]
    Null(IgnoredAny),
    L(Vec<Attribute>),
    M(BTreeMap<String, Attribute>),
    /// A type that this platform never writes.
    #[serde(rename = "SS", alias = "NS", alias = "BS")]
    Foreign(IgnoredAny),
}

fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = <Cow<'de, str>>::deserialize(deserializer)?;
    BASE64.decode(text.as_bytes()).map_err(serde::de::Error::custom)
}

/// The table's client and that of its streams have a type each for the same.
macro_rules! from_client {
    ($client:ident) => {
        impl From<$client::types::AttributeValue> for Attribute {
            fn from(value: $client::types::AttributeValue) -> Self {
                use $client::types::AttributeValue as Value;
                match value {
                    Value::S(text) => Self::S(text),
                    Value::N(number) => Self::N(number),
                    Value::B(bytes) => Self::B(bytes.into_inner()),
                    Value::Bool(value) => Self::Bool(value),
                    Value::Null(_) => Self::Null(IgnoredAny),
                    Value::L(entries) => Self::L(entries.into_iter().map(Self::from).collect()),
                    Value::M(entries) => Self::M(named(entries)),
                    _ => Self::Foreign(IgnoredAny),
                }
            }
        }
    };
}

from_client!(aws_sdk_dynamodb);
from_client!(aws_sdk_dynamodbstreams);

/// Attributes by name, in the order of the names: so the same item always has the same text.
pub(crate) fn named<A: Into<Attribute>>(all: HashMap<String, A>) -> BTreeMap<String, Attribute> {
    all.into_iter().map(|(name, value)| (name, value.into())).collect()
}

/// The item of these attributes and, if they are among them, its key.
///
/// # Errors
/// For attributes that this platform did not write.
pub(crate) fn item(mut attributes: BTreeMap<String, Attribute>) -> Result<(Option<Key>, Item)> {
    let (partition, sort) = (attributes.remove(PARTITION), attributes.remove(SORT));
    let key = match (partition, sort) {
        (Some(Attribute::S(partition)), Some(Attribute::S(sort))) => Some(Key { partition, sort }),
        _ => None,
    };
    let json = serde_json::to_vec(&attributes).map_err(|error| {
        Error::Unavailable(format!(
            "an item of the table was not written by this platform: {error}"
        ))
    })?;
    Ok((key, Item::from_json(json.into())))
}

impl Serialize for Attribute {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let number = |json: &str| {
            RawValue::from_string(json.to_owned())
                .map_err(|_| S::Error::custom(format!("{json:?} is no number")))
        };
        match self {
            Self::S(text) => serializer.serialize_str(text),
            Self::N(json) => number(json)?.serialize(serializer),
            Self::B(json) => number(&String::from_utf8_lossy(json))?.serialize(serializer),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Null(_) => serializer.serialize_unit(),
            Self::L(entries) => serializer.collect_seq(entries),
            Self::M(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (name, value) in entries {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
            Self::Foreign(_) => Err(S::Error::custom("an attribute has a type without JSON form")),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn there(json: &str) -> Attributes {
        of(&Item::from_json(json.to_owned().into())).unwrap()
    }

    #[test]
    fn items_come_back_as_the_same_text() {
        let json = r#"{"array":[1,[],{}],"deep":{"a":{"b":[null,true,false]}},"empty":"","text":"ä\n\"\u0000"}"#;
        let (key, item) = item(named(there(json))).unwrap();
        assert_eq!(key, None);
        assert_eq!(item.json(), json);
    }

    #[test]
    fn numbers_keep_how_they_were_written() {
        let numbers = [
            ("0", true),
            ("-7", true),
            ("18446744073709551615", true),
            ("-9223372036854775808", true),
            ("1.5", true),
            ("0.000012345678901234567", true),
            ("99999999999999999999999999999999999999", true),
            ("999999999999999999999999999999999999999", false),
            ("-0", false),
            ("1.0", false),
            ("-0.0", false),
            ("1e300", false),
            ("5e-324", false),
            ("1.7976931348623157e308", false),
        ];
        for (number, is_number) in numbers {
            let attributes = there(&format!(r#"{{"n":{number}}}"#));
            assert_eq!(attributes["n"].is_n(), is_number, "{number}");
            let (_, item) = item(named(attributes)).unwrap();
            assert_eq!(item.json(), format!(r#"{{"n":{number}}}"#).as_str());
        }
    }

    #[test]
    fn the_key_is_no_part_of_the_item() {
        let mut attributes = there(r#"{"a":1}"#);
        attributes.extend(key(&Key::new("p", "s")));
        let (key, item) = item(named(attributes)).unwrap();
        assert_eq!(key, Some(Key::new("p", "s")));
        assert_eq!(item.json(), r#"{"a":1}"#);
        for json in [r#"{"pk":1}"#, r#"{"sk":"x"}"#, "[]", "7", "{"] {
            let refused = of(&Item::from_json(json.into()));
            assert!(matches!(refused, Err(Error::Invalid(_))), "{json}");
        }
    }

    #[test]
    fn what_nobody_here_writes_is_an_error_and_no_panic() {
        let sets: BTreeMap<String, Attribute> =
            [("a".to_owned(), AttributeValue::Ss(vec!["x".into()]).into())].into();
        assert!(matches!(item(sets), Err(Error::Unavailable(_))));
        let bytes = [("a".to_owned(), Attribute::B(b"\xff".to_vec()))].into();
        assert!(matches!(item(bytes), Err(Error::Unavailable(_))));
    }
}
