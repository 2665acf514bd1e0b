//! Passing over what does not matter in a JSON document, many bytes at a time.

use memchr::memchr;

/// How many bytes are looked at together for one that counts. A row of comparisons without a
/// branch between them is what a compiler makes vector instructions of.
const STRIDE: usize = 32;

/// How many words are looked at before a search of long reach is begun, which costs more to begin:
/// most strings are short, and what lies between two of them is shorter.
const NEAR: usize = 4;

/// One in each byte of a word.
const ONES: u64 = u64::from_ne_bytes([1; 8]);

/// Passes over a string, from behind its opening quote or from anywhere in it, up to and with
/// its closing quote. Returns how many bytes that were, or `None` where the string goes on behind
/// `bytes`; `escaped` says whether the first byte, of these or of the next, is one behind a
/// backslash.
#[inline]
pub(crate) fn string(bytes: &[u8], escaped: &mut bool) -> Option<usize> {
    let from = usize::from(*escaped && !bytes.is_empty());
    *escaped &= bytes.is_empty();
    let rest = bytes.get(from..)?;
    let quote = to_closing_quote(rest);
    if quote.is_none() {
        *escaped |= end_escapes(rest);
    }
    Some(from + quote? + 1)
}

/// The place of the quote that closes a string, from behind the one that opens it.
#[inline]
pub(crate) fn to_closing_quote(bytes: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let quote = from + to_quote(bytes.get(from..)?)?;
        if !end_escapes(bytes.get(..quote)?) {
            return Some(quote);
        }
        from = quote + 1;
    }
}

/// Whether what follows these bytes of a string is escaped: they end with an odd number of backslashes.
fn end_escapes(bytes: &[u8]) -> bool {
    bytes.last() == Some(&b'\\') && {
        let backslashes = bytes.iter().rev().take_while(|byte| **byte == b'\\');
        backslashes.count() % 2 == 1
    }
}

/// A passage over arrays and objects, and the strings in them, to the end of the outermost.
///
/// In a valid document brackets and braces come in pairs, so counting them is enough.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Nest {
    depth: u64,
    /// In a string; whether the next byte is one behind a backslash.
    string: Option<bool>,
}

impl Nest {
    /// From behind the outermost bracket or brace on.
    pub(crate) fn new() -> Self {
        Self {
            depth: 1,
            string: None,
        }
    }

    /// Returns how many bytes it took to the end, or `None` where that lies behind `bytes`.
    pub(crate) fn pass(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut rest = bytes;
        if let Some(escaped) = &mut self.string {
            rest = rest.get(string(rest, escaped)?..)?;
            self.string = None;
        }
        loop {
            let (byte, behind) = rest.get(to_structure(rest)?..)?.split_first()?;
            rest = behind;
            match byte {
                b'"' => {
                    let Some(quote) = to_closing_quote(rest) else {
                        self.string = Some(end_escapes(rest));
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

fn to_quote(bytes: &[u8]) -> Option<usize> {
    near(bytes, |word| equal(word, b'"')).or_else(|passed| {
        let found = memchr(b'"', bytes.get(passed..)?)?;
        Some(passed + found)
    })
}

/// The place of the first quote, bracket or brace.
fn to_structure(bytes: &[u8]) -> Option<usize> {
    // A bracket and its brace differ in one bit.
    let word = |word: u64| {
        let braces = word | (ONES * 0x20);
        equal(word, b'"') | equal(braces, b'{') | equal(braces, b'}')
    };
    let counts = |byte: &u8| *byte == b'"' || matches!(*byte | 0x20, b'{' | b'}');
    near(bytes, word).or_else(|near| {
        let (strides, _) = bytes.get(near..)?.as_chunks::<STRIDE>();
        let passed = strides
            .iter()
            .take_while(|stride| !stride.iter().fold(false, |any, byte| any | counts(byte)))
            .count();
        let from = near + passed * STRIDE;
        let found = bytes.get(from..)?.iter().position(counts)?;
        Some(from + found)
    })
}

/// The place of the first byte that `marks` finds in the first [`NEAR`] words, or how many bytes
/// have none of them.
#[inline]
fn near(bytes: &[u8], marks: impl Fn(u64) -> u64) -> Place {
    let mut passed = 0;
    while let Some(word) = bytes.get(passed..).and_then(<[u8]>::first_chunk)
        && passed < 8 * NEAR
    {
        let marked = marks(u64::from_le_bytes(*word));
        if marked != 0 {
            return Place::Found(passed + marked.trailing_zeros() as usize / 8);
        }
        passed += 8;
    }
    Place::Behind(passed)
}

enum Place {
    Found(usize),
    Behind(usize),
}

impl Place {
    fn or_else(self, far: impl FnOnce(usize) -> Option<usize>) -> Option<usize> {
        match self {
            Self::Found(place) => Some(place),
            Self::Behind(passed) => far(passed),
        }
    }
}

/// Sets the highest bit of each byte of `word` that is `byte`. A byte above such a one may be
/// marked by mistake, the lowest mark is right.
fn equal(word: u64, byte: u8) -> u64 {
    let zero = word ^ (ONES * u64::from(byte));
    zero.wrapping_sub(ONES) & !zero & (ONES << 7)
}

/// How many bytes of white space there are at the start.
pub(crate) fn spaces(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .position(|byte| !is_space(*byte))
        .unwrap_or(bytes.len())
}

/// White space between tokens.
pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// A byte of a number, or of true, false or null.
pub(crate) fn is_scalar(byte: u8) -> bool {
    IS_SCALAR.get(usize::from(byte)) == Some(&true)
}

/// That of every byte: one look is less than five comparisons.
const IS_SCALAR: [bool; 256] = {
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
                assert_eq!(to_closing_quote(&bytes), Some(ends), "{bytes:?}");
                assert_eq!(to_closing_quote(&bytes[..ends]), None, "{bytes:?}");
                assert_eq!(string(&bytes, &mut false), Some(ends + 1), "{bytes:?}");
            }
        }
    }

    /// Every byte at every place near and far, beside bytes that differ from what counts in one.
    #[test]
    fn the_first_that_counts_is_found_wherever_it_is() {
        for len in (0..20).chain([31, 32, 33, 40, 63, 64, 65, 72, 100]) {
            for at in 0..len {
                for byte in 0..=u8::MAX {
                    let mut bytes = vec![b'#'; len];
                    bytes[at] = byte;
                    if let Some(next) = bytes.get_mut(at + 1) {
                        *next = b'"';
                    }
                    let first = |counts: &[u8]| bytes.iter().position(|byte| counts.contains(byte));
                    assert_eq!(to_quote(&bytes), first(b"\""));
                    assert_eq!(to_structure(&bytes), first(b"\"[]{}"));
                }
            }
        }
    }
}
