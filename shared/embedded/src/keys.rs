//! How keys are written in the engine: the partition's length, the partition, the sort key. So the
//! items of one partition lie together in the byte order of their sort keys, and no character
//! needs escaping.

use std::ops::Bound;

use ports::{Key, Order, Query, Result};

const LENGTH: usize = size_of::<u16>();

/// Where a walk over the engine's keys begins and ends.
pub(crate) type Range = (Bound<Vec<u8>>, Bound<Vec<u8>>);

/// The key in bytes, once its parts are found well-formed.
pub(crate) fn encode(key: &Key) -> Result<Vec<u8>> {
    key.check()?;
    let mut bytes = start(&key.partition, key.sort.len());
    bytes.extend_from_slice(key.sort.as_bytes());
    Ok(bytes)
}

/// The key in bytes, however malformed its parts; what no record can have matches none.
pub(crate) fn encode_any(key: &Key) -> Vec<u8> {
    encode(key).unwrap_or_default()
}

/// The key that `encode` made these bytes of.
pub(crate) fn decode(bytes: &[u8]) -> Option<Key> {
    let (length, rest) = bytes.split_first_chunk::<LENGTH>()?;
    let (partition, sort) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    Some(Key::new(str::from_utf8(partition).ok()?, str::from_utf8(sort).ok()?))
}

/// The part of the engine's key that is the sort key, given the partition.
pub(crate) fn sort_key<'a>(bytes: &'a [u8], partition: &str) -> Option<&'a str> {
    str::from_utf8(bytes.get(LENGTH + partition.len()..)?).ok()
}

/// The range of engine keys that `query` walks over, whatever its direction.
pub(crate) fn range(query: &Query) -> Result<Range> {
    query.check()?;
    let at = |sort: &str| {
        let mut bytes = start(&query.partition, sort.len());
        bytes.extend_from_slice(sort.as_bytes());
        bytes
    };
    let prefix = at(&query.prefix);
    let mut low = Bound::Included(prefix.clone());
    let mut high = Bound::Excluded(behind(prefix));
    let (after, until) = match query.order {
        Order::Ascending => (&mut low, &mut high),
        Order::Descending => (&mut high, &mut low),
    };
    let ascending = query.order == Order::Ascending;
    if let Some(sort) = &query.after {
        narrow(after, Bound::Excluded(at(sort)), ascending);
    }
    if let Some(sort) = &query.until {
        narrow(until, Bound::Included(at(sort)), !ascending);
    }
    Ok((low, high))
}

/// Whether there is nothing between the bounds; the engine must not be asked for such a range.
pub(crate) fn is_empty((low, high): &Range) -> bool {
    match (low, high) {
        (Bound::Included(low), Bound::Included(high)) => low > high,
        (Bound::Included(low) | Bound::Excluded(low), Bound::Excluded(high))
        | (Bound::Excluded(low), Bound::Included(high)) => low >= high,
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
    }
}

/// Replaces the bound where the candidate is stricter; at the same key, excluding is.
fn narrow(bound: &mut Bound<Vec<u8>>, candidate: Bound<Vec<u8>>, is_low: bool) {
    let (Bound::Included(old) | Bound::Excluded(old)) = &*bound else { return };
    let (Bound::Included(new) | Bound::Excluded(new)) = &candidate else { return };
    let stricter = if is_low { new > old } else { new < old };
    if stricter || (new == old && matches!(candidate, Bound::Excluded(_))) {
        *bound = candidate;
    }
}

fn start(partition: &str, more: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(LENGTH + partition.len() + more);
    // Checked by every caller to be at most `ports::records::MAX_PART`.
    bytes.extend_from_slice(&(partition.len() as u16).to_be_bytes());
    bytes.extend_from_slice(partition.as_bytes());
    bytes
}

/// The smallest key that is greater than all that begin with `prefix`.
fn behind(mut prefix: Vec<u8>) -> Vec<u8> {
    // The length in front is at most 1024, so its first byte never is 0xFF and the loop ends there
    // at the latest.
    while let Some(last) = prefix.pop() {
        if last < u8::MAX {
            prefix.push(last + 1);
            break;
        }
    }
    prefix
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn keys_come_back() {
        let key = Key::new("JOB#ä\0b", "T#0001");
        assert_eq!(decode(&encode(&key).unwrap()), Some(key));
    }

    #[test]
    fn a_prefix_of_the_highest_bytes_ends_with_its_partition() {
        let prefix = start("p", 0);
        assert_eq!(behind([prefix.as_slice(), &[0xFF, 0xFF]].concat()), [0, 1, b'q']);
    }

    #[test]
    fn bounds_outside_of_the_prefix_do_not_widen_it() {
        let mut query = Query::new("p", "b", 10);
        query.after = Some("a".into());
        query.until = Some("z".into());
        let (low, high) = range(&query).unwrap();
        assert_eq!(low, Bound::Included([0, 1, b'p', b'b'].to_vec()));
        assert_eq!(high, Bound::Excluded([0, 1, b'p', b'c'].to_vec()));
    }

    #[test]
    fn crossed_bounds_are_an_empty_range() {
        let mut query = Query::new("p", "", 10);
        query.after = Some("m".into());
        query.until = Some("c".into());
        assert!(is_empty(&range(&query).unwrap()));
        query.until = Some("m".into());
        assert!(is_empty(&range(&query).unwrap()));
    }
}
