//! Parses `OTEL_EXPORTER_OTLP_HEADERS`, the header fields for the OTLP collector, as OpenTelemetry defines it:
//! `name=value,name=value`, values percent-encoded.

use http::header::{self, Entry};
use http::{HeaderMap, HeaderName, HeaderValue};
use std::ffi::OsStr;

pub(super) const HEADERS_VARIABLE: &str = "OTEL_EXPORTER_OTLP_HEADERS";

/// Advice for an invalid value.
pub(super) const HEADERS_HELP: &str = "write comma-separated NAME=VALUE fields, such as \
    Authorization=Bearer%20TOKEN; in a value, write %20 for a space, %2C for a comma and %25 for a %";

/// Maximum length of the text: the limit of W3C Baggage, whose format this is.
const MAX_BYTES: usize = 8192;

/// Fields that paddock sets itself, and hop-by-hop fields (RFC 9110 §7.6.1), which concern a single connection.
const RESERVED_NAMES: [HeaderName; 11] = [
    header::HOST,
    header::USER_AGENT,
    header::CONTENT_TYPE,
    header::CONTENT_LENGTH,
    header::CONTENT_ENCODING,
    header::CONNECTION,
    header::TRANSFER_ENCODING,
    header::TE,
    header::TRAILER,
    header::UPGRADE,
    header::EXPECT,
];

/// Reason why a text is invalid. The text is secret, so messages give only a field's number, from 1.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum HeadersError {
    #[error("it is longer than {MAX_BYTES} bytes")]
    TooLong,
    #[error("it is not UTF-8")]
    Text,
    #[error("field {0} has no =")]
    Pair(usize),
    #[error("field {0} has a name that HTTP does not allow")]
    Name(usize),
    #[error("field {0} is one that paddock sets itself")]
    Reserved(usize),
    #[error("field {0} has the same name as an earlier field")]
    Duplicate(usize),
    #[error("field {0} has a % that is not followed by two hexadecimal digits")]
    Escape(usize),
    #[error("field {0} has a character in its value that HTTP does not allow")]
    Value(usize),
}

/// Parses the variable's value.
pub(super) fn parse(text: &OsStr) -> Result<HeaderMap, HeadersError> {
    if text.len() > MAX_BYTES {
        return Err(HeadersError::TooLong);
    }
    let text = text.to_str().ok_or(HeadersError::Text)?;
    let mut fields = HeaderMap::new();
    for (place, pair) in (1..).zip(text.split(',')) {
        if pair.trim().is_empty() {
            continue;
        }
        let (name, value) = pair.split_once('=').ok_or(HeadersError::Pair(place))?;
        let name = HeaderName::from_bytes(name.trim().as_bytes());
        let name = name.map_err(|_| HeadersError::Name(place))?;
        if RESERVED_NAMES.contains(&name) {
            return Err(HeadersError::Reserved(place));
        }
        let value = percent_decode(value.trim()).ok_or(HeadersError::Escape(place))?;
        let value = HeaderValue::from_bytes(&value);
        let mut value = value.map_err(|_| HeadersError::Value(place))?;
        value.set_sensitive(true);
        match fields.entry(name) {
            Entry::Vacant(free) => drop(free.insert(value)),
            Entry::Occupied(_) => return Err(HeadersError::Duplicate(place)),
        }
    }
    Ok(fields)
}

/// Decodes a percent-encoded text.
fn percent_decode(text: &str) -> Option<Vec<u8>> {
    let mut pieces = text.split('%');
    let mut bytes = pieces.next()?.as_bytes().to_vec();
    for piece in pieces {
        let (digits, rest) = piece.split_at_checked(2)?;
        let digits = Some(digits).filter(|it| it.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<(String, String)>, HeadersError> {
        let fields = parse(OsStr::new(text))?;
        let text = |value: &HeaderValue| String::from_utf8(value.as_bytes().to_vec()).unwrap();
        let fields = fields.iter().map(|(name, value)| {
            assert!(value.is_sensitive());
            (name.to_string(), text(value))
        });
        Ok(fields.collect())
    }

    #[test]
    fn fields_are_read() {
        for (text, expected) in [
            ("", vec![]),
            (" , ", vec![]),
            (
                "Authorization=Basic%20dTpw%3D%3d",
                vec![("authorization", "Basic dTpw==")],
            ),
            (
                " api-key = a=b , x-team=%c3%a4 ops,empty=,",
                vec![("api-key", "a=b"), ("x-team", "ä ops"), ("empty", "")],
            ),
        ] {
            let mut fields = read(text).unwrap();
            fields.sort();
            let mut expected: Vec<_> = expected
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect();
            expected.sort();
            assert_eq!(fields, expected, "{text:?}");
        }
    }

    #[test]
    fn what_holds_no_fields_is_refused_with_its_place() {
        for (text, flaw) in [
            ("s3cret", HeadersError::Pair(1)),
            ("a=b,s3cret", HeadersError::Pair(2)),
            ("a b=s3cret", HeadersError::Name(1)),
            ("=s3cret", HeadersError::Name(1)),
            ("a=b,,Host=s3cret", HeadersError::Reserved(3)),
            ("content-Type=s3cret", HeadersError::Reserved(1)),
            ("a=b,A=s3cret", HeadersError::Duplicate(2)),
            ("a=100%", HeadersError::Escape(1)),
            ("a=%+1", HeadersError::Escape(1)),
            ("a=%2", HeadersError::Escape(1)),
            ("a=%ää", HeadersError::Escape(1)),
            ("a=s3cret%0d%0ab:c", HeadersError::Value(1)),
            ("a=s3cret\nb:c", HeadersError::Value(1)),
        ] {
            let refused = read(text).unwrap_err();
            assert!(!refused.to_string().contains("s3cret"), "{refused}");
            assert_eq!(refused, flaw, "{text:?}");
        }
        let longest = format!("a={}", "b".repeat(MAX_BYTES - 2));
        assert_eq!(read(&longest).unwrap().len(), 1);
        assert_eq!(read(&format!("{longest}b")), Err(HeadersError::TooLong));
    }

    #[test]
    #[cfg(unix)]
    fn what_is_no_text_is_refused() {
        use std::os::unix::ffi::OsStrExt;
        assert_eq!(parse(OsStr::from_bytes(b"a=\xff")), Err(HeadersError::Text));
    }
}
