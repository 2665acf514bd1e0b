//! Reads the fields that concern one hop: framing, connection persistence, and the lines to remove
//! before forwarding. Two framings, or a framing that two parsers could read differently, are
//! refused: a smuggled request needs such a difference.

use crate::field_name::FieldName;
use crate::head_edits::{HeadEdits, TooManyEdits};
use crate::{ByteSpan, Framing, InvalidRequest};
use httparse::Header;

/// Limit on the field lines in a head.
pub(crate) const MAX_FIELDS: usize = 128;

/// Fields that concern one hop only (RFC 9110 §7.6.1). `Transfer-Encoding` is hop-by-hop too, but
/// paddock forwards the body in the framing it arrived in.
pub const HOP_BY_HOP_FIELDS: [&str; 5] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "upgrade",
];

/// Fields that `Connection` must not name. The proxy removes the fields that `Connection` names;
/// without these, the next hop would read the message differently or lose its request ID.
const FORBIDDEN_OPTIONS: [&str; 9] = [
    "content-length",
    "transfer-encoding",
    "host",
    "expect",
    "trailer",
    "content-type",
    "content-encoding",
    "authorization",
    "x-request-id",
];

/// Limit on the options of all `Connection` fields together, because each option is compared with
/// each field of the head.
const MAX_CONNECTION_OPTIONS: usize = 32;

/// The classified names of a head's fields.
pub(crate) struct FieldNames {
    names: [FieldName; MAX_FIELDS],
    /// At least one field is hop-by-hop.
    any_hop_by_hop: bool,
}

impl FieldNames {
    pub(crate) fn classify(fields: &[Header<'_>]) -> Self {
        let mut names = [FieldName::Other; MAX_FIELDS];
        let mut any_hop_by_hop = false;
        for (name, field) in names.iter_mut().zip(fields) {
            *name = FieldName::parse(field.name);
            any_hop_by_hop |= matches!(name, FieldName::Connection | FieldName::HopByHop);
        }
        Self {
            names,
            any_hop_by_hop,
        }
    }

    /// Iterates over `fields` together with their classified names.
    pub(crate) fn zip<'a, 'b>(
        &'a self,
        fields: &'a [Header<'b>],
    ) -> impl Iterator<Item = (FieldName, &'a Header<'b>)> {
        self.names.iter().copied().zip(fields)
    }
}

/// The parsed `Connection` fields of a head.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct ConnectionField {
    pub(crate) close: bool,
    /// An option other than `close` and `keep-alive` is present.
    names_fields: bool,
}

impl ConnectionField {
    /// Parses every `Connection` field.
    pub(crate) fn parse(fields: &[Header<'_>], names: &FieldNames) -> Result<Self, InvalidRequest> {
        let mut result = Self::default();
        if !names.any_hop_by_hop {
            return Ok(result);
        }
        for (index, option) in connection_options(fields, names).enumerate() {
            if index == MAX_CONNECTION_OPTIONS {
                return Err(InvalidRequest::TooManyHopByHop);
            }
            let is = |name: &str| option.eq_ignore_ascii_case(name.as_bytes());
            if option.is_empty() || is("keep-alive") {
                continue;
            }
            if is("close") {
                result.close = true;
            } else if FORBIDDEN_OPTIONS.iter().any(|name| is(name)) {
                return Err(InvalidRequest::ConnectionOption);
            } else {
                result.names_fields = true;
            }
        }
        Ok(result)
    }
}

/// Iterates over the comma-separated options of every `Connection` field.
fn connection_options<'a>(
    fields: &'a [Header<'_>],
    names: &'a FieldNames,
) -> impl Iterator<Item = &'a [u8]> {
    names
        .zip(fields)
        .filter(|(name, _)| *name == FieldName::Connection)
        .flat_map(|(_, field)| field.value.split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
}

/// Cuts the hop-by-hop lines and the fields named in `also`.
pub(crate) fn cut_hop_by_hop(
    head: &[u8],
    fields: &[Header<'_>],
    names: &FieldNames,
    connection: ConnectionField,
    also: &[FieldName],
    edits: &mut HeadEdits,
) -> Result<(), TooManyEdits> {
    if !names.any_hop_by_hop && also.is_empty() {
        return Ok(());
    }
    for (name, field) in names.zip(fields) {
        let listed =
            matches!(name, FieldName::Connection | FieldName::HopByHop) || also.contains(&name);
        let named = || {
            connection_options(fields, names)
                .any(|option| option.eq_ignore_ascii_case(field.name.as_bytes()))
        };
        let closes = connection.close && field.name.eq_ignore_ascii_case("close");
        if listed || closes || (connection.names_fields && named()) {
            edits.cut(find_line(head, field))?;
        }
    }
    Ok(())
}

/// Returns the span of a field's whole line, including CRLF.
fn find_line(head: &[u8], field: &Header<'_>) -> ByteSpan {
    let start = ByteSpan::of_part(head, field.name.as_bytes()).start();
    let rest = head.get(start..).unwrap_or_default();
    let len = memchr::memchr(b'\n', rest).map_or(rest.len(), |lf| lf + 1);
    ByteSpan::new(start, start + len)
}

/// Collects the fields that state the body's framing.
#[derive(Debug, Default)]
pub(crate) struct FramingFields {
    length: Option<u64>,
    chunked: bool,
}

impl FramingFields {
    /// Records one field.
    pub(crate) fn take(&mut self, name: FieldName, value: &[u8]) -> Result<(), InvalidRequest> {
        match name {
            FieldName::ContentLength => {
                let length = parse_length(value).ok_or(InvalidRequest::ContentLength)?;
                if self.length.replace(length).is_some() {
                    return Err(InvalidRequest::ContentLengthRepeated);
                }
            }
            FieldName::TransferEncoding => {
                if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
                    return Err(InvalidRequest::TransferCoding);
                }
                self.chunked = true;
            }
            FieldName::UnderscoredFraming => return Err(InvalidRequest::FieldLine),
            _ => {}
        }
        Ok(())
    }

    /// Returns the framing that the fields state together, or `None` if they state none.
    pub(crate) fn resolve(&self) -> Result<Option<Framing>, InvalidRequest> {
        match (self.length, self.chunked) {
            (Some(_), true) => Err(InvalidRequest::TwoFramings),
            (Some(length), false) => Ok(Some(Framing::Length(length))),
            (None, true) => Ok(Some(Framing::Chunked)),
            (None, false) => Ok(None),
        }
    }
}

/// Parses a row of digits whose value fits 63 bits.
fn parse_length(value: &[u8]) -> Option<u64> {
    if value.is_empty() || value.len() > 19 {
        return None;
    }
    value
        .iter()
        .try_fold(0u64, |sum, byte| match byte {
            b'0'..=b'9' => sum.checked_mul(10)?.checked_add(u64::from(byte - b'0')),
            _ => None,
        })
        .filter(|length| i64::try_from(*length).is_ok())
}
