//! The `Range` header (RFC 9110 §14.1.2): one range of bytes.

/// What of an object is asked for.
#[derive(Debug, PartialEq)]
pub(super) enum Selection {
    Whole,
    /// From the first to before the second byte.
    Part(u64, u64),
    /// Nothing of it.
    Outside,
}

/// What `header` selects of `size` bytes. Headers that are malformed or name several ranges are
/// ignored, as the RFC allows.
pub(super) fn select(header: Option<&str>, size: u64) -> Selection {
    let range = header.and_then(|header| header.strip_prefix("bytes=")?.split_once('-'));
    let Some((first, last)) = range else { return Selection::Whole };
    let number = |text: &str| text.trim().parse::<u64>().ok();
    match (first.trim(), last.trim()) {
        ("", suffix) => match number(suffix) {
            Some(length) if length > 0 && size > 0 => {
                Selection::Part(size.saturating_sub(length), size)
            }
            Some(_) => Selection::Outside,
            None => Selection::Whole,
        },
        (first, "") => match number(first) {
            Some(first) if first < size => Selection::Part(first, size),
            Some(_) => Selection::Outside,
            None => Selection::Whole,
        },
        (first, last) => match number(first).zip(number(last)) {
            Some((first, last)) if first > last => Selection::Whole,
            Some((first, last)) if first < size => {
                Selection::Part(first, last.saturating_add(1).min(size))
            }
            Some(_) => Selection::Outside,
            None => Selection::Whole,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_select_bytes() {
        for (header, selection) in [
            (None, Selection::Whole),
            (Some("bytes=0-3"), Selection::Part(0, 4)),
            (Some("bytes=8-"), Selection::Part(8, 10)),
            (Some("bytes=-3"), Selection::Part(7, 10)),
            (Some("bytes=-30"), Selection::Part(0, 10)),
            (Some("bytes=5-99"), Selection::Part(5, 10)),
            (Some("bytes=10-"), Selection::Outside),
            (Some("bytes=-0"), Selection::Outside),
            (Some("bytes=6-5"), Selection::Whole),
            (Some("bytes=0-1,4-5"), Selection::Whole),
            (Some("lines=0-3"), Selection::Whole),
            (Some("bytes=a-b"), Selection::Whole),
        ] {
            assert_eq!(select(header, 10), selection, "{header:?}");
        }
    }
}
