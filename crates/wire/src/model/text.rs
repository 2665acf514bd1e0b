//! What a JSON string says, byte by byte.

/// The document is not JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotJson;

/// What one more byte of a string's text has told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// Nothing yet: an escape goes on.
    Nothing,
    /// A byte of UTF-8.
    Byte(u8),
    /// A UTF-16 code unit, by `\u`.
    Unit(u16),
    /// The string has ended.
    End,
}

/// Reads escapes (RFC 8259 §7), from behind a string's opening quote on.
#[derive(Debug, Clone, Copy)]
pub(super) enum Unescape {
    Plain,
    Backslash,
    Hex { digits: u8, unit: u16 },
}

impl Unescape {
    pub(super) fn take(&mut self, byte: u8) -> Result<Told, NotJson> {
        let (next, told) = match *self {
            Self::Plain => match byte {
                b'"' => (Self::Plain, Told::End),
                b'\\' => (Self::Backslash, Told::Nothing),
                0..0x20 => return Err(NotJson),
                byte => (Self::Plain, Told::Byte(byte)),
            },
            Self::Backslash if byte == b'u' => (Self::Hex { digits: 0, unit: 0 }, Told::Nothing),
            Self::Backslash => (Self::Plain, Told::Byte(escaped(byte)?)),
            Self::Hex { digits, unit } => {
                let digit = char::from(byte).to_digit(16).ok_or(NotJson)?;
                let unit = unit << 4 | u16::try_from(digit).map_err(|_| NotJson)?;
                match digits {
                    0..3 => {
                        let digits = digits + 1;
                        (Self::Hex { digits, unit }, Told::Nothing)
                    }
                    _ => (Self::Plain, Told::Unit(unit)),
                }
            }
        };
        *self = next;
        Ok(told)
    }
}

fn escaped(byte: u8) -> Result<u8, NotJson> {
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

/// Puts surrogate pairs together.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Surrogates {
    high: Option<u16>,
}

impl Surrogates {
    /// The character that ends with this unit, or `None` for the first half of one. A half alone
    /// is no character.
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

    /// A half waits for the other.
    pub(super) fn is_open(self) -> bool {
        self.high.is_some()
    }
}

/// Tells whether a member's name is `model`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key {
    text: Unescape,
    /// So many bytes of `model` have come, and nothing else.
    matched: usize,
}

/// What is known of a member's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyIs {
    /// It has ended, and is `model`.
    Model,
    /// It has ended, and is another.
    Other,
    /// It goes on, and is another.
    Unlike,
    /// It goes on, and may be `model`.
    Open,
}

impl Key {
    const MODEL: &[u8] = b"model";

    pub(super) fn new() -> Self {
        Self {
            text: Unescape::Plain,
            matched: 0,
        }
    }

    pub(super) fn take(&mut self, byte: u8) -> Result<KeyIs, NotJson> {
        let wanted = Self::MODEL.get(self.matched).copied();
        let same = match self.text.take(byte)? {
            Told::Nothing => return Ok(KeyIs::Open),
            Told::End if wanted.is_none() => return Ok(KeyIs::Model),
            Told::End => return Ok(KeyIs::Other),
            Told::Byte(byte) => wanted == Some(byte),
            Told::Unit(unit) => wanted.is_some_and(|wanted| u16::from(wanted) == unit),
        };
        if !same {
            return Ok(KeyIs::Unlike);
        }
        self.matched += 1;
        Ok(KeyIs::Open)
    }
}
