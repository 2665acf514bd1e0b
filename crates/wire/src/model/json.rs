use super::Scan;
use super::name::{NameBuffer, Overlong};
use super::text::{Key, KeyIs, NotJson, Surrogates, Told, Unescape};
use crate::skip::{self, Nest};

/// The mark that some editors put before UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Follows the members of a top-level object to the first one named `model`.
///
/// What lies deeper is passed over, not parsed.
#[derive(Debug, Clone)]
pub(super) struct Json {
    at: At,
    name: NameBuffer,
}

/// What the next byte is part of.
#[derive(Debug, Clone, Copy)]
enum At {
    /// The byte order mark, so many bytes of it, or what comes first instead.
    Mark(u8),
    /// White space before the object.
    Start,
    /// Before a member's name.
    Member,
    Key(Key),
    /// A member's name that is not `model`.
    OtherKey {
        escaped: bool,
    },
    Colon {
        model: bool,
    },
    Value {
        model: bool,
    },
    /// A top-level string.
    String {
        escaped: bool,
    },
    /// A number, true, false or null.
    Scalar,
    /// In arrays and objects within the object.
    Nested(Nest),
    /// Behind a value.
    After,
    /// The name itself.
    Name {
        text: Unescape,
        pair: Surrogates,
    },
}

/// Goes on in this state behind so many bytes, or ends.
type Step = Result<(usize, At), Scan>;

impl From<NotJson> for Scan {
    fn from(_: NotJson) -> Self {
        Self::Absent
    }
}

impl From<Overlong> for Scan {
    fn from(_: Overlong) -> Self {
        Self::TooLong
    }
}

impl Json {
    pub(super) fn new() -> Self {
        Self {
            at: At::Mark(0),
            name: NameBuffer::new(),
        }
    }

    pub(super) fn name(&self) -> Option<&str> {
        self.name.name()
    }

    pub(super) fn feed(&mut self, piece: &[u8]) -> Scan {
        let mut rest = piece;
        while let Some(first) = rest.first() {
            match self.step(rest, *first) {
                Ok((taken, at)) => {
                    self.at = at;
                    rest = rest.get(taken..).unwrap_or_default();
                }
                Err(said) => return said,
            }
        }
        Scan::More
    }

    /// One step at the start of `bytes`, which begin with `first`.
    fn step(&mut self, bytes: &[u8], first: u8) -> Step {
        match self.at {
            At::Mark(len) => mark(len, first),
            At::Key(key) => Ok(in_key(key, bytes)?),
            At::Name { text, pair } => self.in_name(text, pair, bytes),
            At::OtherKey { escaped } => Ok(in_string(
                bytes,
                escaped,
                At::Colon { model: false },
                |escaped| At::OtherKey { escaped },
            )),
            At::String { escaped } => Ok(in_string(bytes, escaped, At::After, |escaped| {
                At::String { escaped }
            })),
            At::Nested(mut nest) => Ok(match nest.pass(bytes) {
                Some(taken) => (taken, At::After),
                None => (bytes.len(), At::Nested(nest)),
            }),
            at => between(at, bytes),
        }
    }

    fn in_name(&mut self, mut text: Unescape, mut pair: Surrogates, bytes: &[u8]) -> Step {
        let mut rest = bytes;
        while let Some((byte, after)) = rest.split_first() {
            let told = text.take(*byte)?;
            rest = after;
            match told {
                Told::Nothing => {}
                Told::Byte(_) | Told::End if pair.is_open() => return Err(Scan::Absent),
                Told::Byte(byte) => self.name.extend(&[byte])?,
                Told::End => return Err(self.name.verdict()),
                Told::Unit(unit) => {
                    if let Some(char) = pair.take(unit)? {
                        let mut utf8 = [0; 4];
                        self.name.extend(char.encode_utf8(&mut utf8).as_bytes())?;
                    }
                }
            }
        }
        Ok((bytes.len(), At::Name { text, pair }))
    }
}

fn mark(len: u8, first: u8) -> Step {
    match BYTE_ORDER_MARK.get(usize::from(len)) {
        Some(wanted) if *wanted == first => Ok((1, At::Mark(len + 1))),
        // A part of the mark is no start of anything.
        Some(_) if len > 0 => Err(Scan::Absent),
        _ => Ok((0, At::Start)),
    }
}

fn in_key(mut key: Key, bytes: &[u8]) -> Result<(usize, At), NotJson> {
    for (index, byte) in bytes.iter().enumerate() {
        let at = match key.take(*byte)? {
            KeyIs::Open => continue,
            KeyIs::Model => At::Colon { model: true },
            KeyIs::Other => At::Colon { model: false },
            KeyIs::Unlike => At::OtherKey { escaped: false },
        };
        return Ok((index + 1, at));
    }
    Ok((bytes.len(), At::Key(key)))
}

fn in_string(
    bytes: &[u8],
    mut escaped: bool,
    then: At,
    more: impl FnOnce(bool) -> At,
) -> (usize, At) {
    match skip::string(bytes, &mut escaped) {
        Some(taken) => (taken, then),
        None => (bytes.len(), more(escaped)),
    }
}

/// Outside of strings and of what lies deeper: white space, or one byte that means something.
fn between(at: At, bytes: &[u8]) -> Step {
    let spaces = skip::spaces(bytes);
    let Some(byte) = bytes.get(spaces) else {
        // White space ends a number as well as anything else.
        let at = if matches!(at, At::Scalar) {
            At::After
        } else {
            at
        };
        return Ok((spaces, at));
    };
    let next = match (at, byte) {
        (At::Start, b'{') | (At::After | At::Scalar, b',') => At::Member,
        (At::Member, b'"') => At::Key(Key::new()),
        (At::Colon { model }, b':') => At::Value { model },
        (At::Value { model: true }, byte) => named(*byte)?,
        (At::Value { model: false }, b'"') => At::String { escaped: false },
        (At::Value { .. }, b'{' | b'[') => At::Nested(Nest::new()),
        (At::Value { .. }, b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => At::Scalar,
        (At::Scalar, b'+' | b'-' | b'.' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z')
            if spaces == 0 =>
        {
            At::Scalar
        }
        // The object's end, or what is not JSON.
        _ => return Err(Scan::Absent),
    };
    Ok((spaces + 1, next))
}

/// What the first byte of the value of `model` tells.
fn named(byte: u8) -> Result<At, Scan> {
    match byte {
        b'"' => Ok(At::Name {
            text: Unescape::Plain,
            pair: Surrogates::default(),
        }),
        b'{' | b'[' | b'-' | b'0'..=b'9' | b't' | b'f' => Err(Scan::NotAString),
        // Null, or what is not JSON.
        _ => Err(Scan::Absent),
    }
}
