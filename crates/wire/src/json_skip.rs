//! Skips irrelevant parts of a JSON document, many bytes at a time. The skipped parts are not
//! validated. Shared by the model scan and the usage parser.

use memchr::memchr;

/// Number of bytes compared together. Comparisons without a branch between them let the compiler
/// use vector instructions.
const STRIDE_BYTES: usize = 32;

/// Number of 8-byte words examined before the long-range search starts: that search costs more to
/// start, and most strings, and the gaps between them, are short.
const NEAR_WORDS: usize = 4;

/// A word whose bytes are all 1.
const ONES: u64 = u64::from_ne_bytes([1; 8]);

/// Skips the rest of a string, starting anywhere after the opening quote, including the closing
/// quote. Returns the number of bytes skipped, or `None` if the string continues after `bytes`.
/// `escaped` carries across calls: true if the next byte follows a backslash.
#[inline]
pub(crate) fn skip_string(bytes: &[u8], escaped: &mut bool) -> Option<usize> {
    let from = usize::from(*escaped && !bytes.is_empty());
    *escaped &= bytes.is_empty();
    let rest = bytes.get(from..)?;
    let quote = find_closing_quote(rest);
    if quote.is_none() {
        *escaped |= ends_in_escape(rest);
    }
    Some(from + quote? + 1)
}

/// Returns the index of the quote that closes a string; `bytes` start after the opening quote.
#[inline]
pub(crate) fn find_closing_quote(bytes: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let quote = from + find_quote(bytes.get(from..)?)?;
        if !ends_in_escape(bytes.get(..quote)?) {
            return Some(quote);
        }
        from = quote + 1;
    }
}

/// Returns true if the byte after these bytes of a string is escaped: they end with an odd number
/// of backslashes.
fn ends_in_escape(bytes: &[u8]) -> bool {
    bytes.last() == Some(&b'\\') && {
        let backslashes = bytes.iter().rev().take_while(|byte| **byte == b'\\');
        backslashes.count() % 2 == 1
    }
}

/// Skips nested arrays and objects, and the strings in them, to the end of the outermost.
///
/// Brackets and braces are paired in a valid document, so counting them suffices.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NestSkipper {
    depth: u64,
    /// Set inside a string: true if the next byte follows a backslash.
    string: Option<bool>,
}

impl NestSkipper {
    /// Starts after the outermost opening bracket or brace.
    pub(crate) fn new() -> Self {
        Self {
            depth: 1,
            string: None,
        }
    }

    /// Returns the number of bytes up to the end, or `None` if the end lies after `bytes`.
    pub(crate) fn skip(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut rest = bytes;
        if let Some(escaped) = &mut self.string {
            rest = rest.get(skip_string(rest, escaped)?..)?;
            self.string = None;
        }
        loop {
            let (byte, behind) = rest.get(find_structure(rest)?..)?.split_first()?;
            rest = behind;
            match byte {
                b'"' => {
                    let Some(quote) = find_closing_quote(rest) else {
                        self.string = Some(ends_in_escape(rest));
                        return None;
                    };
                    rest = rest.get(quote + 1..)?;
                }
                b'{' | b'[' => self.depth += 1,
                _ if self.depth == 1 => return Some(bytes.len() - rest.len()),
                _ => self.depth -= 1,
            }
        }
    }
}

fn find_quote(bytes: &[u8]) -> Option<usize> {
    find_near(bytes, |word| mark_equal_bytes(word, b'"')).or_else(|passed| {
        let found = memchr(b'"', bytes.get(passed..)?)?;
        Some(passed + found)
    })
}

/// Returns the index of the first quote, bracket or brace.
fn find_structure(bytes: &[u8]) -> Option<usize> {
    // A bracket and the matching brace differ in one bit.
    let word = |word: u64| {
        let braces = word | (ONES * 0x20);
        mark_equal_bytes(word, b'"')
            | mark_equal_bytes(braces, b'{')
            | mark_equal_bytes(braces, b'}')
    };
    let counts = |byte: &u8| *byte == b'"' || matches!(*byte | 0x20, b'{' | b'}');
    find_near(bytes, word).or_else(|near| {
        let (strides, _) = bytes.get(near..)?.as_chunks::<STRIDE_BYTES>();
        let passed = strides
            .iter()
            .take_while(|stride| !stride.iter().fold(false, |any, byte| any | counts(byte)))
            .count();
        let from = near + passed * STRIDE_BYTES;
        let found = bytes.get(from..)?.iter().position(counts)?;
        Some(from + found)
    })
}

/// Searches the first [`NEAR_WORDS`] words for a byte that `marks` marks.
#[inline]
fn find_near(bytes: &[u8], marks: impl Fn(u64) -> u64) -> NearSearch {
    let mut passed = 0;
    while let Some(word) = bytes.get(passed..).and_then(<[u8]>::first_chunk)
        && passed < 8 * NEAR_WORDS
    {
        let marked = marks(u64::from_le_bytes(*word));
        if marked != 0 {
            return NearSearch::Found(passed + marked.trailing_zeros() as usize / 8);
        }
        passed += 8;
    }
    NearSearch::NotNear(passed)
}

enum NearSearch {
    Found(usize),
    NotNear(usize),
}

impl NearSearch {
    fn or_else(self, far: impl FnOnce(usize) -> Option<usize>) -> Option<usize> {
        match self {
            Self::Found(place) => Some(place),
            Self::NotNear(passed) => far(passed),
        }
    }
}

/// Sets the highest bit of each byte of `word` that equals `byte`. The lowest mark is exact; bytes
/// above it may be marked by mistake.
fn mark_equal_bytes(word: u64, byte: u8) -> u64 {
    let zero = word ^ (ONES * u64::from(byte));
    zero.wrapping_sub(ONES) & !zero & (ONES << 7)
}

/// Returns the number of leading white-space bytes.
pub(crate) fn count_spaces(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .position(|byte| !is_space(*byte))
        .unwrap_or(bytes.len())
}

/// Returns true for white space between tokens.
pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Returns true for a byte of a number or of `true`, `false` or `null`.
pub(crate) fn is_scalar_byte(byte: u8) -> bool {
    SCALAR_BYTES.get(usize::from(byte)) == Some(&true)
}

/// Lookup table for [`is_scalar_byte`]: one lookup is cheaper than five comparisons.
const SCALAR_BYTES: [bool; 256] = {
    let mut is_scalar = [false; 256];
    let mut byte = 0u8;
    while byte.is_ascii() {
        is_scalar[byte as usize] =
            matches!(byte, b'+' | b'-' | b'.') || byte.is_ascii_alphanumeric();
        byte += 1;
    }
    is_scalar
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_ends_at_its_first_quote_that_is_not_escaped() {
        for before in 0..70 {
            for backslashes in 0..6 {
                let mut bytes = vec![b'x'; before];
                bytes.extend(vec![b'\\'; backslashes]);
                let first = bytes.len();
                bytes.extend(b"\", \"");
                let ends = if backslashes % 2 == 0 {
                    first
                } else {
                    first + 3
                };
                assert_eq!(find_closing_quote(&bytes), Some(ends), "{bytes:?}");
                assert_eq!(find_closing_quote(&bytes[..ends]), None, "{bytes:?}");
                assert_eq!(skip_string(&bytes, &mut false), Some(ends + 1), "{bytes:?}");
            }
        }
    }

    /// Tries every byte at every index, near and far, including bytes that differ from a searched
    /// byte in one bit.
    #[test]
    fn the_first_searched_byte_is_found_at_every_index() {
        for len in (0..20).chain([31, 32, 33, 40, 63, 64, 65, 72, 100]) {
            for at in 0..len {
                for byte in 0..=u8::MAX {
                    let mut bytes = vec![b'#'; len];
                    bytes[at] = byte;
                    if let Some(next) = bytes.get_mut(at + 1) {
                        *next = b'"';
                    }
                    let first = |counts: &[u8]| bytes.iter().position(|byte| counts.contains(byte));
                    assert_eq!(find_quote(&bytes), first(b"\""));
                    assert_eq!(find_structure(&bytes), first(b"\"[]{}"));
                }
            }
        }
    }
}
