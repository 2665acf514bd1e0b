//! Searches a stream for markers: the member names `"usage"`, `"timings"` and `"error"`, which make
//! an event relevant to the usage parser. Nearly all pieces of a stream contain none.

use super::members::MARKERS;
use memchr::memmem::Finder;
use std::sync::LazyLock;

/// A prepared search for each marker.
static FINDERS: LazyLock<[Finder<'static>; MARKERS.len()]> =
    LazyLock::new(|| MARKERS.map(Finder::new));

/// Number of bytes compared together. Comparisons without a branch between them let the compiler
/// use vector instructions.
const STRIDE_BYTES: usize = 64;

/// Length of the longest marker.
const MAX_MARKER_LEN: usize = {
    let mut longest = 0;
    let mut at = 0;
    while at < MARKERS.len() {
        if MARKERS[at].len() > longest {
            longest = MARKERS[at].len();
        }
        at += 1;
    }
    longest
};

/// Returns the finders of all markers.
pub(super) fn finders() -> &'static [Finder<'static>; MARKERS.len()] {
    &FINDERS
}

/// Returns true if the bytes contain one of [`MARKERS`] completely.
///
/// All three markers are searched at once, by a quote and their first letter: in a stride without
/// such a pair no marker begins. The other members of events begin with other letters, except
/// `text`.
pub(super) fn contain_marker(bytes: &[u8]) -> bool {
    let letters = bytes.get(1..).unwrap_or_default();
    let (quote_strides, _) = bytes.as_chunks();
    let (letter_strides, _) = letters.as_chunks();
    for (index, (quotes, letters)) in quote_strides.iter().zip(letter_strides).enumerate() {
        if may_start_marker(quotes, letters) && find_in_stride(bytes, index) {
            return true;
        }
    }
    // Less than a stride remains: the last whole stride covers it and the bytes before it.
    let last = without_last(bytes).last_chunk().zip(letters.last_chunk());
    if last.is_some_and(|(quotes, letters)| !may_start_marker(quotes, letters)) {
        return false;
    }
    let end = letter_strides.len() * STRIDE_BYTES;
    find_any(bytes.get(end..).unwrap_or_default())
}

/// Returns true if a marker begins in the stride of this index.
#[cold]
fn find_in_stride(bytes: &[u8], index: usize) -> bool {
    let from = index * STRIDE_BYTES;
    let end = (from + STRIDE_BYTES + MAX_MARKER_LEN).min(bytes.len());
    find_any(bytes.get(from..end).unwrap_or_default())
}

fn without_last(bytes: &[u8]) -> &[u8] {
    bytes.split_last().map_or(&[], |(_, before)| before)
}

/// Returns true if a quote is followed by the first letter of a marker.
fn may_start_marker(quotes: &[u8; STRIDE_BYTES], letters: &[u8; STRIDE_BYTES]) -> bool {
    let begins = quotes.iter().zip(letters).map(|(quote, letter)| {
        // `t` and `u` differ in one bit, which saves a comparison.
        u8::from(*quote == b'"') & (u8::from(letter | 1 == b'u') | u8::from(*letter == b'e'))
    });
    begins.fold(0, |any, begins| any | begins) != 0
}

fn find_any(bytes: &[u8]) -> bool {
    FINDERS.iter().any(|finder| finder.find(bytes).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_is_found_at_every_index() {
        for marker in MARKERS {
            for len in 0..300 {
                let mut bytes = vec![b'"'; len];
                assert!(!contain_marker(&bytes));
                for at in 0..(len + 1).saturating_sub(marker.len()) {
                    bytes[at..at + marker.len()].copy_from_slice(marker);
                    assert!(contain_marker(&bytes), "{at} of {len}");
                    // A marker without its last byte does not match.
                    assert!(
                        !contain_marker(&bytes[..at + marker.len() - 1]),
                        "{at} of {len}"
                    );
                    bytes[at..at + marker.len()].fill(b'"');
                }
            }
        }
    }

    #[test]
    fn every_marker_begins_as_searched() {
        for marker in MARKERS {
            let mut bytes = [b'x'; STRIDE_BYTES + 1];
            bytes[..2].copy_from_slice(&marker[..2]);
            let quotes = bytes.first_chunk().unwrap();
            let letters = bytes[1..].first_chunk().unwrap();
            assert!(may_start_marker(quotes, letters));
        }
    }
}
