//! Writes as DynamoDB takes them: conditions and updates as expressions, every name and value a
//! placeholder.

use std::{collections::HashMap, fmt::Write as _};

use aws_sdk_dynamodb::types::{
    AttributeValue, Delete, Put, ReturnValuesOnConditionCheckFailure::AllOld, TransactWriteItem,
    Update,
};
use ports::{Condition, Error, Item, Result, Write};

use crate::attributes::{self, Attributes, PARTITION, SORT};

/// The attribute that counts an item's updates.
const VERSION: &str = "version";

/// The map of live attempts.
const FENCES: &str = "fences";

/// A write that is well-formed.
#[derive(Clone, Debug)]
pub(super) enum Prepared {
    Put { item: Attributes, when: When },
    Update { key: Attributes, update: String, when: When },
    Delete { key: Attributes, when: When },
}

/// A condition, with the names and values of all expressions of the write.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct When {
    pub(super) expression: Option<String>,
    pub(super) names: Option<HashMap<String, String>>,
    pub(super) values: Option<Attributes>,
}

impl When {
    fn new(condition: &Condition) -> Self {
        let mut when = Self::default();
        when.expression = match condition {
            Condition::Always => None,
            Condition::Absent => Some(format!("attribute_not_exists({PARTITION})")),
            Condition::Exists => Some(format!("attribute_exists({PARTITION})")),
            Condition::Version(version) => {
                when.name("#version", VERSION);
                when.value(":version", AttributeValue::N(version.to_string()));
                Some(match version {
                    // an item without one counts as 0
                    0 => format!(
                        "attribute_exists({PARTITION}) AND \
                         (attribute_not_exists(#version) OR #version = :version)"
                    ),
                    _ => "#version = :version".to_owned(),
                })
            }
            Condition::Fence(fence) => {
                when.name("#fences", FENCES);
                when.name("#fence", fence);
                Some("attribute_exists(#fences.#fence)".to_owned())
            }
        };
        when
    }

    fn name(&mut self, placeholder: &str, name: &str) {
        self.names.get_or_insert_default().insert(placeholder.to_owned(), name.to_owned());
    }

    fn value(&mut self, placeholder: &str, value: AttributeValue) {
        self.values.get_or_insert_default().insert(placeholder.to_owned(), value);
    }
}

impl Prepared {
    /// Checks the write by itself.
    ///
    /// # Errors
    /// [`Invalid`](Error::Invalid) with what to change.
    pub(super) fn new(write: Write) -> Result<Self> {
        write.key().check()?;
        let key = attributes::key(write.key());
        let when = When::new(write.condition());
        Ok(match write {
            Write::Put { item, .. } => {
                item.check()?;
                let mut item = attributes::of(&item)?;
                item.extend(key);
                Self::Put { item, when }
            }
            Write::Update { set, remove, .. } => {
                let (update, when) = update(&set, &remove, when)?;
                Self::Update { key, update, when }
            }
            Write::Delete { .. } => Self::Delete { key, when },
        })
    }

    /// As a part of a transaction on the table.
    pub(super) fn in_transaction(self, table: &str) -> Result<TransactWriteItem> {
        let write = TransactWriteItem::builder();
        let write = match self {
            Self::Put { item, when } => write.put(
                Put::builder()
                    .table_name(table)
                    .set_item(Some(item))
                    .set_condition_expression(when.expression)
                    .set_expression_attribute_names(when.names)
                    .set_expression_attribute_values(when.values)
                    .return_values_on_condition_check_failure(AllOld)
                    .build()
                    .map_err(Error::unavailable)?,
            ),
            Self::Update { key, update, when } => write.update(
                Update::builder()
                    .table_name(table)
                    .set_key(Some(key))
                    .update_expression(update)
                    .set_condition_expression(when.expression)
                    .set_expression_attribute_names(when.names)
                    .set_expression_attribute_values(when.values)
                    .return_values_on_condition_check_failure(AllOld)
                    .build()
                    .map_err(Error::unavailable)?,
            ),
            Self::Delete { key, when } => write.delete(
                Delete::builder()
                    .table_name(table)
                    .set_key(Some(key))
                    .set_condition_expression(when.expression)
                    .set_expression_attribute_names(when.names)
                    .set_expression_attribute_values(when.values)
                    .return_values_on_condition_check_failure(AllOld)
                    .build()
                    .map_err(Error::unavailable)?,
            ),
        };
        Ok(write.build())
    }
}

/// The update's expression, and its names and values beside those of the condition.
fn update(set: &Item, remove: &[String], mut when: When) -> Result<(String, When)> {
    set.check()?;
    let set = attributes::of(set)?;
    if set.contains_key(VERSION) || remove.iter().any(|name| name == VERSION) {
        return Err(Error::Invalid("an update counts `version` itself: leave it out".to_owned()));
    }
    if let Some(name) = remove.iter().find(|name| [PARTITION, SORT].contains(&name.as_str())) {
        return Err(Error::Invalid(format!("the attribute `{name}` is the table's own")));
    }
    let mut expression = String::new();
    // what is set and removed is removed; DynamoDB takes each name once
    let set = set.into_iter().filter(|(name, _)| !remove.contains(name));
    for (number, (name, value)) in set.enumerate() {
        let before = if number == 0 { "SET " } else { ", " };
        // writing to a text cannot fail
        let _ = write!(expression, "{before}#s{number} = :s{number}");
        when.name(&format!("#s{number}"), &name);
        when.value(&format!(":s{number}"), value);
    }
    let mut removed: Vec<_> = remove.iter().collect();
    removed.sort_unstable();
    removed.dedup();
    for (number, name) in removed.into_iter().enumerate() {
        let before = if number == 0 { " REMOVE " } else { ", " };
        let _ = write!(expression, "{before}#r{number}");
        when.name(&format!("#r{number}"), name);
    }
    when.name("#version", VERSION);
    when.value(":one", AttributeValue::N("1".to_owned()));
    expression.push_str(" ADD #version :one");
    Ok((expression.trim_start().to_owned(), when))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use ports::Key;

    use super::*;

    fn updated(set: &str, remove: &[&str]) -> Result<(String, When)> {
        let write = Write::Update {
            key: Key::new("p", "s"),
            set: Item::from_json(set.to_owned().into()),
            remove: remove.iter().map(ToString::to_string).collect(),
            condition: Condition::Fence("f.1".to_owned()),
        };
        match Prepared::new(write)? {
            Prepared::Update { update, when, .. } => Ok((update, when)),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_update_names_nothing_but_by_placeholders() {
        let (update, when) = updated(r#"{"a.b":1}"#, &["size", "size"]).unwrap();
        assert_eq!(update, "SET #s0 = :s0 REMOVE #r0 ADD #version :one");
        assert_eq!(when.expression.as_deref(), Some("attribute_exists(#fences.#fence)"));
        let names = when.names.unwrap();
        assert_eq!((names["#s0"].as_str(), names["#r0"].as_str()), ("a.b", "size"));
        assert_eq!(names["#fence"], "f.1");
    }

    #[test]
    fn what_is_set_and_removed_is_removed() {
        assert_eq!(updated(r#"{"a":1}"#, &["a"]).unwrap().0, "REMOVE #r0 ADD #version :one");
        assert_eq!(updated("{}", &[]).unwrap().0, "ADD #version :one");
    }

    #[test]
    fn nobody_else_counts_versions_or_moves_items() {
        for (set, remove) in [
            (r#"{"version":1}"#, &[][..]),
            ("{}", &["version"]),
            (r#"{"pk":"x"}"#, &[]),
            ("{}", &["sk"]),
        ] {
            let refused = updated(set, remove);
            assert!(matches!(refused, Err(Error::Invalid(_))), "{set} {remove:?}: {refused:?}");
        }
    }
}
