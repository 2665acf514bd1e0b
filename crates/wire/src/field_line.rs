//! Iterates over the field lines of a head.

use crate::ByteSpan;

/// A field line of a head.
#[derive(Debug, Clone, Copy)]
pub struct FieldLine<'a> {
    /// The name as sent.
    pub name: &'a [u8],
    /// The value without surrounding white space.
    pub value: &'a [u8],
    /// The span of the whole line, including CRLF.
    pub line: ByteSpan,
}

impl FieldLine<'_> {
    /// Returns true if the field has this name, in any case.
    pub fn has_name(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }
}

/// Iterates over the fields of a head that [`RequestHead`](crate::RequestHead) has accepted, for
/// the few requests that need fields which `RequestHead` does not keep.
pub fn field_lines(head: &[u8]) -> impl Iterator<Item = FieldLine<'_>> {
    let mut start = 0;
    let lines = std::iter::from_fn(move || {
        let rest = head.get(start..).filter(|rest| !rest.is_empty())?;
        let len = memchr::memchr(b'\n', rest).map_or(rest.len(), |lf| lf + 1);
        let span = ByteSpan::new(start, start + len);
        start += len;
        Some(span)
    });
    // The first line is the request line.
    lines.skip(1).filter_map(move |line| {
        let bytes = line.slice(head);
        let colon = memchr::memchr(b':', bytes)?;
        Some(FieldLine {
            name: &bytes[..colon],
            value: bytes[colon + 1..].trim_ascii(),
            line,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_with_their_lines() {
        let head = b"GET /a:b HTTP/1.1\r\nHost: h:1\r\nX-API-Key:\t k \r\nEmpty:\r\n\r\n";
        let found: Vec<_> = field_lines(head)
            .map(|field| (field.name, field.value, field.line.slice(head)))
            .collect();
        let expected: [(&[u8], &[u8], &[u8]); 3] = [
            (b"Host", b"h:1", b"Host: h:1\r\n"),
            (b"X-API-Key", b"k", b"X-API-Key:\t k \r\n"),
            (b"Empty", b"", b"Empty:\r\n"),
        ];
        assert_eq!(found, expected);
        assert!(field_lines(head).nth(1).unwrap().has_name("x-api-key"));
        assert_eq!(field_lines(b"").count(), 0);
    }
}
