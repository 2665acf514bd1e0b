use super::members::{Wanted, Within, wanted};
use super::said::Said;
use super::word::Word;
use crate::skip::{self, Nest};
use std::time::Duration;

/// How deep the members lie that count: `response.usage.input_tokens_details`.
const DEPTH: usize = 4;

/// Follows a JSON document and keeps what it states of tokens and times.
///
/// What cannot count is passed over, not parsed.
#[derive(Debug, Clone)]
pub(super) struct Document {
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

impl Document {
    pub(super) const fn new(said: Said) -> Self {
        Self {
            at: At::Start,
            path: [Within::Top; DEPTH],
            depth: 0,
            wanted: Wanted::Nothing,
            word: Word::new(),
            said,
        }
    }

    /// What it states, once it is whole. What is broken states nothing.
    pub(super) fn said(&self) -> Option<&Said> {
        matches!(self.at, At::Ended).then_some(&self.said)
    }

    pub(super) fn feed(&mut self, piece: &[u8]) {
        let mut rest = piece;
        while !rest.is_empty() {
            if matches!(self.at, At::Member { .. }) {
                let taken = self.members(rest);
                rest = rest.get(taken..).unwrap_or_default();
            }
            let taken = self.step(rest);
            rest = rest.get(taken..).unwrap_or_default();
        }
    }

    /// Takes the members at the start of `bytes` that lie there whole and as programs write them, with
    /// another one behind: nearly all of them. Says how many bytes that were; what is left is taken step
    /// by step, to the same effect.
    fn members(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while let Some(member) = Member::at(bytes, at) {
            let wanted = wanted(self.within(), member.name);
            let Some(end) = member.end(bytes, wanted) else {
                break;
            };
            if bytes.get(end..end + 2) != Some(b",\"") {
                break;
            }
            self.word.clear();
            self.word.extend(member.name);
            self.named();
            if is_scalar(member.first) {
                self.word.clear();
                self.word
                    .extend(bytes.get(member.value..end).unwrap_or_default());
                self.scalar();
            }
            self.said.error |= wanted == Wanted::Error && !is_scalar(member.first);
            at = end + 1;
            self.at = At::Member { first: false };
        }
        at
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
                let taken = bytes.iter().position(|byte| !is_scalar(*byte));
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
        self.said.counts |= self.wanted.makes_an_event_count();
        match self.wanted {
            Wanted::Count(number) | Wanted::Time(number) => self.said.set(number, None),
            Wanted::Inside(within) => self.said.begin(within),
            Wanted::Stop => self.said.stop = false,
            Wanted::Nothing | Wanted::Index | Wanted::Error => {}
        }
    }

    /// A number, true, false or null has ended.
    fn scalar(&mut self) {
        let text = self.word.text();
        match self.wanted {
            Wanted::Count(number) => self.said.set(number, count(text)),
            Wanted::Time(number) => self.said.set(number, nanoseconds(text)),
            Wanted::Index => self.said.several |= count(text) != Some(0),
            Wanted::Stop => self.said.stop = text == b"true",
            Wanted::Error => self.said.error |= text != b"null",
            Wanted::Nothing | Wanted::Inside(_) => {}
        }
    }
}

/// A member's name, and where its value begins.
struct Member<'a> {
    name: &'a [u8],
    value: usize,
    /// The value's first byte.
    first: u8,
}

impl<'a> Member<'a> {
    /// The member at this place, if its name is a plain one and at most one space is before its value.
    fn at(bytes: &'a [u8], at: usize) -> Option<Self> {
        if bytes.get(at) != Some(&b'"') {
            return None;
        }
        let rest = bytes.get(at + 1..)?;
        let len = memchr::memchr2(b'"', b'\\', rest)?;
        if rest.get(len..len + 2) != Some(b"\":") {
            return None;
        }
        let value = at + len + 3;
        let value = value + usize::from(bytes.get(value) == Some(&b' '));
        Some(Self {
            name: rest.get(..len)?,
            value,
            first: *bytes.get(value)?,
        })
    }

    /// Where its value ends, if that is here, and not looked into.
    fn end(&self, bytes: &[u8], wanted: Wanted) -> Option<usize> {
        let behind = self.value + 1;
        let rest = bytes.get(behind..)?;
        Some(match self.first {
            b'"' => behind + skip::string(rest, &mut false)?,
            b'{' | b'[' if matches!(wanted, Wanted::Inside(_)) => return None,
            b'{' | b'[' => behind + Nest::new().pass(rest)?,
            b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => {
                behind + rest.iter().position(|byte| !is_scalar(*byte))?
            }
            _ => return None,
        })
    }
}

fn is_scalar(byte: u8) -> bool {
    matches!(byte, b'+' | b'-' | b'.' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z')
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

fn count(bytes: &[u8]) -> Option<u64> {
    text(bytes)?.parse().ok()
}

/// Milliseconds as a decimal.
fn nanoseconds(bytes: &[u8]) -> Option<u64> {
    let milliseconds: f64 = text(bytes)?.parse().ok()?;
    let time = Duration::try_from_secs_f64(milliseconds / 1000.0).ok()?;
    u64::try_from(time.as_nanos()).ok()
}
