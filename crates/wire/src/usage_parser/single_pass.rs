//! Reads a JSON document that is complete in one piece, in a single pass. This is the fast path of
//! [`incremental`](super::incremental), with the same result.
//!
//! Each function takes the rest of the piece and returns its own rest, or `None` if the document
//! does not continue as one that is complete here.

use super::members::{MemberKind, Scope, member_kind};
use super::short_text;
use super::usage_fields::UsageFields;
use crate::json_skip::{self, NestSkipper};

/// Returns the fields of the document at the start of `bytes` and its length, or `None` if the
/// document is incomplete or invalid: then
/// [`IncrementalReader`](super::incremental::IncrementalReader) reads the bytes.
pub(super) fn read_object(bytes: &[u8]) -> Option<(UsageFields, usize)> {
    let mut fields = UsageFields::default();
    let rest = read_members(strip_byte(b'{', bytes)?, Scope::Top, &mut fields)?;
    Some((fields, bytes.len() - rest.len()))
}

/// Returns the bytes after white space.
#[inline]
fn trim_spaces(bytes: &[u8]) -> &[u8] {
    match bytes.first() {
        Some(0..=b' ') => trim_spaces_slow(bytes),
        _ => bytes,
    }
}

/// The rare case of [`trim_spaces`]: programs write compact JSON.
#[cold]
fn trim_spaces_slow(bytes: &[u8]) -> &[u8] {
    bytes
        .get(json_skip::count_spaces(bytes)..)
        .unwrap_or_default()
}

/// Strips `byte`, after optional white space.
#[inline]
fn strip_byte(byte: u8, bytes: &[u8]) -> Option<&[u8]> {
    match bytes.split_first()? {
        (first, rest) if *first == byte => Some(rest),
        (0..=b' ', _) => trim_spaces_slow(bytes).strip_prefix(&[byte]),
        _ => None,
    }
}

/// Reads the members of an object, after its opening brace.
fn read_members<'a>(bytes: &'a [u8], scope: Scope, fields: &mut UsageFields) -> Option<&'a [u8]> {
    if let Some(rest) = strip_byte(b'}', bytes) {
        return Some(rest);
    }
    let mut rest = bytes;
    loop {
        let (name, next) = read_string(strip_byte(b'"', rest)?)?;
        let kind = member_kind(scope, name);
        fields.begin_member(kind);
        rest = read_value(trim_spaces(strip_byte(b':', next)?), kind, fields)?;
        match strip_byte(b',', rest) {
            Some(next) => rest = next,
            None => return strip_byte(b'}', rest),
        }
    }
}

/// Reads an array of objects, after its opening bracket.
fn read_choices<'a>(bytes: &'a [u8], fields: &mut UsageFields) -> Option<&'a [u8]> {
    if let Some(rest) = strip_byte(b']', bytes) {
        return Some(rest);
    }
    let mut rest = bytes;
    loop {
        rest = read_members(strip_byte(b'{', rest)?, Scope::Choice, fields)?;
        match strip_byte(b',', rest) {
            Some(next) => rest = next,
            None => return strip_byte(b']', rest),
        }
    }
}

/// Reads a value from its first byte.
#[inline]
fn read_value<'a>(bytes: &'a [u8], kind: MemberKind, fields: &mut UsageFields) -> Option<&'a [u8]> {
    let (first, rest) = bytes.split_first()?;
    if let b'-' | b'0'..=b'9' | b't' | b'f' | b'n' = first {
        let len = bytes
            .iter()
            .position(|byte| !json_skip::is_scalar_byte(*byte))?;
        let (text, rest) = bytes.split_at_checked(len)?;
        if kind != MemberKind::Nothing {
            fields.set_scalar(kind, short_text::text_if_short(text));
        }
        return Some(rest);
    }
    fields.error |= kind == MemberKind::Error;
    match first {
        b'"' => read_string(rest).map(|(_, rest)| rest),
        b'{' | b'[' => read_nested(*first, rest, kind, fields),
        _ => None,
    }
}

/// Reads or skips an array or object, after its first byte.
fn read_nested<'a>(
    first: u8,
    rest: &'a [u8],
    kind: MemberKind,
    fields: &mut UsageFields,
) -> Option<&'a [u8]> {
    match (first, kind) {
        (b'[', MemberKind::Inside(Scope::Choices)) => read_choices(rest, fields),
        (b'{', MemberKind::Inside(scope)) if scope != Scope::Choices => {
            read_members(rest, scope, fields)
        }
        _ => rest.get(NestSkipper::new().skip(rest)?..),
    }
}

/// Returns a string's content, after its opening quote, and the bytes after its closing quote.
#[inline]
fn read_string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (text, rest) = bytes.split_at_checked(json_skip::find_closing_quote(bytes)?)?;
    Some((text, rest.get(1..)?))
}
