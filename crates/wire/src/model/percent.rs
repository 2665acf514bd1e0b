use super::{BadName, MAX_MODEL_NAME};
use std::borrow::Cow;
use std::str;

/// What `%` and, where `plus` says so, `+` stand for. Borrows where they do not occur.
pub(super) fn decode(bytes: &[u8], plus: bool) -> Result<Cow<'_, str>, BadName> {
    // Three bytes of a target stand for one at most.
    if bytes.len() > 3 * MAX_MODEL_NAME {
        return Err(BadName::TooLong);
    }
    let is_coded = |byte: &u8| *byte == b'%' || (plus && *byte == b'+');
    let name = if bytes.iter().any(is_coded) {
        let decoded = unquote(bytes, plus).ok_or(BadName::Percent)?;
        Cow::Owned(String::from_utf8(decoded).map_err(|_| BadName::NotUtf8)?)
    } else {
        Cow::Borrowed(str::from_utf8(bytes).map_err(|_| BadName::NotUtf8)?)
    };
    if name.len() > MAX_MODEL_NAME {
        return Err(BadName::TooLong);
    }
    Ok(name)
}

/// The bytes that `bytes` stand for, or `None` where a `%` is malformed.
fn unquote(bytes: &[u8], plus: bool) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes.iter();
    while let Some(byte) = rest.next() {
        decoded.push(match byte {
            b'%' => hex(*rest.next()?)? << 4 | hex(*rest.next()?)?,
            b'+' if plus => b' ',
            byte => *byte,
        });
    }
    Some(decoded)
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}
