//! A document that lies whole in one piece, read in one go.
//!
//! Each step takes what is left of the piece and returns what it leaves, or `None` where the document does
//! not go on as one that lies here whole.

use super::members::{Wanted, Within, wanted};
use super::said::Said;
use super::word;
use crate::skip::{self, Nest};

/// What the document at the start of `bytes` states, and how many of them it is. `None` where it does not
/// lie there whole, or is none: then [`Steps`](super::steps::Steps) find out. They
/// would say the same of what is read here.
pub(super) fn read(bytes: &[u8]) -> Option<(Said, usize)> {
    let mut said = Said::default();
    let rest = object(behind(b'{', bytes)?, Within::Top, &mut said)?;
    Some((said, bytes.len() - rest.len()))
}

/// What lies behind white space.
#[inline]
fn trimmed(bytes: &[u8]) -> &[u8] {
    match bytes.first() {
        Some(0..=b' ') => spaced(bytes),
        _ => bytes,
    }
}

/// The rare case of [`trimmed`]: programs write no white space.
#[cold]
fn spaced(bytes: &[u8]) -> &[u8] {
    bytes.get(skip::spaces(bytes)..).unwrap_or_default()
}

/// What lies behind this byte, which comes next but for white space.
#[inline]
fn behind(byte: u8, bytes: &[u8]) -> Option<&[u8]> {
    match bytes.split_first()? {
        (first, rest) if *first == byte => Some(rest),
        (0..=b' ', _) => spaced(bytes).strip_prefix(&[byte]),
        _ => None,
    }
}

/// From behind the brace that opens it.
fn object<'a>(bytes: &'a [u8], within: Within, said: &mut Said) -> Option<&'a [u8]> {
    if let Some(rest) = behind(b'}', bytes) {
        return Some(rest);
    }
    let mut rest = bytes;
    loop {
        let (name, next) = string(behind(b'"', rest)?)?;
        let wanted = wanted(within, name);
        said.named(wanted);
        rest = value(trimmed(behind(b':', next)?), wanted, said)?;
        match behind(b',', rest) {
            Some(next) => rest = next,
            None => return behind(b'}', rest),
        }
    }
}

/// Objects, from behind the bracket that opens them.
fn choices<'a>(bytes: &'a [u8], said: &mut Said) -> Option<&'a [u8]> {
    if let Some(rest) = behind(b']', bytes) {
        return Some(rest);
    }
    let mut rest = bytes;
    loop {
        rest = object(behind(b'{', rest)?, Within::Choice, said)?;
        match behind(b',', rest) {
            Some(next) => rest = next,
            None => return behind(b']', rest),
        }
    }
}

/// From its first byte on.
#[inline]
fn value<'a>(bytes: &'a [u8], wanted: Wanted, said: &mut Said) -> Option<&'a [u8]> {
    let (first, rest) = bytes.split_first()?;
    if let b'-' | b'0'..=b'9' | b't' | b'f' | b'n' = first {
        let len = bytes.iter().position(|byte| !skip::is_scalar(*byte))?;
        let (text, rest) = bytes.split_at_checked(len)?;
        if wanted != Wanted::Nothing {
            said.scalar(wanted, word::of(text));
        }
        return Some(rest);
    }
    said.error |= wanted == Wanted::Error;
    match first {
        b'"' => string(rest).map(|(_, rest)| rest),
        b'{' | b'[' => nested(*first, rest, wanted, said),
        _ => None,
    }
}

/// An array or object, from behind its first byte.
fn nested<'a>(first: u8, rest: &'a [u8], wanted: Wanted, said: &mut Said) -> Option<&'a [u8]> {
    match (first, wanted) {
        (b'[', Wanted::Inside(Within::Choices)) => choices(rest, said),
        (b'{', Wanted::Inside(within)) if within != Within::Choices => object(rest, within, said),
        _ => rest.get(Nest::new().pass(rest)?..),
    }
}

/// A string, from behind its opening quote: what is in it, and what lies behind it.
#[inline]
fn string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (text, rest) = bytes.split_at_checked(skip::to_closing_quote(bytes)?)?;
    Some((text, rest.get(1..)?))
}
