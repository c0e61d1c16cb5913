//! Inputs: a seed, or nothing, with some changes. Fewer changes are simpler, so that a failing input is
//! brought back towards its seed.

use proptest::{collection::vec, prelude::*, sample::Index};

/// Inputs grow no larger, in bytes.
const MAX_INPUT: usize = 128 * 1024;

/// How an input is made from the seeds.
#[derive(Clone, Debug)]
pub(crate) struct Recipe {
    seed: Index,
    changes: Vec<Change>,
}

#[derive(Clone, Debug)]
enum Change {
    Flip(Index, u8),
    Set(Index, u8),
    Insert(Index, Vec<u8>),
    Word(Index, Index),
    Cut(Index, Index),
    End(Index),
    /// A piece of it many times, as deep nesting is.
    Repeat(Index, u8, u16),
    /// A piece of another seed.
    Splice(Index, Index, Index),
    /// A number of up to 10 bytes as protocol buffers and lengths have it.
    Varint(Index, u64),
}

/// Every recipe.
pub(crate) fn recipes() -> impl Strategy<Value = Recipe> {
    let at = any::<Index>;
    let change = prop_oneof![
        4 => (at(), 0..8u8).prop_map(|(at, bit)| Change::Flip(at, bit)),
        4 => (at(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        2 => (at(), vec(any::<u8>(), 1..16)).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        4 => (at(), at()).prop_map(|(at, word)| Change::Word(at, word)),
        2 => (at(), at()).prop_map(|(at, to)| Change::Cut(at, to)),
        1 => at().prop_map(Change::End),
        2 => (at(), 1..32u8, 1..2000u16).prop_map(|(at, length, times)| Change::Repeat(at, length, times)),
        2 => (at(), at(), at()).prop_map(|(at, seed, from)| Change::Splice(at, seed, from)),
        1 => (at(), any::<u64>()).prop_map(|(at, number)| Change::Varint(at, number)),
    ];
    (at(), vec(change, 0..12)).prop_map(|(seed, changes)| Recipe { seed, changes })
}

impl Recipe {
    /// The bytes.
    pub(crate) fn make(&self, seeds: &[Vec<u8>], words: &[&str]) -> Vec<u8> {
        let mut input = self.seed.get(seeds).clone();
        for change in &self.changes {
            change.apply(&mut input, seeds, words);
            input.truncate(MAX_INPUT);
        }
        input
    }
}

impl Change {
    fn apply(&self, input: &mut Vec<u8>, seeds: &[Vec<u8>], words: &[&str]) {
        // behind the end is a place, too
        let place = |at: &Index| at.index(input.len() + 1);
        match self {
            Self::Flip(at, bit) if !input.is_empty() => {
                let at = at.index(input.len());
                input[at] ^= 1 << bit;
            }
            Self::Set(at, byte) if !input.is_empty() => {
                let at = at.index(input.len());
                input[at] = *byte;
            }
            Self::Flip(..) | Self::Set(..) => {}
            Self::Insert(at, bytes) => insert(input, place(at), bytes),
            Self::Word(at, word) if !words.is_empty() => {
                insert(input, place(at), word.get(words).as_bytes());
            }
            Self::Word(..) => {}
            Self::Cut(at, to) => {
                let (at, to) = (place(at), place(to));
                input.drain(at.min(to)..at.max(to).min(at.min(to) + 64));
            }
            Self::End(at) => input.truncate(place(at)),
            Self::Repeat(at, length, times) => {
                let at = place(at);
                let end = (at + usize::from(*length)).min(input.len());
                let piece = input[at..end].repeat(usize::from(*times));
                insert(input, at, &piece);
            }
            Self::Splice(at, seed, from) => {
                let seed = seed.get(seeds);
                let from = from.index(seed.len() + 1);
                let piece = &seed[from..seed.len().min(from + 256)];
                insert(input, place(at), piece);
            }
            Self::Varint(at, number) => {
                let (mut bytes, mut left) = (Vec::new(), *number);
                while left >= 0x80 {
                    bytes.push(left as u8 | 0x80);
                    left >>= 7;
                }
                bytes.push(left as u8);
                let at = place(at);
                let end = (at + bytes.len()).min(input.len());
                input.splice(at..end, bytes);
            }
        }
    }
}

fn insert(input: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    input.splice(at..at, bytes.iter().copied());
}
