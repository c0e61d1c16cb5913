//! One write: checked and serialised before anybody waits for it, then judged against the item as
//! it is.

use fjall::Slice;
use ports::{Condition, Error, Item, Result, Write};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::stored::{Attributes, Image, item, no_object, parse};
use crate::keys;

/// The attribute that counts an item's updates.
const VERSION: &str = "version";

/// The attribute with the epoch second after which an item may go.
pub(crate) const EXPIRES_AT: &str = "expires_at";

/// A write that is well-formed.
pub(super) struct Prepared {
    pub(super) key: Vec<u8>,
    condition: Condition,
    change: Change,
}

enum Change {
    Put { new: Image, expires_at: Option<u64> },
    Update { set: Item, remove: Vec<String> },
    Delete,
}

/// The second after which an item that is to be written may go; nothing but a whole number says so.
fn expires_at(item: &Item) -> Result<Option<u64>> {
    #[derive(Deserialize)]
    struct Reserved<'a> {
        #[serde(borrow, default)]
        expires_at: Option<&'a RawValue>,
    }
    if let Some(second) = last_attribute(item.json()) {
        return Ok(Some(second));
    }
    let Reserved { expires_at } = parse(item.json()).map_err(no_object)?;
    Ok(expires_at.and_then(|second| serde_json::from_str(second.get()).ok()))
}

/// The second, where that is the last attribute, as it is of every job. What stands between the name
/// and the end is a number and one bracket, so it belongs to the item itself and not to a part of it.
fn last_attribute(json: &[u8]) -> Option<u64> {
    let open = json.strip_suffix(b"}")?;
    let digits = open.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let (before, second) = open.split_at(open.len() - digits);
    let before = before.strip_suffix(b"\"expires_at\":")?;
    if !matches!(before.last(), Some(b',' | b'{')) {
        return None;
    }
    str::from_utf8(second).ok()?.parse().ok()
}

fn counts_itself() -> Error {
    Error::Invalid("an update counts `version` itself: leave it out".to_owned())
}

/// What a write whose condition holds does to an item; nothing when there is neither an old nor a
/// new one.
pub(super) struct Outcome {
    pub(super) old: Option<Slice>,
    pub(super) new: Option<Image>,
    /// When the write says so; an update may leave it as it was.
    pub(super) expires_at: Option<u64>,
}

impl Prepared {
    /// Checks the write by itself.
    pub(super) fn new(write: Write) -> Result<Self> {
        let key = keys::encode(write.key())?;
        let (condition, change) = match write {
            Write::Put { item, condition, .. } => {
                item.check()?;
                let expires_at = expires_at(&item)?;
                (condition, Change::Put { new: Image::of(item), expires_at })
            }
            Write::Update { set, remove, condition, .. } => {
                set.check_depth()?;
                if remove.iter().any(|name| name == VERSION) {
                    return Err(counts_itself());
                }
                (condition, Change::Update { set, remove })
            }
            Write::Delete { condition, .. } => (condition, Change::Delete),
        };
        Ok(Self { key, condition, change })
    }

    /// Whether the write holds for new items only, so that it is a good guess that there is none.
    pub(super) fn expects_none(&self) -> bool {
        self.condition == Condition::Absent
    }

    /// Judges the write on the item as it is.
    pub(super) fn judge(&self, old: Option<Slice>) -> Result<Outcome> {
        let set = match &self.change {
            Change::Update { set, .. } => Attributes::of_new(set)?,
            Change::Put { .. } | Change::Delete => Attributes::default(),
        };
        if set.has(VERSION) {
            return Err(counts_itself());
        }
        // The old item is read only where its content matters, and then not deeper than that needs.
        let attributes = match (&old, &self.condition, &self.change) {
            (Some(json), Condition::Version(_) | Condition::Fence(_), _)
            | (Some(json), _, Change::Update { .. }) => Some(Attributes::of(json)?),
            _ => None,
        };
        let holds = match &self.condition {
            Condition::Always => true,
            Condition::Absent => old.is_none(),
            Condition::Exists => old.is_some(),
            Condition::Version(wanted) => {
                attributes.as_ref().is_some_and(|old| old.number(VERSION).unwrap_or(0) == *wanted)
            }
            Condition::Fence(fence) => {
                attributes.as_ref().is_some_and(|old| old.has_entry("fences", fence))
            }
        };
        if !holds {
            return Err(Error::ConditionFailed(old.as_ref().map(item)));
        }
        let (new, expires_at) = match &self.change {
            Change::Put { new, expires_at } => (Some(new.clone()), *expires_at),
            Change::Update { remove, .. } => {
                let attributes = attributes.unwrap_or_default();
                let version = attributes.number(VERSION).unwrap_or(0) + 1;
                let json = attributes.updated(&set, remove, (VERSION, version))?;
                let new = Item::from_json(json.into());
                new.check_size()?;
                (Some(Image::of(new)), set.number(EXPIRES_AT))
            }
            Change::Delete => (None, None),
        };
        Ok(Outcome { old, new, expires_at })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn an_item_says_itself_when_it_may_go_and_no_part_of_it_does() {
        let cases = [
            (r#"{"a":1,"expires_at":12}"#, Some(12)),
            (r#"{"expires_at":12}"#, Some(12)),
            (r#"{"expires_at":12,"a":1}"#, Some(12)),
            (r#"{ "expires_at": 12 }"#, Some(12)),
            (r#"{"a":{"expires_at":12}}"#, None),
            (r#"{"a":"\",\"expires_at\":12}"}"#, None),
            (r#"{"\"expires_at":12}"#, None),
            (r#"{"not_expires_at":12}"#, None),
            (r#"{"expires_at":-12}"#, None),
            (r#"{"expires_at":1.5}"#, None),
            (r#"{"expires_at":null}"#, None),
            (r#"{"expires_at":99999999999999999999}"#, None),
            ("{}", None),
        ];
        for (json, second) in cases {
            let item = Item::from_json(json.into());
            assert_eq!(expires_at(&item).unwrap(), second, "{json}");
        }
        assert!(expires_at(&Item::from_json("{\"a\":".into())).is_err());
    }
}
