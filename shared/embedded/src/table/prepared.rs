//! One write: checked and serialised before anybody waits for it, then judged against the item as
//! it is.

use fjall::Slice;
use ports::{Condition, Error, Item, MAX_ITEM, Result, Write};
use serde_json::Value;

use super::stored::{Attributes, parse};
use crate::{expiry, keys};

/// The attribute that counts an item's updates.
const VERSION: &str = "version";

/// How deep maps and lists may lie in each other, the item itself included (DynamoDB's limit).
/// Without it an item could be written that no parser reads again.
const MAX_DEPTH: usize = 32;

/// A write that is well-formed.
pub(super) struct Prepared {
    pub(super) key: Vec<u8>,
    condition: Condition,
    change: Change,
}

enum Change {
    Put { json: Slice, expires_at: Option<u64> },
    Update { set: Item, remove: Vec<String> },
    Delete,
}

/// What a write whose condition holds does to an item; nothing when there is neither an old nor a
/// new one.
pub(super) struct Outcome {
    pub(super) old: Option<Slice>,
    pub(super) new: Option<Slice>,
    /// When the write says so; an update may leave it as it was.
    pub(super) expires_at: Option<u64>,
}

impl Prepared {
    /// Checks the write by itself.
    pub(super) fn new(write: Write) -> Result<Self> {
        let key = keys::encode(write.key())?;
        let (condition, change) = match write {
            Write::Put { item, condition, .. } => {
                check_depth(&item)?;
                let json =
                    serde_json::to_vec(&item).map_err(|error| Error::Invalid(error.to_string()))?;
                let expires_at = expiry::expires_at(&item);
                (condition, Change::Put { json: checked(json)?, expires_at })
            }
            Write::Update { set, remove, condition, .. } => {
                if set.contains_key(VERSION) || remove.iter().any(|name| name == VERSION) {
                    return Err(Error::Invalid(
                        "an update counts `version` itself: leave it out".to_owned(),
                    ));
                }
                check_depth(&set)?;
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
            let old = old.as_ref().map(parse).transpose()?;
            return Err(Error::ConditionFailed(old.map(Box::new)));
        }
        let (new, expires_at) = match &self.change {
            Change::Put { json, expires_at } => (Some(json.clone()), *expires_at),
            Change::Update { set, remove } => {
                let attributes = attributes.unwrap_or_default();
                let version = attributes.number(VERSION).unwrap_or(0) + 1;
                let json = attributes.updated(set, remove, (VERSION, version))?;
                (Some(checked(json)?), expiry::expires_at(set))
            }
            Change::Delete => (None, None),
        };
        Ok(Outcome { old, new, expires_at })
    }
}

fn checked(json: Vec<u8>) -> Result<Slice> {
    if json.len() <= MAX_ITEM {
        return Ok(json.into());
    }
    Err(Error::Invalid(format!(
        "the item has {} bytes of JSON, {MAX_ITEM} are allowed: store large parts as blobs",
        json.len()
    )))
}

fn check_depth(item: &Item) -> Result<()> {
    if item.values().all(|value| is_shallow(value, MAX_DEPTH - 1)) {
        return Ok(());
    }
    Err(Error::Invalid(format!(
        "the item is nested more than {MAX_DEPTH} levels deep: store such parts as text or blobs"
    )))
}

/// Whether the value has at most `levels` levels.
fn is_shallow(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(values) => {
            levels > 0 && values.iter().all(|value| is_shallow(value, levels - 1))
        }
        Value::Object(values) => {
            levels > 0 && values.values().all(|value| is_shallow(value, levels - 1))
        }
        _ => true,
    }
}
