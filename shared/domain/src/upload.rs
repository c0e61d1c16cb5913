//! Uploads in parts: how a file is cut, and which of its parts are missing.

use std::{collections::BTreeMap, fmt::Write};

/// The fewest bytes of a part that is not the last: S3's.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>
pub const MIN_PART: u64 = 5 << 20;

/// The most bytes of a part: what is lost when a transfer breaks off.
pub const MAX_PART: u64 = 64 << 20;

/// The most parts of a file: S3's.
pub const MAX_PARTS: u32 = 10_000;

/// The largest file.
pub const MAX_SIZE: u64 = 8 << 30;

/// A part's size unless the file is large, or its owner wants another.
const USUAL_PART: u64 = 8 << 20;

/// A file has no more parts than this unless its owner wants it so: one page of S3's lists.
const USUAL_PARTS: u64 = 1_000;

/// How a file is cut into parts: all of `part_size` bytes but the last, which has the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    size: u64,
    part_size: u64,
}

/// Why a file cannot be uploaded as wished.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Invalid {
    /// The field that is wrong.
    pub field: &'static str,
    message: String,
}

impl Plan {
    /// The plan for a file of `size` bytes, in parts of a size that its owner chose or a good one.
    ///
    /// # Errors
    /// When a limit is broken; the message names it.
    pub fn new(size: u64, part_size: Option<u64>) -> Result<Self, Invalid> {
        let invalid = |field, message| Err(Invalid { field, message });
        if size == 0 {
            return invalid("size", "the file is empty; give its length in bytes".to_owned());
        }
        if size > MAX_SIZE {
            let message = format!("{size} bytes are over the limit of {MAX_SIZE} for one file");
            return invalid("size", message);
        }
        let mut usual = USUAL_PART;
        while size.div_ceil(usual) > USUAL_PARTS {
            usual *= 2;
        }
        let part_size = part_size.unwrap_or(usual);
        if !(MIN_PART..=MAX_PART).contains(&part_size) {
            let message =
                format!("expected {MIN_PART} to {MAX_PART} bytes; leave it out for a good one");
            return invalid("part_size", message);
        }
        if size.div_ceil(part_size) > u64::from(MAX_PARTS) {
            let message = format!("the file would have more than {MAX_PARTS} parts; choose more");
            return invalid("part_size", message);
        }
        Ok(Self { size, part_size })
    }

    /// How many parts there are, numbered from 1.
    pub fn parts(&self) -> u32 {
        // `new` allows no more than MAX_PARTS
        u32::try_from(self.size.div_ceil(self.part_size)).unwrap_or(MAX_PARTS)
    }

    /// The bytes of every part but the last.
    pub fn part_size(&self) -> u64 {
        self.part_size
    }

    /// The length of a part; `None` if there is no such part.
    pub fn length(&self, number: u32) -> Option<u64> {
        let before = u64::from(number.checked_sub(1)?) * self.part_size;
        let left = self.size.checked_sub(before).filter(|left| *left > 0)?;
        Some(left.min(self.part_size))
    }

    /// The numbers of the parts that are not there, or not with their length, given number and
    /// length of what is there.
    pub fn missing(&self, there: impl IntoIterator<Item = (u32, u64)>) -> Vec<u32> {
        let there: BTreeMap<_, _> = there.into_iter().collect();
        let is_missing = |number: &u32| there.get(number).copied() != self.length(*number);
        (1..=self.parts()).filter(is_missing).collect()
    }
}

/// Rising numbers for people: `1, 3 to 5, 9`; of many ranges the first few.
pub fn list(numbers: &[u32]) -> String {
    const MOST: usize = 20;
    let ranges: Vec<_> = numbers.chunk_by(|a, b| a + 1 == *b).collect();
    let mut text = String::new();
    for range in ranges.iter().take(MOST) {
        let comma = if text.is_empty() { "" } else { ", " };
        let (first, last) = (range[0], range[range.len() - 1]);
        // writing to a text cannot fail
        let _ = match last - first {
            0 => write!(text, "{comma}{first}"),
            1 => write!(text, "{comma}{first}, {last}"),
            _ => write!(text, "{comma}{first} to {last}"),
        };
    }
    if ranges.len() > MOST {
        text.push_str(" and more");
    }
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const MB: u64 = 1 << 20;

    #[test]
    fn the_parts_make_up_the_file() {
        for (size, part_size) in [
            (1, None),
            (8 * MB, None),
            (8 * MB + 1, None),
            (12 * MB, Some(5 * MB)),
            (MAX_SIZE, None),
        ] {
            let plan = Plan::new(size, part_size).unwrap();
            let lengths: Vec<_> = (1..=plan.parts()).map(|n| plan.length(n).unwrap()).collect();
            assert_eq!(lengths.iter().sum::<u64>(), size);
            assert!(lengths[..lengths.len() - 1].iter().all(|length| *length == plan.part_size()));
            assert_eq!((plan.length(0), plan.length(plan.parts() + 1)), (None, None));
            assert!(u64::from(plan.parts()) <= USUAL_PARTS, "{plan:?}");
        }
    }

    #[test]
    fn limits_are_named() {
        for (size, part_size, field, word) in [
            (0, None, "size", "empty"),
            (MAX_SIZE + 1, None, "size", "8589934592"),
            (10, Some(10), "part_size", "5242880"),
            (10, Some(65 * MB), "part_size", "67108864"),
        ] {
            let error = Plan::new(size, part_size).unwrap_err();
            assert_eq!(error.field, field);
            assert!(error.to_string().contains(word), "{error}");
        }
    }

    #[test]
    fn what_is_not_there_or_cut_is_missing() {
        let plan = Plan::new(12 * MB, Some(5 * MB)).unwrap();
        assert_eq!(plan.missing([]), [1, 2, 3]);
        assert_eq!(plan.missing([(1, 5 * MB), (2, 5), (3, 2 * MB)]), [2]);
        assert_eq!(plan.missing([(3, 2 * MB), (2, 5 * MB), (1, 5 * MB)]), [0_u32; 0]);
    }

    #[test]
    fn numbers_are_listed_as_people_do() {
        assert_eq!(list(&[2]), "2");
        assert_eq!(list(&[1, 3, 4, 6, 7, 8, 10]), "1, 3, 4, 6 to 8, 10");
        let odd: Vec<u32> = (0..100).map(|n| 2 * n + 1).collect();
        assert!(list(&odd).ends_with("37, 39 and more"), "{}", list(&odd));
    }
}
