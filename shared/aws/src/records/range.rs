//! A query as DynamoDB takes it: one condition on the sort key, and a key to start behind.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use ports::{Order, Query, records::MAX_PART};

use crate::attributes::{PARTITION, SORT};

/// The sort keys that a query walks over; both ends belong to it.
#[derive(Debug, PartialEq)]
pub(super) struct Range {
    low: Option<String>,
    high: Option<String>,
    /// A prefix that says all that the ends could.
    prefix: Option<String>,
    /// The walk starts behind this one, which is between the ends.
    pub(super) start: Option<String>,
}

impl Range {
    /// The range of the query, or nothing if there can be no item in it: DynamoDB refuses a range whose
    /// ends are crossed, and a start outside of it.
    pub(super) fn of(query: &Query) -> Option<Self> {
        let Query { prefix, after, until, order, .. } = query;
        let prefix = Some(prefix.clone()).filter(|prefix| !prefix.is_empty());
        let (mut low, mut high) = (prefix.clone(), prefix.as_deref().map(greatest));
        let mut narrowed = false;
        if let Some(until) = until {
            let end = match order {
                Order::Ascending => &mut high,
                Order::Descending => &mut low,
            };
            narrowed = match (end.as_ref(), order) {
                (None, _) => true,
                (Some(high), Order::Ascending) => until < high,
                (Some(low), Order::Descending) => until > low,
            };
            if narrowed {
                *end = Some(until.clone());
            }
        }
        // no sort key is empty
        low = low.filter(|low| !low.is_empty());
        if high.as_deref() == Some("")
            || matches!((&low, &high), (Some(low), Some(high)) if low > high)
        {
            return None;
        }
        let is_below = |sort: &str| low.as_deref().is_some_and(|low| sort < low);
        let is_above = |sort: &str| high.as_deref().is_some_and(|high| sort > high);
        let start = match (after.as_deref(), order) {
            (None, _) => None,
            (Some(""), Order::Ascending) => None,
            (Some(""), Order::Descending) => return None,
            (Some(after), Order::Ascending) if is_above(after) => return None,
            (Some(after), Order::Descending) if is_below(after) => return None,
            (Some(after), _) => Some(after).filter(|after| !is_below(after) && !is_above(after)),
        };
        let start = start.map(str::to_owned);
        match prefix.filter(|_| !narrowed) {
            Some(prefix) => Some(Self { low: None, high: None, prefix: Some(prefix), start }),
            None => Some(Self { low, high, prefix: None, start }),
        }
    }

    /// The condition on the key, and the values that it names.
    pub(super) fn condition(&self, partition: &str) -> (String, HashMap<String, AttributeValue>) {
        let (sort, bounds) = match self {
            Self { prefix: Some(prefix), .. } => {
                (format!(" AND begins_with({SORT}, :prefix)"), vec![(":prefix", prefix)])
            }
            Self { low: Some(low), high: Some(high), .. } => (
                format!(" AND {SORT} BETWEEN :low AND :high"),
                vec![(":low", low), (":high", high)],
            ),
            Self { low: Some(low), .. } => (format!(" AND {SORT} >= :low"), vec![(":low", low)]),
            Self { high: Some(high), .. } => {
                (format!(" AND {SORT} <= :high"), vec![(":high", high)])
            }
            _ => (String::new(), Vec::new()),
        };
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let bounds = bounds.into_iter().map(|(name, bound)| (name.to_owned(), text(bound)));
        let partition = (":partition".to_owned(), text(partition));
        (format!("{PARTITION} = :partition{sort}"), bounds.chain([partition]).collect())
    }
}

/// The greatest sort key that begins with `prefix`: filled up to the longest with the greatest
/// characters that fit.
fn greatest(prefix: &str) -> String {
    let mut key = prefix.to_owned();
    for last in ['\u{10FFFF}', '\u{FFFF}', '\u{7FF}', '\u{7F}'] {
        let left = MAX_PART.saturating_sub(key.len());
        key.extend(std::iter::repeat_n(last, left / last.len_utf8()));
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(
        prefix: &str,
        after: Option<&str>,
        until: Option<&str>,
        order: Order,
    ) -> Option<Range> {
        let mut query = Query::new("p", prefix, 10);
        (query.after, query.until) = (after.map(str::to_owned), until.map(str::to_owned));
        query.order = order;
        Range::of(&query)
    }

    fn condition(range: Option<Range>) -> Option<(String, Option<String>)> {
        range.map(|range| (range.condition("p").0, range.start))
    }

    #[test]
    fn each_query_is_one_condition() {
        use Order::{Ascending, Descending};
        let all = "pk = :partition";
        let cases = [
            (("", None, None, Ascending), Some((all.to_owned(), None))),
            (("", Some("m"), None, Descending), Some((all.to_owned(), Some("m")))),
            (
                ("a", None, None, Ascending),
                Some((format!("{all} AND begins_with(sk, :prefix)"), None)),
            ),
            (("", None, Some("m"), Ascending), Some((format!("{all} AND sk <= :high"), None))),
            (("", None, Some("m"), Descending), Some((format!("{all} AND sk >= :low"), None))),
            (
                ("a", None, Some("am"), Ascending),
                Some((format!("{all} AND sk BETWEEN :low AND :high"), None)),
            ),
            (
                ("a", None, Some("z"), Ascending),
                Some((format!("{all} AND begins_with(sk, :prefix)"), None)),
            ),
            (
                ("b", Some("a"), None, Ascending),
                Some((format!("{all} AND begins_with(sk, :prefix)"), None)),
            ),
            (("b", Some("c"), None, Ascending), None),
            (("b", Some("a"), None, Descending), None),
            (("b", None, Some("a"), Ascending), None),
            (("", Some("z"), Some("a"), Ascending), None),
            (("", None, Some(""), Ascending), None),
            (("", None, Some(""), Descending), Some((all.to_owned(), None))),
            (("", Some(""), None, Ascending), Some((all.to_owned(), None))),
            (("", Some(""), None, Descending), None),
        ];
        for ((prefix, after, until, order), expected) in cases {
            let found = condition(range(prefix, after, until, order));
            let expected = expected
                .map(|(text, start): (String, Option<&str>)| (text, start.map(str::to_owned)));
            assert_eq!(found, expected, "{prefix:?} {after:?} {until:?} {order:?}");
        }
    }

    #[test]
    fn the_greatest_key_of_a_prefix_is_above_all_others_and_no_longer_than_a_key() {
        for length in 1..9 {
            let prefix = "x".repeat(length);
            let greatest = greatest(&prefix);
            assert_eq!(greatest.len(), MAX_PART);
            for other in ["\u{10FFFF}".repeat(200), "\u{10FFFF}\u{FFFF}".into(), "z".into()] {
                assert!(format!("{prefix}{other}") < greatest);
            }
        }
    }
}
