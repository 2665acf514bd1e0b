//! Decodes percent-encoding in targets.

use super::{InvalidModelName, MAX_MODEL_NAME};
use std::borrow::Cow;
use std::str;

/// Decodes `%XX`, and `+` as a space if `plus_is_space` is set. Borrows the input if neither
/// occurs.
pub(super) fn decode(bytes: &[u8], plus_is_space: bool) -> Result<Cow<'_, str>, InvalidModelName> {
    // At most three bytes of a target encode one byte.
    if bytes.len() > 3 * MAX_MODEL_NAME {
        return Err(InvalidModelName::TooLong);
    }
    let is_coded = |byte: &u8| *byte == b'%' || (plus_is_space && *byte == b'+');
    let name = if bytes.iter().any(is_coded) {
        let decoded = decode_bytes(bytes, plus_is_space).ok_or(InvalidModelName::Percent)?;
        Cow::Owned(String::from_utf8(decoded).map_err(|_| InvalidModelName::NotUtf8)?)
    } else {
        Cow::Borrowed(str::from_utf8(bytes).map_err(|_| InvalidModelName::NotUtf8)?)
    };
    if name.len() > MAX_MODEL_NAME {
        return Err(InvalidModelName::TooLong);
    }
    Ok(name)
}

/// Returns the decoded bytes, or `None` if a `%` is malformed.
fn decode_bytes(bytes: &[u8], plus_is_space: bool) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes.iter();
    while let Some(byte) = rest.next() {
        decoded.push(match byte {
            b'%' => hex_digit(*rest.next()?)? << 4 | hex_digit(*rest.next()?)?,
            b'+' if plus_is_space => b' ',
            byte => *byte,
        });
    }
    Some(decoded)
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}
