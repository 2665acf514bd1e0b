//! Reading a request's body, counted or chunked.

use std::io;

use super::request::{Head, Incoming};

/// 100 MiB: a longer body is answered with 413.
const LONGEST: usize = 100 << 20;

/// How a request says where its body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    None,
    Length(u64),
    Chunked,
}

impl Framing {
    /// None: two parsers could read this head differently, and it is refused.
    pub(super) fn of(head: &Head) -> Option<Self> {
        let mut length = None;
        for value in head.values("Content-Length") {
            let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
            let value: u64 = value.parse().ok().filter(|_| digits)?;
            if length.is_some_and(|first| first != value) {
                return None;
            }
            length = Some(value);
        }
        match head.values("Transfer-Encoding").last() {
            None => Some(length.map_or(Self::None, Self::Length)),
            // A length of zero beside it is tolerated.
            Some(codings) => {
                let last = codings.rsplit(',').next().unwrap_or_default().trim();
                let clear = last.eq_ignore_ascii_case("chunked") && length.unwrap_or(0) == 0;
                clear.then_some(Self::Chunked)
            }
        }
    }
}

/// A request's body.
#[derive(Debug, Default)]
pub(super) struct Body {
    /// What came over the wire, chunk heads and trailers included.
    pub(super) raw: Vec<u8>,
    /// What the chunks carry; `None` for a body that is not chunked.
    decoded: Option<Vec<u8>>,
}

impl Body {
    pub(super) fn content(&self) -> &[u8] {
        self.decoded.as_deref().unwrap_or(&self.raw)
    }

    /// Reads it, or says with which status the request ends.
    pub(super) fn read(incoming: &mut Incoming<'_>, framing: Framing) -> Result<Self, u16> {
        match framing {
            Framing::None => Ok(Self::default()),
            Framing::Length(length) => read_counted(incoming, length),
            Framing::Chunked => read_chunked(incoming),
        }
    }
}

fn read_counted(incoming: &mut Incoming<'_>, length: u64) -> Result<Body, u16> {
    let mut body = Body::default();
    let length = usize::try_from(length).map_err(|_| 413_u16)?;
    while body.raw.len() < length {
        let piece = incoming
            .some(length - body.raw.len())
            .map_err(|_| 400_u16)?;
        body.raw.extend_from_slice(&piece);
        // Only what has come counts, so the refusal waits for 100 MiB of it.
        if body.raw.len() > LONGEST {
            return Err(413);
        }
    }
    Ok(body)
}

fn read_chunked(incoming: &mut Incoming<'_>) -> Result<Body, u16> {
    let mut raw = Vec::new();
    let mut decoded = Vec::new();
    loop {
        let line = incoming.line().map_err(|_| 400_u16)?;
        raw.extend_from_slice(&line);
        let size = chunk_size(&line).ok_or(400_u16)?;
        if size == 0 {
            break;
        }
        if decoded.len() + size > LONGEST {
            return Err(413);
        }
        exactly(incoming, size, &mut decoded).map_err(|_| 400_u16)?;
        raw.extend_from_slice(&decoded[decoded.len() - size..]);
        let end = incoming.line().map_err(|_| 400_u16)?;
        if end != b"\r\n" {
            return Err(400);
        }
        raw.extend_from_slice(&end);
    }
    loop {
        let trailer = incoming.line().map_err(|_| 400_u16)?;
        raw.extend_from_slice(&trailer);
        if trailer == b"\r\n" {
            break;
        }
    }
    let decoded = Some(decoded);
    Ok(Body { raw, decoded })
}

fn chunk_size(line: &[u8]) -> Option<usize> {
    let line = std::str::from_utf8(line).ok()?.trim_end();
    let digits = line.split([';', ' ', '\t']).next()?;
    usize::from_str_radix(digits, 16).ok()
}

fn exactly(incoming: &mut Incoming<'_>, count: usize, into: &mut Vec<u8>) -> io::Result<()> {
    let end = into.len() + count;
    while into.len() < end {
        let piece = incoming.some(end - into.len())?;
        into.extend_from_slice(&piece);
    }
    Ok(())
}
