//! How often each label occurs, as long as there are not too many.

use std::collections::BTreeMap;

use protocol::dataset::Label;

/// The most labels that are counted.
const MOST: usize = 1_000;

/// The longest label, in bytes.
const LONGEST: usize = 256;

/// Labels and how often they were seen; `None` once there are too many or too long ones.
pub(crate) struct Labels<K>(Option<BTreeMap<K, u64>>);

impl<K> Default for Labels<K> {
    fn default() -> Self {
        Self(Some(BTreeMap::new()))
    }
}

impl Labels<i64> {
    /// Counts a class.
    pub(crate) fn add_class(&mut self, class: i64) {
        let Some(counts) = &mut self.0 else { return };
        *counts.entry(class).or_default() += 1;
        if counts.len() > MOST {
            self.0 = None;
        }
    }
}

impl Labels<String> {
    /// Counts a text.
    pub(crate) fn add_text(&mut self, text: &str) {
        let Some(counts) = &mut self.0 else { return };
        if let Some(count) = counts.get_mut(text) {
            *count += 1;
        } else if counts.len() == MOST || text.len() > LONGEST {
            self.0 = None;
        } else {
            counts.insert(text.to_owned(), 1);
        }
    }

    /// The position of a text among all, which are in alphabetical order.
    pub(crate) fn positions(&self) -> Option<BTreeMap<&str, i64>> {
        let names = self.0.as_ref()?.keys();
        Some(names.map(String::as_str).zip(0..).collect())
    }
}

impl<K: ToString> Labels<K> {
    /// The counts, in the order of the labels.
    pub(crate) fn shown(&self) -> Option<Vec<Label>> {
        let counts = self.0.as_ref().filter(|counts| !counts.is_empty())?;
        let label = |(label, count): (&K, &u64)| Label { label: label.to_string(), count: *count };
        Some(counts.iter().map(label).collect())
    }
}
