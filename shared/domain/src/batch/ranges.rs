//! A set of numbers as ranges, `[[first, count], …]`: chunks end nearly in their order, so a few ranges
//! say which of thousands are open.

use std::collections::BTreeSet;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// The most numbers that are read.
const MAX: usize = 1 << 20;

pub(super) fn serialize<S: Serializer>(
    numbers: &BTreeSet<u32>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for &number in numbers {
        match ranges.last_mut() {
            Some((first, count)) if *first + *count == number => *count += 1,
            _ => ranges.push((number, 1)),
        }
    }
    ranges.serialize(serializer)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeSet<u32>, D::Error> {
    let ranges = Vec::<(u32, u32)>::deserialize(deserializer)?;
    let mut numbers = BTreeSet::new();
    for (first, count) in ranges {
        let end = first.checked_add(count).ok_or_else(|| D::Error::custom("a range overflows"))?;
        if numbers.len() + count as usize > MAX {
            return Err(D::Error::custom("too many numbers"));
        }
        numbers.extend(first..end);
    }
    Ok(numbers)
}
