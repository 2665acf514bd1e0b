//! What the fields of a head say about the hop: framing, persistence, lines to cut.

use crate::edits::{Edits, Full};
use crate::name::Name;
use crate::{Framing, Refusal, Span};
use httparse::Header;

/// The most field lines in a head.
pub(crate) const MAX_FIELDS: usize = 128;

/// Fields that concern this hop alone (RFC 9110 §7.6.1). Transfer-Encoding is one of them too,
/// but the body is passed on in the framing it came in.
pub const HOP_BY_HOP: [&str; 5] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "upgrade",
];

/// Fields that Connection must not name: without them the message would be read differently, or
/// go on without its name.
const NOT_OPTIONS: [&str; 9] = [
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

/// The most members of all Connection fields together: each is held against each field.
const MAX_OPTIONS: usize = 32;

/// The names of a head's fields, each told once.
pub(crate) struct Names {
    names: [Name; MAX_FIELDS],
    /// Some of them concern this hop alone.
    any_hop_by_hop: bool,
}

impl Names {
    pub(crate) fn of(fields: &[Header<'_>]) -> Self {
        let mut names = [Name::Other; MAX_FIELDS];
        let mut any_hop_by_hop = false;
        for (name, field) in names.iter_mut().zip(fields) {
            *name = Name::of(field.name);
            any_hop_by_hop |= matches!(name, Name::Connection | Name::HopByHop);
        }
        Self {
            names,
            any_hop_by_hop,
        }
    }

    /// The fields and their names.
    pub(crate) fn with<'a, 'b>(
        &'a self,
        fields: &'a [Header<'b>],
    ) -> impl Iterator<Item = (Name, &'a Header<'b>)> {
        self.names.iter().copied().zip(fields)
    }
}

/// What Connection says.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Connection {
    pub(crate) close: bool,
    /// It names fields besides `close` and `keep-alive`.
    names_fields: bool,
}

impl Connection {
    /// Reads every Connection field.
    pub(crate) fn read(fields: &[Header<'_>], names: &Names) -> Result<Self, Refusal> {
        let mut says = Self::default();
        if !names.any_hop_by_hop {
            return Ok(says);
        }
        for (index, option) in options(fields, names).enumerate() {
            if index == MAX_OPTIONS {
                return Err(Refusal::TooManyHopByHop);
            }
            let is = |name: &str| option.eq_ignore_ascii_case(name.as_bytes());
            if option.is_empty() || is("keep-alive") {
                continue;
            }
            if is("close") {
                says.close = true;
            } else if NOT_OPTIONS.iter().any(|name| is(name)) {
                return Err(Refusal::ConnectionOption);
            } else {
                says.names_fields = true;
            }
        }
        Ok(says)
    }
}

/// The comma-separated members of every Connection field.
fn options<'a>(fields: &'a [Header<'_>], names: &'a Names) -> impl Iterator<Item = &'a [u8]> {
    names
        .with(fields)
        .filter(|(name, _)| *name == Name::Connection)
        .flat_map(|(_, field)| field.value.split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
}

/// Cuts the lines that end at this hop, and those named in `also`.
pub(crate) fn cut_hop_by_hop(
    head: &[u8],
    fields: &[Header<'_>],
    names: &Names,
    connection: Connection,
    also: &[Name],
    edits: &mut Edits,
) -> Result<(), Full> {
    if !names.any_hop_by_hop && also.is_empty() {
        return Ok(());
    }
    for (name, field) in names.with(fields) {
        let listed = matches!(name, Name::Connection | Name::HopByHop) || also.contains(&name);
        let named = || {
            options(fields, names).any(|option| option.eq_ignore_ascii_case(field.name.as_bytes()))
        };
        let closes = connection.close && field.name.eq_ignore_ascii_case("close");
        if listed || closes || (connection.names_fields && named()) {
            edits.cut(line_of(head, field))?;
        }
    }
    Ok(())
}

/// The whole line of a field, its CRLF included.
fn line_of(head: &[u8], field: &Header<'_>) -> Span {
    let start = Span::of_part(head, field.name.as_bytes()).start();
    let rest = head.get(start..).unwrap_or_default();
    let len = memchr::memchr(b'\n', rest).map_or(rest.len(), |lf| lf + 1);
    Span::new(start, start + len)
}

/// Collects what the fields say about the body's framing.
#[derive(Debug, Default)]
pub(crate) struct FramingFields {
    length: Option<u64>,
    chunked: bool,
}

impl FramingFields {
    /// Takes one field into account.
    pub(crate) fn take(&mut self, name: Name, value: &[u8]) -> Result<(), Refusal> {
        match name {
            Name::ContentLength => {
                let length = decimal(value).ok_or(Refusal::ContentLength)?;
                if self.length.replace(length).is_some() {
                    return Err(Refusal::ContentLengthRepeated);
                }
            }
            Name::TransferEncoding => {
                if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
                    return Err(Refusal::TransferCoding);
                }
                self.chunked = true;
            }
            Name::Underscored => return Err(Refusal::FieldLine),
            _ => {}
        }
        Ok(())
    }

    /// The framing they say together, if any.
    pub(crate) fn framing(&self) -> Result<Option<Framing>, Refusal> {
        match (self.length, self.chunked) {
            (Some(_), true) => Err(Refusal::TwoFramings),
            (Some(length), false) => Ok(Some(Framing::Length(length))),
            (None, true) => Ok(Some(Framing::Chunked)),
            (None, false) => Ok(None),
        }
    }
}

/// A row of digits, of at most 63 bits.
fn decimal(value: &[u8]) -> Option<u64> {
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
