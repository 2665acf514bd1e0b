//! Reads a JSON document that arrives in pieces of any size.

use super::members::{MemberKind, Scope, member_kind};
use super::short_text::ShortText;
use super::usage_fields::UsageFields;
use crate::json_skip::{self, NestSkipper};

/// Depth of the deepest relevant member: `response.usage.input_tokens_details`.
const MAX_DEPTH: usize = 4;

/// Reads a document incrementally. Values without token counts, times or errors are skipped, not
/// parsed.
#[derive(Debug, Clone)]
pub(super) struct IncrementalReader {
    state: ReaderState,
    /// The scopes being read, outermost first.
    path: [Scope; MAX_DEPTH],
    depth: usize,
    /// The interpretation of the current or next value.
    kind: MemberKind,
    /// The current name or scalar.
    text: ShortText,
    fields: UsageFields,
}

/// The part of the document that the next byte belongs to.
#[derive(Debug, Clone, Copy)]
enum ReaderState {
    Start,
    /// Before a member name; an object may end before its first member.
    Member {
        first: bool,
    },
    Name {
        escaped: bool,
    },
    Colon,
    Value,
    /// Before an array element.
    Element {
        first: bool,
    },
    String {
        escaped: bool,
    },
    /// In a number, `true`, `false` or `null`.
    Scalar,
    /// In a value that is skipped.
    Nested(NestSkipper),
    /// After a value.
    After,
    /// After the document.
    Ended,
    /// The document is not a JSON object.
    Broken,
}

impl IncrementalReader {
    pub(super) fn new() -> Self {
        Self {
            state: ReaderState::Start,
            path: [Scope::Top; MAX_DEPTH],
            depth: 0,
            kind: MemberKind::Nothing,
            text: ShortText::new(),
            fields: UsageFields::default(),
        }
    }

    /// Starts after the end of a document.
    pub(super) fn after_document() -> Self {
        Self {
            state: ReaderState::Ended,
            ..Self::new()
        }
    }

    /// Returns the fields once the document is complete and valid.
    pub(super) fn fields(&self) -> Option<&UsageFields> {
        matches!(self.state, ReaderState::Ended).then_some(&self.fields)
    }

    pub(super) fn feed(&mut self, piece: &[u8]) {
        let mut rest = piece;
        while !rest.is_empty() {
            let taken = self.step(rest);
            rest = rest.get(taken..).unwrap_or_default();
        }
    }

    /// Takes one step at the start of `bytes`. Returns the number of bytes taken.
    fn step(&mut self, bytes: &[u8]) -> usize {
        let (taken, next) = match self.state {
            ReaderState::Broken => (None, ReaderState::Broken),
            ReaderState::Name { mut escaped } => {
                let taken = json_skip::skip_string(bytes, &mut escaped);
                let text = taken.map_or(bytes.len(), |taken| taken - 1);
                self.text.extend(bytes.get(..text).unwrap_or_default());
                if taken.is_some() {
                    self.end_name();
                }
                (
                    taken,
                    taken.map_or(ReaderState::Name { escaped }, |_| ReaderState::Colon),
                )
            }
            ReaderState::String { mut escaped } => {
                let taken = json_skip::skip_string(bytes, &mut escaped);
                (
                    taken,
                    taken.map_or(ReaderState::String { escaped }, |_| ReaderState::After),
                )
            }
            ReaderState::Nested(mut nest) => {
                let taken = nest.skip(bytes);
                (
                    taken,
                    taken.map_or(ReaderState::Nested(nest), |_| ReaderState::After),
                )
            }
            ReaderState::Scalar => {
                let taken = bytes
                    .iter()
                    .position(|byte| !json_skip::is_scalar_byte(*byte));
                let text = bytes.get(..taken.unwrap_or(bytes.len()));
                self.text.extend(text.unwrap_or_default());
                if taken.is_some() {
                    self.end_scalar();
                }
                (
                    taken,
                    taken.map_or(ReaderState::Scalar, |_| ReaderState::After),
                )
            }
            state => {
                let spaces = json_skip::count_spaces(bytes);
                match bytes.get(spaces) {
                    Some(byte) => self.read_token(state, *byte, spaces),
                    None => (None, state),
                }
            }
        };
        self.state = next;
        taken.unwrap_or(bytes.len())
    }

    /// Takes `spaces` bytes of white space and the structural byte after them.
    fn read_token(
        &mut self,
        state: ReaderState,
        byte: u8,
        spaces: usize,
    ) -> (Option<usize>, ReaderState) {
        let array = self.scope() == Scope::Choices;
        let next = match (state, byte) {
            (ReaderState::Start, b'{') => self.enter(Scope::Top),
            (ReaderState::Member { .. }, b'"') => {
                self.text.clear();
                ReaderState::Name { escaped: false }
            }
            (ReaderState::Member { first: true }, b'}')
            | (ReaderState::Element { first: true }, b']') => self.leave(),
            (ReaderState::After, b'}' | b']') if array == (byte == b']') => self.leave(),
            (ReaderState::After, b',') if array => ReaderState::Element { first: false },
            (ReaderState::After, b',') => ReaderState::Member { first: false },
            (ReaderState::Colon, b':') => ReaderState::Value,
            (ReaderState::Element { .. }, byte) => {
                self.kind = MemberKind::Inside(Scope::Choice);
                return self.start_value(byte, spaces);
            }
            (ReaderState::Value, byte) => return self.start_value(byte, spaces),
            _ => ReaderState::Broken,
        };
        (Some(spaces + 1), next)
    }

    /// Handles the first byte of a value.
    fn start_value(&mut self, byte: u8, spaces: usize) -> (Option<usize>, ReaderState) {
        let next = match (byte, self.kind) {
            (b'{', MemberKind::Inside(scope)) if scope != Scope::Choices => self.enter(scope),
            (b'[', MemberKind::Inside(Scope::Choices)) => self.enter(Scope::Choices),
            (b'{' | b'[', _) => ReaderState::Nested(NestSkipper::new()),
            (b'"', _) => ReaderState::String { escaped: false },
            (b'-' | b'0'..=b'9' | b't' | b'f' | b'n', _) => {
                self.text.clear();
                return (Some(spaces), ReaderState::Scalar);
            }
            _ => ReaderState::Broken,
        };
        self.fields.error |= self.kind == MemberKind::Error;
        (Some(spaces + 1), next)
    }

    fn scope(&self) -> Scope {
        let innermost = self.path.get(self.depth.wrapping_sub(1));
        innermost.copied().unwrap_or(Scope::Top)
    }

    fn enter(&mut self, scope: Scope) -> ReaderState {
        let Some(place) = self.path.get_mut(self.depth) else {
            return ReaderState::Broken;
        };
        *place = scope;
        self.depth += 1;
        if scope == Scope::Choices {
            ReaderState::Element { first: true }
        } else {
            ReaderState::Member { first: true }
        }
    }

    fn leave(&mut self) -> ReaderState {
        self.depth = self.depth.saturating_sub(1);
        if self.depth == 0 {
            ReaderState::Ended
        } else {
            ReaderState::After
        }
    }

    /// Ends a member name.
    fn end_name(&mut self) {
        self.kind = member_kind(self.scope(), self.text.text());
        self.fields.begin_member(self.kind);
    }

    /// Ends a number, `true`, `false` or `null`.
    fn end_scalar(&mut self) {
        self.fields.set_scalar(self.kind, self.text.text());
    }
}
