//! What a write does to one item.

use ports::{Condition, Error, Item, Result, Write};
use serde::Deserialize;
use serde_json::{Map, Value};

/// The attribute that counts an item's updates.
const VERSION: &str = "version";

/// What the store itself looks at in an item.
#[derive(Default, Deserialize)]
struct Reserved {
    #[serde(default)]
    version: Value,
    #[serde(default)]
    fences: Value,
    #[serde(default)]
    expires_at: Value,
}

/// The epoch second after which the item may go; nothing but a whole number says so.
pub(super) fn expires_at(item: &Item) -> Option<u64> {
    item.decode::<Reserved>().ok()?.expires_at.as_u64()
}

/// Whether the write is well-formed by itself.
pub(super) fn check(write: &Write) -> Result<()> {
    write.key().check()?;
    match write {
        Write::Put { item, .. } => {
            item.check()?;
            attributes(item).map(drop)
        }
        Write::Update { set, remove, .. } => {
            set.check_depth()?;
            if attributes(set)?.contains_key(VERSION) || remove.iter().any(|name| name == VERSION) {
                let message = "an update counts `version` itself: leave it out";
                return Err(Error::Invalid(message.to_owned()));
            }
            Ok(())
        }
        Write::Delete { .. } => Ok(()),
    }
}

/// Whether the condition holds for the item as it is.
pub(super) fn holds(condition: &Condition, old: Option<&Item>) -> Result<bool> {
    let reserved = || old.map(Item::decode::<Reserved>).transpose();
    Ok(match condition {
        Condition::Always => true,
        Condition::Absent => old.is_none(),
        Condition::Exists => old.is_some(),
        Condition::Version(wanted) => {
            reserved()?.is_some_and(|old| old.version.as_u64().unwrap_or(0) == *wanted)
        }
        Condition::Fence(fence) => reserved()?.is_some_and(|old| old.fences.get(fence).is_some()),
    })
}

/// The item after the write; `None` when there is none then.
pub(super) fn after(write: Write, old: Option<&Item>) -> Result<Option<Item>> {
    match write {
        Write::Put { item, .. } => Ok(Some(item)),
        Write::Delete { .. } => Ok(None),
        Write::Update { set, remove, .. } => {
            let mut all = old.map(attributes).transpose()?.unwrap_or_default();
            let version = all.get(VERSION).and_then(Value::as_u64).unwrap_or(0) + 1;
            all.extend(attributes(&set)?);
            for name in remove {
                all.remove(&name);
            }
            all.insert(VERSION.to_owned(), version.into());
            let new = Item::encode(&all)?;
            new.check_size()?;
            Ok(Some(new))
        }
    }
}

fn attributes(item: &Item) -> Result<Map<String, Value>> {
    serde_json::from_slice(item.json())
        .map_err(|error| Error::Invalid(format!("an item is a JSON object: {error}")))
}
