//! What the child writes and what it says of it, known to both sides.

use std::collections::BTreeSet;

/// How many tasks write records, and how many send messages.
pub(super) const WRITERS: u64 = 8;
pub(super) const SENDERS: u64 = 2;

/// A small generator of numbers (SplitMix64), so that a seed is all there is to repeat a round.
pub(super) struct Random(pub(super) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }
}

/// The partition of a writer in a round.
pub(super) fn partition(round: u64, writer: u64) -> String {
    format!("ROUND#{round}#{writer}")
}

/// The sort key of a writer's record.
pub(super) fn sort(number: u64) -> String {
    format!("{number:08}")
}

pub(super) fn queue(round: u64) -> String {
    format!("round-{round}")
}

pub(super) fn blob_key(round: u64, number: u64) -> String {
    format!("round/{round}/{number}")
}

/// The bytes of a blob: 1 byte to 64 KB.
pub(super) fn blob(seed: u64, round: u64, number: u64) -> Vec<u8> {
    let mut random = Random(seed ^ round << 32 ^ number);
    let length = 1 + random.below(64 << 10) as usize;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        bytes.extend_from_slice(&random.next().to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// What the child said: pairs of who wrote and the number written.
#[derive(Default)]
pub(super) struct Acknowledged {
    pub(super) records: BTreeSet<(u64, u64)>,
    pub(super) messages: BTreeSet<(u64, u64)>,
    /// Messages whose deletion had begun.
    pub(super) deleted: BTreeSet<(u64, u64)>,
    pub(super) blobs: BTreeSet<(u64, u64)>,
}

impl Acknowledged {
    /// Reads the child's lines `KIND who number .`; one that a kill cut short says nothing.
    pub(super) fn parse(lines: &[Vec<u8>]) -> Self {
        let mut acknowledged = Self::default();
        for line in lines {
            let line = String::from_utf8_lossy(line);
            let words: Vec<&str> = line.split(' ').collect();
            let [kind, who, number, "."] = words[..] else { continue };
            let (Ok(who), Ok(number)) = (who.parse(), number.parse()) else { continue };
            match kind {
                "record" => acknowledged.records.insert((who, number)),
                "message" => acknowledged.messages.insert((who, number)),
                "deleting" => acknowledged.deleted.insert((who, number)),
                "blob" => acknowledged.blobs.insert((who, number)),
                _ => continue,
            };
        }
        acknowledged
    }

    /// Adds the counts of another round; its numbers are moved out of the way of these.
    pub(super) fn add(&mut self, round: &Self) {
        for (all, more) in [
            (&mut self.records, &round.records),
            (&mut self.messages, &round.messages),
            (&mut self.blobs, &round.blobs),
        ] {
            let base = all.last().map_or(0, |(base, _)| base + 1);
            all.extend(more.iter().map(|(who, number)| (base + who, *number)));
        }
    }
}
