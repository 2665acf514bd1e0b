//! Scans a JSON body for the first top-level member named `model`.

use super::ScanResult;
use super::json_string::{NameMatch, NameMatcher, NotJson, StringToken, Surrogates, Unescape};
use super::name_buffer::{NameBuffer, Overlong};
use crate::json_skip::{self, NestSkipper};

/// The byte order mark that some editors put before UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Follows the members of a top-level object to the first one named `model`.
///
/// Nested values are skipped, not parsed.
#[derive(Debug, Clone)]
pub(super) struct JsonScan {
    state: JsonScanState,
    name: NameBuffer,
}

/// The part of the document that the next byte belongs to.
#[derive(Debug, Clone, Copy)]
enum JsonScanState {
    /// After this many bytes of an optional byte order mark.
    ByteOrderMark(u8),
    /// White space before the object.
    Start,
    /// Before a member name.
    Member,
    MemberName(NameMatcher),
    /// In a member name other than `model`.
    OtherName {
        escaped: bool,
    },
    Colon {
        model: bool,
    },
    Value {
        model: bool,
    },
    /// In a string value of the top-level object.
    String {
        escaped: bool,
    },
    /// In a number, `true`, `false` or `null`.
    Scalar,
    /// In an array or object inside the top-level object.
    Nested(NestSkipper),
    /// After a value.
    After,
    /// In the value of `model`.
    ModelName {
        unescape: Unescape,
        pair: Surrogates,
    },
}

/// The number of bytes taken and the next state, or the final result.
type StepResult = Result<(usize, JsonScanState), ScanResult>;

impl From<NotJson> for ScanResult {
    fn from(_: NotJson) -> Self {
        Self::Absent
    }
}

impl From<Overlong> for ScanResult {
    fn from(_: Overlong) -> Self {
        Self::TooLong
    }
}

impl JsonScan {
    pub(super) fn new() -> Self {
        Self {
            state: JsonScanState::ByteOrderMark(0),
            name: NameBuffer::new(),
        }
    }

    pub(super) fn name(&self) -> Option<&str> {
        self.name.name()
    }

    pub(super) fn feed(&mut self, piece: &[u8]) -> ScanResult {
        let mut rest = piece;
        while let Some(first) = rest.first() {
            match self.step(rest, *first) {
                Ok((taken, state)) => {
                    self.state = state;
                    rest = rest.get(taken..).unwrap_or_default();
                }
                Err(result) => return result,
            }
        }
        ScanResult::More
    }

    /// Takes one step at the start of `bytes`, whose first byte is `first`.
    fn step(&mut self, bytes: &[u8], first: u8) -> StepResult {
        match self.state {
            JsonScanState::ByteOrderMark(len) => skip_byte_order_mark(len, first),
            JsonScanState::MemberName(matcher) => Ok(read_member_name(matcher, bytes)?),
            JsonScanState::ModelName { unescape, pair } => self.read_name(unescape, pair, bytes),
            JsonScanState::OtherName { escaped } => Ok(skip_string(
                bytes,
                escaped,
                JsonScanState::Colon { model: false },
                |escaped| JsonScanState::OtherName { escaped },
            )),
            JsonScanState::String { escaped } => Ok(skip_string(
                bytes,
                escaped,
                JsonScanState::After,
                |escaped| JsonScanState::String { escaped },
            )),
            JsonScanState::Nested(mut nest) => Ok(match nest.skip(bytes) {
                Some(taken) => (taken, JsonScanState::After),
                None => (bytes.len(), JsonScanState::Nested(nest)),
            }),
            state => read_token(state, bytes),
        }
    }

    fn read_name(
        &mut self,
        mut unescape: Unescape,
        mut pair: Surrogates,
        bytes: &[u8],
    ) -> StepResult {
        let mut rest = bytes;
        while let Some((byte, after)) = rest.split_first() {
            let token = unescape.take(*byte)?;
            rest = after;
            match token {
                StringToken::Incomplete => {}
                StringToken::Byte(_) | StringToken::End if pair.is_incomplete() => {
                    return Err(ScanResult::Absent);
                }
                StringToken::Byte(byte) => self.name.extend(&[byte])?,
                StringToken::End => return Err(self.name.result()),
                StringToken::Utf16Unit(unit) => {
                    if let Some(char) = pair.take(unit)? {
                        let mut utf8 = [0; 4];
                        self.name.extend(char.encode_utf8(&mut utf8).as_bytes())?;
                    }
                }
            }
        }
        Ok((bytes.len(), JsonScanState::ModelName { unescape, pair }))
    }
}

fn skip_byte_order_mark(len: u8, first: u8) -> StepResult {
    match BYTE_ORDER_MARK.get(usize::from(len)) {
        Some(wanted) if *wanted == first => Ok((1, JsonScanState::ByteOrderMark(len + 1))),
        // An incomplete mark cannot start a document.
        Some(_) if len > 0 => Err(ScanResult::Absent),
        _ => Ok((0, JsonScanState::Start)),
    }
}

fn read_member_name(
    mut matcher: NameMatcher,
    bytes: &[u8],
) -> Result<(usize, JsonScanState), NotJson> {
    for (index, byte) in bytes.iter().enumerate() {
        let state = match matcher.take(*byte)? {
            NameMatch::Undecided => continue,
            NameMatch::Model => JsonScanState::Colon { model: true },
            NameMatch::Other => JsonScanState::Colon { model: false },
            NameMatch::Mismatch => JsonScanState::OtherName { escaped: false },
        };
        return Ok((index + 1, state));
    }
    Ok((bytes.len(), JsonScanState::MemberName(matcher)))
}

fn skip_string(
    bytes: &[u8],
    mut escaped: bool,
    then: JsonScanState,
    more: impl FnOnce(bool) -> JsonScanState,
) -> (usize, JsonScanState) {
    match json_skip::skip_string(bytes, &mut escaped) {
        Some(taken) => (taken, then),
        None => (bytes.len(), more(escaped)),
    }
}

/// Takes white space and one structural byte, outside of strings and nested values.
fn read_token(state: JsonScanState, bytes: &[u8]) -> StepResult {
    let spaces = json_skip::count_spaces(bytes);
    let Some(byte) = bytes.get(spaces) else {
        // White space ends a number.
        let state = if matches!(state, JsonScanState::Scalar) {
            JsonScanState::After
        } else {
            state
        };
        return Ok((spaces, state));
    };
    let next = match (state, byte) {
        (JsonScanState::Start, b'{') | (JsonScanState::After | JsonScanState::Scalar, b',') => {
            JsonScanState::Member
        }
        (JsonScanState::Member, b'"') => JsonScanState::MemberName(NameMatcher::new()),
        (JsonScanState::Colon { model }, b':') => JsonScanState::Value { model },
        (JsonScanState::Value { model: true }, byte) => start_model_value(*byte)?,
        (JsonScanState::Value { model: false }, b'"') => JsonScanState::String { escaped: false },
        (JsonScanState::Value { .. }, b'{' | b'[') => JsonScanState::Nested(NestSkipper::new()),
        (JsonScanState::Value { .. }, b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => {
            JsonScanState::Scalar
        }
        (JsonScanState::Scalar, b'+' | b'-' | b'.' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z')
            if spaces == 0 =>
        {
            JsonScanState::Scalar
        }
        // The end of the object, or invalid JSON.
        _ => return Err(ScanResult::Absent),
    };
    Ok((spaces + 1, next))
}

/// Decides by the first byte of the value of `model`.
fn start_model_value(byte: u8) -> Result<JsonScanState, ScanResult> {
    match byte {
        b'"' => Ok(JsonScanState::ModelName {
            unescape: Unescape::Plain,
            pair: Surrogates::default(),
        }),
        b'{' | b'[' | b'-' | b'0'..=b'9' | b't' | b'f' => Err(ScanResult::NotAString),
        // `null`, or invalid JSON.
        _ => Err(ScanResult::Absent),
    }
}
