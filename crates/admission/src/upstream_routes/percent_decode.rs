//! Decodes percent-encoded paths as llama-server does: `%XX`, and also `%uXXXX`.

use std::borrow::Cow;

/// Decodes a path as the child does (`decode_path_component`).
pub(super) fn percent_decode(path: &[u8]) -> Cow<'_, [u8]> {
    if !path.contains(&b'%') {
        return Cow::Borrowed(path);
    }
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((first, behind)) = rest.split_first() {
        let (digits, long) = match (first, behind.first()) {
            (b'%', Some(b'u')) => (behind.get(1..5), true),
            (b'%', _) => (behind.get(..2), false),
            _ => (None, false),
        };
        match digits.and_then(parse_hex) {
            Some(code) if long => {
                // The child drops half of a surrogate pair.
                let char = char::from_u32(code).map(|char| char.to_string());
                out.extend(char.unwrap_or_default().into_bytes());
                rest = behind.get(5..).unwrap_or_default();
            }
            Some(code) => {
                out.extend(u8::try_from(code));
                rest = behind.get(2..).unwrap_or_default();
            }
            None => {
                out.push(*first);
                rest = behind;
            }
        }
    }
    Cow::Owned(out)
}

fn parse_hex(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |number, digit| {
        Some(number << 4 | char::from(*digit).to_digit(16)?)
    })
}
