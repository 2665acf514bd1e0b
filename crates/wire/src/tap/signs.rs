//! Looking for the members whose events count, in bytes that nearly never hold one.

use super::members::SIGNS;
use memchr::memmem::Finder;
use std::sync::LazyLock;

static FINDERS: LazyLock<[Finder<'static>; SIGNS.len()]> = LazyLock::new(|| SIGNS.map(Finder::new));

/// How many bytes are looked at together. A row of comparisons without a branch between them is what a
/// compiler makes vector instructions of.
const STRIDE: usize = 64;

/// The length of the longest sign.
const LONGEST: usize = {
    let mut longest = 0;
    let mut at = 0;
    while at < SIGNS.len() {
        if SIGNS[at].len() > longest {
            longest = SIGNS[at].len();
        }
        at += 1;
    }
    longest
};

/// The finders of all signs.
pub(super) fn finders() -> &'static [Finder<'static>; SIGNS.len()] {
    &FINDERS
}

/// Whether bytes hold one of [`SIGNS`] whole.
///
/// The names of all three are looked for at once, by their first letter behind a quote: where a stride has
/// none of these, no sign begins in it. Members that events have besides begin with others, but for `text`.
pub(super) fn are_in(bytes: &[u8]) -> bool {
    let behind = bytes.get(1..).unwrap_or_default();
    let (strides, _) = behind.as_chunks::<STRIDE>();
    for (index, letters) in strides.iter().enumerate() {
        let from = index * STRIDE;
        let Some(quotes) = bytes.get(from..).and_then(|rest| rest.first_chunk()) else {
            break;
        };
        if may_begin(quotes, letters) {
            let end = (from + STRIDE + LONGEST).min(bytes.len());
            if is_in(bytes.get(from..end).unwrap_or_default()) {
                return true;
            }
        }
    }
    // What is left is less than a stride: the last whole one has it and what lies before it.
    let last = behind.last_chunk().zip(before_last(bytes).last_chunk());
    if last.is_some_and(|(letters, quotes)| !may_begin(quotes, letters)) {
        return false;
    }
    is_in(bytes.get(strides.len() * STRIDE..).unwrap_or_default())
}

fn before_last(bytes: &[u8]) -> &[u8] {
    bytes.split_last().map_or(&[], |(_, before)| before)
}

/// Whether a quote has the first letter of a sign behind it.
fn may_begin(quotes: &[u8; STRIDE], letters: &[u8; STRIDE]) -> bool {
    let begins = quotes.iter().zip(letters).map(|(quote, letter)| {
        // `t` and `u` differ in one bit: a comparison less.
        u8::from(*quote == b'"') & (u8::from(letter | 1 == b'u') | u8::from(*letter == b'e'))
    });
    begins.fold(0, |any, begins| any | begins) != 0
}

fn is_in(bytes: &[u8]) -> bool {
    FINDERS.iter().any(|finder| finder.find(bytes).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_is_found_wherever_it_stands() {
        for sign in SIGNS {
            for len in 0..300 {
                let mut bytes = vec![b'"'; len];
                assert!(!are_in(&bytes));
                for at in 0..(len + 1).saturating_sub(sign.len()) {
                    bytes[at..at + sign.len()].copy_from_slice(sign);
                    assert!(are_in(&bytes), "{at} of {len}");
                    // All but its last byte is none.
                    assert!(!are_in(&bytes[..at + sign.len() - 1]), "{at} of {len}");
                    bytes[at..at + sign.len()].fill(b'"');
                }
            }
        }
    }

    #[test]
    fn signs_begin_as_they_are_looked_for() {
        for sign in SIGNS {
            let mut bytes = [b'x'; STRIDE + 1];
            bytes[..2].copy_from_slice(&sign[..2]);
            let quotes = bytes.first_chunk().unwrap();
            let letters = bytes[1..].first_chunk().unwrap();
            assert!(may_begin(quotes, letters));
        }
    }
}
