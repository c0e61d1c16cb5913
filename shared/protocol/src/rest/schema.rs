//! JSON Schemas as they are given.

use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, Visitor},
};
use serde_json::{Map, Value, value::RawValue};

/// A schema, and the order in which it declares its properties, which a map forgets.
#[derive(Clone, Debug, PartialEq)]
pub struct Declared {
    /// The schema.
    pub schema: Map<String, Value>,
    /// The names of its `properties`, in the order of the text.
    pub properties: Vec<String>,
}

impl<'de> Deserialize<'de> for Declared {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Properties {
            #[serde(default)]
            properties: Names,
        }
        let text = Box::<RawValue>::deserialize(deserializer)?;
        let schema = serde_json::from_str(text.get()).map_err(D::Error::custom)?;
        // `properties` that are no object have no names
        let read = serde_json::from_str(text.get());
        let properties = read.map(|read: Properties| read.properties.0).unwrap_or_default();
        Ok(Self { schema, properties })
    }
}

/// The keys of an object, in its order.
#[derive(Default)]
struct Names(Vec<String>);

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = Names;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Names, A::Error> {
                let mut names = Vec::new();
                while let Some((name, IgnoredAny)) = map.next_entry()? {
                    names.push(name);
                }
                Ok(Names(names))
            }
        }
        deserializer.deserialize_map(Keys)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn properties_keep_their_order() {
        let text = r#"{"properties": {"b": {"z": 1}, "a": {}, "c": true}, "type": "object"}"#;
        let declared: Declared = serde_json::from_str(text).unwrap();
        assert_eq!(declared.properties, ["b", "a", "c"]);
        assert_eq!(declared.schema["type"], "object");
        for text in ["{}", r#"{"properties": 1}"#] {
            let declared: Declared = serde_json::from_str(text).unwrap();
            assert_eq!(declared.properties, [""; 0]);
        }
        assert!(serde_json::from_str::<Declared>("[]").is_err());
    }
}
