//! Boundaries of `multipart/form-data`: validation, extraction from a Content-Type, and search.

use super::field_parameters::split_parameters;
use memchr::memmem::Finder;
use std::borrow::Cow;

/// Limit on a boundary's length (RFC 2046 §5.1.1).
const MAX_BOUNDARY_LEN: usize = 70;

/// Returns true for a valid boundary (RFC 2046 §5.1.1).
pub(super) fn is_valid(boundary: &[u8]) -> bool {
    let belongs = |byte: &u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(byte);
    (1..=MAX_BOUNDARY_LEN).contains(&boundary.len())
        && boundary.iter().all(belongs)
        && boundary.last() != Some(&b' ')
}

/// Returns the boundary of a `multipart/form-data` Content-Type.
pub(super) fn boundary_in(content_type: &[u8]) -> Option<Cow<'_, [u8]>> {
    let (kind, parameters) = split_parameters(content_type);
    if !kind.eq_ignore_ascii_case(b"multipart/form-data") {
        return None;
    }
    parameters.get_unique(b"boundary").ok().flatten()
}

/// Finds the delimiter that ends a part's content: a line break, two dashes and the boundary.
#[derive(Debug, Clone)]
pub(super) struct Delimiter {
    finder: Finder<'static>,
    /// Number of delimiter bytes that the input so far ends with.
    matched: usize,
}

impl Delimiter {
    /// Starts at the beginning of a body, where the first boundary needs no line break before it.
    pub(super) fn new(boundary: &[u8]) -> Self {
        let delimiter = [b"\r\n--", boundary].concat();
        Self {
            finder: Finder::new(&delimiter).into_owned(),
            matched: 2,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.finder.needle().len()
    }

    /// Returns the number of trailing input bytes that may begin a delimiter.
    pub(super) fn matched_len(&self) -> usize {
        self.matched
    }

    /// Records that the preceding line break may begin a delimiter.
    pub(super) fn start_behind_line_break(&mut self) {
        self.matched = 2;
    }

    /// Returns the index after the delimiter in `bytes`, the next input; the delimiter may have
    /// begun earlier.
    pub(super) fn find(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut from = 0;
        // Only the first byte is CR, so a failed match restarts at the current byte.
        while self.matched > 0 {
            let byte = bytes.get(from)?;
            if self.finder.needle().get(self.matched) != Some(byte) {
                self.matched = 0;
                break;
            }
            from += 1;
            self.matched += 1;
            if self.matched == self.len() {
                self.matched = 0;
                return Some(from);
            }
        }
        let rest = bytes.get(from..).unwrap_or_default();
        if let Some(found) = self.finder.find(rest) {
            return Some(from + found + self.len());
        }
        let near = rest.len().saturating_sub(self.len() - 1);
        let near = rest.get(near..).unwrap_or_default();
        let begun = memchr::memrchr(b'\r', near).and_then(|cr| near.get(cr..));
        if let Some(begun) = begun.filter(|begun| self.finder.needle().starts_with(begun)) {
            self.matched = begun.len();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_boundary_is_read_from_the_content_type() {
        for (value, expected) in [
            ("multipart/form-data; boundary=abc", Some("abc")),
            (
                "Multipart/Form-Data;charset=utf-8; Boundary=\"a b\"",
                Some("a b"),
            ),
            ("multipart/form-data; boundary=\"a\\\"b\"", Some("a\"b")),
            ("multipart/form-data; boundary=-=_P/1", Some("-=_P/1")),
            ("multipart/form-data", None),
            ("multipart/form-data; boundary=a; boundary=b", None),
            ("multipart/mixed; boundary=abc", None),
            ("application/json; boundary=abc", None),
        ] {
            let expected = expected.map(|boundary| Cow::Borrowed(boundary.as_bytes()));
            assert_eq!(boundary_in(value.as_bytes()), expected, "{value}");
        }
    }

    #[test]
    fn not_every_boundary_is_valid() {
        assert!(is_valid(b"----WebKitFormBoundaryAbC"));
        assert!(is_valid(&[b'a'; 70]));
        for boundary in [&b""[..], &[b'a'; 71], b"a ", b"a\"b", b"a\r\n", b"\xff"] {
            assert!(!is_valid(boundary), "{}", boundary.escape_ascii());
        }
    }

    #[test]
    fn a_delimiter_is_found_however_it_is_cut() {
        let bytes = b"a\r\r\n--a\r\n-\r\n--\r\n--aab";
        for size in 1..bytes.len() {
            let mut delimiter = Delimiter::new(b"aab");
            let mut passed = 0;
            let mut found = None;
            for piece in bytes.chunks(size) {
                found = found.or(delimiter.find(piece).map(|end| passed + end));
                passed += piece.len();
            }
            assert_eq!(found, Some(bytes.len()), "in pieces of {size}");
        }
    }
}
