//! A document that lies whole in one piece, read in one go.

use super::members::{Wanted, Within, wanted};
use super::said::Said;
use super::word;
use crate::skip::{self, Nest};

/// What the document at the start of `bytes` states, and how many of them it is. `None` where it does not
/// lie there whole, or is none: then [`Document`](super::document::Document) finds out, step by step. It
/// would say the same of what is read here.
pub(super) fn read(bytes: &[u8]) -> Option<(Said, usize)> {
    let mut whole = Whole {
        bytes,
        at: 0,
        said: Said::default(),
    };
    (whole.next()? == b'{').then_some(())?;
    whole.object(Within::Top)?;
    Some((whole.said, whole.at))
}

struct Whole<'a> {
    bytes: &'a [u8],
    at: usize,
    said: Said,
}

impl<'a> Whole<'a> {
    /// The next byte that is not white space.
    fn next(&mut self) -> Option<u8> {
        loop {
            let byte = *self.bytes.get(self.at)?;
            self.at += 1;
            if !skip::is_space(byte) {
                return Some(byte);
            }
        }
    }

    /// From behind the brace that opens it.
    fn object(&mut self, within: Within) -> Option<()> {
        let mut byte = self.next()?;
        if byte == b'}' {
            return Some(());
        }
        loop {
            (byte == b'"').then_some(())?;
            let wanted = wanted(within, word::of(self.string()?));
            self.said.named(wanted);
            (self.next()? == b':').then_some(())?;
            let first = self.next()?;
            self.value(first, wanted)?;
            match self.next()? {
                b',' => byte = self.next()?,
                b'}' => return Some(()),
                _ => return None,
            }
        }
    }

    /// From behind the bracket that opens them.
    fn choices(&mut self) -> Option<()> {
        let mut byte = self.next()?;
        if byte == b']' {
            return Some(());
        }
        loop {
            self.value(byte, Wanted::Inside(Within::Choice))?;
            match self.next()? {
                b',' => byte = self.next()?,
                b']' => return Some(()),
                _ => return None,
            }
        }
    }

    /// From behind its first byte.
    fn value(&mut self, first: u8, wanted: Wanted) -> Option<()> {
        if matches!(first, b'-' | b'0'..=b'9' | b't' | b'f' | b'n') {
            let rest = self.bytes.get(self.at - 1..)?;
            let len = rest.iter().position(|byte| !skip::is_scalar(*byte))?;
            self.at += len - 1;
            self.said.scalar(wanted, word::of(rest.get(..len)?));
            return Some(());
        }
        self.said.error |= wanted == Wanted::Error;
        match (first, wanted) {
            (b'[', Wanted::Inside(Within::Choices)) => self.choices(),
            (b'{', Wanted::Inside(within)) if within != Within::Choices => self.object(within),
            (b'{' | b'[', _) => {
                self.at += Nest::new().pass(self.bytes.get(self.at..)?)?;
                Some(())
            }
            (b'"', _) => self.string().map(drop),
            _ => None,
        }
    }

    /// A string, from behind its opening quote; what lies before its closing one.
    fn string(&mut self) -> Option<&'a [u8]> {
        let rest = self.bytes.get(self.at..)?;
        let taken = skip::string(rest, &mut false)?;
        self.at += taken;
        rest.get(..taken - 1)
    }
}
