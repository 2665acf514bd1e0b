//! Reads request bodies, with a Content-Length or chunked.

use std::io;

use super::request_head::{Incoming, RequestHead};

/// Limit on a body: a longer body gets 413.
const MAX_BODY_BYTES: usize = 100 << 20;

/// The framing of a request body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RequestFraming {
    None,
    Length(u64),
    Chunked,
}

impl RequestFraming {
    /// Returns `None` if two parsers could read the head differently; such a request is refused.
    pub(super) fn from_head(head: &RequestHead) -> Option<Self> {
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
            // An additional length of zero is tolerated.
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
pub(super) struct RequestBody {
    /// The bytes as received, including chunk heads and trailers.
    pub(super) raw: Vec<u8>,
    /// The decoded chunks; `None` for a body that is not chunked.
    decoded: Option<Vec<u8>>,
}

impl RequestBody {
    pub(super) fn content(&self) -> &[u8] {
        self.decoded.as_deref().unwrap_or(&self.raw)
    }

    /// Reads the body, or returns the status that ends the request.
    pub(super) fn read(incoming: &mut Incoming<'_>, framing: RequestFraming) -> Result<Self, u16> {
        match framing {
            RequestFraming::None => Ok(Self::default()),
            RequestFraming::Length(length) => read_counted(incoming, length),
            RequestFraming::Chunked => read_chunked(incoming),
        }
    }
}

fn read_counted(incoming: &mut Incoming<'_>, length: u64) -> Result<RequestBody, u16> {
    let mut body = RequestBody::default();
    let length = usize::try_from(length).map_err(|_| 413_u16)?;
    while body.raw.len() < length {
        let piece = incoming
            .some(length - body.raw.len())
            .map_err(|_| 400_u16)?;
        body.raw.extend_from_slice(&piece);
        // Only received bytes count, so the refusal comes after 100 MiB.
        if body.raw.len() > MAX_BODY_BYTES {
            return Err(413);
        }
    }
    Ok(body)
}

fn read_chunked(incoming: &mut Incoming<'_>) -> Result<RequestBody, u16> {
    let mut raw = Vec::new();
    let mut decoded = Vec::new();
    loop {
        let line = incoming.line().map_err(|_| 400_u16)?;
        raw.extend_from_slice(&line);
        let size = chunk_size(&line).ok_or(400_u16)?;
        if size == 0 {
            break;
        }
        if decoded.len() + size > MAX_BODY_BYTES {
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
    Ok(RequestBody { raw, decoded })
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
