//! Decodes JSON strings byte by byte.

/// The document is not JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotJson;

/// The result of one byte of a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StringToken {
    /// No output yet: the escape continues.
    Incomplete,
    /// A byte of UTF-8.
    Byte(u8),
    /// A UTF-16 code unit from a `\u` escape.
    Utf16Unit(u16),
    /// The string has ended.
    End,
}

/// Decodes escapes (RFC 8259 §7), starting after a string's opening quote.
#[derive(Debug, Clone, Copy)]
pub(super) enum Unescape {
    Plain,
    Backslash,
    Hex { digits: u8, unit: u16 },
}

impl Unescape {
    pub(super) fn take(&mut self, byte: u8) -> Result<StringToken, NotJson> {
        let (next, token) = match *self {
            Self::Plain => match byte {
                b'"' => (Self::Plain, StringToken::End),
                b'\\' => (Self::Backslash, StringToken::Incomplete),
                0..0x20 => return Err(NotJson),
                byte => (Self::Plain, StringToken::Byte(byte)),
            },
            Self::Backslash if byte == b'u' => {
                (Self::Hex { digits: 0, unit: 0 }, StringToken::Incomplete)
            }
            Self::Backslash => (Self::Plain, StringToken::Byte(unescape_byte(byte)?)),
            Self::Hex { digits, unit } => {
                let digit = char::from(byte).to_digit(16).ok_or(NotJson)?;
                let unit = unit << 4 | u16::try_from(digit).map_err(|_| NotJson)?;
                match digits {
                    0..3 => {
                        let digits = digits + 1;
                        (Self::Hex { digits, unit }, StringToken::Incomplete)
                    }
                    _ => (Self::Plain, StringToken::Utf16Unit(unit)),
                }
            }
        };
        *self = next;
        Ok(token)
    }
}

fn unescape_byte(byte: u8) -> Result<u8, NotJson> {
    match byte {
        b'"' | b'\\' | b'/' => Ok(byte),
        b'b' => Ok(8),
        b'f' => Ok(12),
        b'n' => Ok(b'\n'),
        b'r' => Ok(b'\r'),
        b't' => Ok(b'\t'),
        _ => Err(NotJson),
    }
}

/// Joins surrogate pairs.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Surrogates {
    high: Option<u16>,
}

impl Surrogates {
    /// Returns the character that this unit completes, or `None` for the first half of a pair. An
    /// unpaired half is an error.
    pub(super) fn take(&mut self, unit: u16) -> Result<Option<char>, NotJson> {
        let high = self.high.take();
        if high.is_none() && matches!(unit, 0xd800..0xdc00) {
            self.high = Some(unit);
            return Ok(None);
        }
        let pair = [high.unwrap_or(unit), unit];
        let units = pair.get(usize::from(high.is_none())..).unwrap_or_default();
        match char::decode_utf16(units.iter().copied()).next() {
            Some(Ok(char)) if char.len_utf16() == units.len() => Ok(Some(char)),
            _ => Err(NotJson),
        }
    }

    /// Returns true while the second half of a pair is missing.
    pub(super) fn is_incomplete(self) -> bool {
        self.high.is_some()
    }
}

/// Compares a member name with `model`.
#[derive(Debug, Clone, Copy)]
pub(super) struct NameMatcher {
    unescape: Unescape,
    /// Number of bytes of `model` matched so far.
    matched: usize,
}

/// The result of comparing a member name so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NameMatch {
    /// The name has ended and is `model`.
    Model,
    /// The name has ended and is another.
    Other,
    /// The name continues and is another.
    Mismatch,
    /// The name continues and may be `model`.
    Undecided,
}

impl NameMatcher {
    const MODEL: &[u8] = b"model";

    pub(super) fn new() -> Self {
        Self {
            unescape: Unescape::Plain,
            matched: 0,
        }
    }

    pub(super) fn take(&mut self, byte: u8) -> Result<NameMatch, NotJson> {
        let wanted = Self::MODEL.get(self.matched).copied();
        let same = match self.unescape.take(byte)? {
            StringToken::Incomplete => return Ok(NameMatch::Undecided),
            StringToken::End if wanted.is_none() => return Ok(NameMatch::Model),
            StringToken::End => return Ok(NameMatch::Other),
            StringToken::Byte(byte) => wanted == Some(byte),
            StringToken::Utf16Unit(unit) => wanted.is_some_and(|wanted| u16::from(wanted) == unit),
        };
        if !same {
            return Ok(NameMatch::Mismatch);
        }
        self.matched += 1;
        Ok(NameMatch::Undecided)
    }
}
