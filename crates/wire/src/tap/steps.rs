use super::members::{Wanted, Within, wanted};
use super::said::Said;
use super::word::Word;
use crate::skip::{self, Nest};

/// How deep the members lie that count: `response.usage.input_tokens_details`.
const DEPTH: usize = 4;

/// Reads a document step by step, in pieces of any size. What cannot count is passed over, not parsed.
#[derive(Debug, Clone)]
pub(super) struct Steps {
    at: At,
    /// What is looked into now, from the document itself on.
    path: [Within; DEPTH],
    depth: usize,
    /// The value that comes next or is being read.
    wanted: Wanted,
    /// A name or a number while it arrives.
    word: Word,
    said: Said,
}

/// What the next byte is part of.
#[derive(Debug, Clone, Copy)]
enum At {
    Start,
    /// Before a member's name; an object may end before its first.
    Member {
        first: bool,
    },
    Key {
        escaped: bool,
    },
    Colon,
    Value,
    /// Before an element of an array.
    Element {
        first: bool,
    },
    String {
        escaped: bool,
    },
    /// A number, true, false or null.
    Scalar,
    /// In what is not looked into.
    Nested(Nest),
    /// Behind a value.
    After,
    /// Behind the document.
    Ended,
    /// It is not JSON, or no object.
    Broken,
}

impl Steps {
    pub(super) fn new() -> Self {
        Self {
            at: At::Start,
            path: [Within::Top; DEPTH],
            depth: 0,
            wanted: Wanted::Nothing,
            word: Word::new(),
            said: Said::default(),
        }
    }

    /// At the end of a document.
    pub(super) fn behind_its_end() -> Self {
        Self {
            at: At::Ended,
            ..Self::new()
        }
    }

    /// What it states, once it is whole. What is broken states nothing.
    pub(super) fn said(&self) -> Option<&Said> {
        matches!(self.at, At::Ended).then_some(&self.said)
    }

    pub(super) fn feed(&mut self, piece: &[u8]) {
        let mut rest = piece;
        while !rest.is_empty() {
            let taken = self.step(rest);
            rest = rest.get(taken..).unwrap_or_default();
        }
    }

    /// One step at the start of `bytes`. Returns how many of them it took.
    fn step(&mut self, bytes: &[u8]) -> usize {
        let (taken, next) = match self.at {
            At::Broken => (None, At::Broken),
            At::Key { mut escaped } => {
                let taken = skip::string(bytes, &mut escaped);
                let text = taken.map_or(bytes.len(), |taken| taken - 1);
                self.word.extend(bytes.get(..text).unwrap_or_default());
                if taken.is_some() {
                    self.named();
                }
                (taken, taken.map_or(At::Key { escaped }, |_| At::Colon))
            }
            At::String { mut escaped } => {
                let taken = skip::string(bytes, &mut escaped);
                (taken, taken.map_or(At::String { escaped }, |_| At::After))
            }
            At::Nested(mut nest) => {
                let taken = nest.pass(bytes);
                (taken, taken.map_or(At::Nested(nest), |_| At::After))
            }
            At::Scalar => {
                let taken = bytes.iter().position(|byte| !skip::is_scalar(*byte));
                let text = bytes.get(..taken.unwrap_or(bytes.len()));
                self.word.extend(text.unwrap_or_default());
                if taken.is_some() {
                    self.scalar();
                }
                (taken, taken.map_or(At::Scalar, |_| At::After))
            }
            at => {
                let spaces = skip::spaces(bytes);
                match bytes.get(spaces) {
                    Some(byte) => self.between(at, *byte, spaces),
                    None => (None, at),
                }
            }
        };
        self.at = next;
        taken.unwrap_or(bytes.len())
    }

    /// A byte that means something, behind so many spaces.
    fn between(&mut self, at: At, byte: u8, spaces: usize) -> (Option<usize>, At) {
        let array = self.within() == Within::Choices;
        let next = match (at, byte) {
            (At::Start, b'{') => self.enter(Within::Top),
            (At::Member { .. }, b'"') => {
                self.word.clear();
                At::Key { escaped: false }
            }
            (At::Member { first: true }, b'}') | (At::Element { first: true }, b']') => {
                self.leave()
            }
            (At::After, b'}' | b']') if array == (byte == b']') => self.leave(),
            (At::After, b',') if array => At::Element { first: false },
            (At::After, b',') => At::Member { first: false },
            (At::Colon, b':') => At::Value,
            (At::Element { .. }, byte) => {
                self.wanted = Wanted::Inside(Within::Choice);
                return self.value(byte, spaces);
            }
            (At::Value, byte) => return self.value(byte, spaces),
            _ => At::Broken,
        };
        (Some(spaces + 1), next)
    }

    /// The first byte of a value.
    fn value(&mut self, byte: u8, spaces: usize) -> (Option<usize>, At) {
        let next = match (byte, self.wanted) {
            (b'{', Wanted::Inside(within)) if within != Within::Choices => self.enter(within),
            (b'[', Wanted::Inside(Within::Choices)) => self.enter(Within::Choices),
            (b'{' | b'[', _) => At::Nested(Nest::new()),
            (b'"', _) => At::String { escaped: false },
            (b'-' | b'0'..=b'9' | b't' | b'f' | b'n', _) => {
                self.word.clear();
                return (Some(spaces), At::Scalar);
            }
            _ => At::Broken,
        };
        self.said.error |= self.wanted == Wanted::Error;
        (Some(spaces + 1), next)
    }

    fn within(&self) -> Within {
        let innermost = self.path.get(self.depth.wrapping_sub(1));
        innermost.copied().unwrap_or(Within::Top)
    }

    fn enter(&mut self, within: Within) -> At {
        let Some(place) = self.path.get_mut(self.depth) else {
            return At::Broken;
        };
        *place = within;
        self.depth += 1;
        if within == Within::Choices {
            At::Element { first: true }
        } else {
            At::Member { first: true }
        }
    }

    fn leave(&mut self) -> At {
        self.depth = self.depth.saturating_sub(1);
        if self.depth == 0 {
            At::Ended
        } else {
            At::After
        }
    }

    /// A member's name has ended.
    fn named(&mut self) {
        self.wanted = wanted(self.within(), self.word.text());
        self.said.named(self.wanted);
    }

    /// A number, true, false or null has ended.
    fn scalar(&mut self) {
        self.said.scalar(self.wanted, self.word.text());
    }
}
