//! Reads the subset of HTTP/1.1 that the child's clients use.

use std::io;

use memchr::memmem;
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// Size of the buffer, which limits a head.
const BUFFER_BYTES: usize = 64 * 1024;

/// Number of body bytes searched for a route.
const INSPECTED_BODY_BYTES: usize = 128;

/// The key before a route.
const ROUTE_KEY: &[u8] = br#""route":""#;

/// Reads requests from a connection.
#[derive(Debug)]
pub(super) struct RequestReader<S> {
    stream: S,
    buffer: Box<[u8]>,
}

impl<S: AsyncRead + Unpin> RequestReader<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            buffer: vec![0; BUFFER_BYTES].into_boxed_slice(),
        }
    }

    pub(super) fn stream(&mut self) -> &mut S {
        &mut self.stream
    }

    pub(super) fn into_stream(self) -> S {
        self.stream
    }

    /// Reads a whole request and returns the route in its body, or else its target; `None` at the
    /// end. Clients send one request at a time, with a Content-Length.
    pub(super) async fn next(&mut self) -> io::Result<Option<String>> {
        let mut filled = 0;
        let head_len = loop {
            let read = self.stream.read(&mut self.buffer[filled..]).await?;
            if read == 0 {
                return Ok(None);
            }
            filled += read;
            if let Some(at) = memmem::find(&self.buffer[..filled], b"\r\n\r\n") {
                break at + 4;
            }
        };
        let (target, length) = read_head(&self.buffer[..head_len])?;
        let inspected = (head_len + length.min(INSPECTED_BODY_BYTES)).min(self.buffer.len());
        while filled < inspected {
            match self.stream.read(&mut self.buffer[filled..]).await? {
                0 => return Ok(None),
                read => filled += read,
            }
        }
        let route = find_route(&self.buffer[head_len..inspected]);
        let target = route.map_or(target, str::to_owned);
        let mut missing = (head_len + length).saturating_sub(filled);
        while missing > 0 {
            let room = missing.min(self.buffer.len());
            match self.stream.read(&mut self.buffer[..room]).await? {
                0 => return Ok(None),
                read => missing -= read,
            }
        }
        Ok(Some(target))
    }
}

/// Finds the route at the start of a body, which replaces the target.
fn find_route(body: &[u8]) -> Option<&str> {
    let start = memmem::find(body, ROUTE_KEY)? + ROUTE_KEY.len();
    let rest = body.get(start..)?;
    let end = memchr::memchr(b'"', rest)?;
    str::from_utf8(&rest[..end]).ok()
}

/// Returns the target and the length of the body.
fn read_head(head: &[u8]) -> io::Result<(String, usize)> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut request = httparse::Request::new(&mut headers);
    request.parse(head).map_err(io::Error::other)?;
    let target = request.path.unwrap_or_default().to_owned();
    let length = request
        .headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case("content-length"))
        .and_then(|header| str::from_utf8(header.value).ok())
        .and_then(|value| value.parse().ok());
    Ok((target, length.unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn requests_are_read_with_their_bodies() {
        let wire = b"POST /a?b=1 HTTP/1.1\r\ncontent-length: 70000\r\n\r\n";
        let stream = [&wire[..], &vec![b'x'; 70000]].concat();
        let mut requests = RequestReader::new(&stream[..]);
        assert_eq!(requests.next().await.unwrap().as_deref(), Some("/a?b=1"));
        assert_eq!(requests.next().await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_route_in_the_body_replaces_the_target() {
        let stream =
            b"POST /a HTTP/1.1\r\ncontent-length: 24\r\n\r\n{\"m\":1,\"route\":\"/b?c=1\"}";
        let mut requests = RequestReader::new(&stream[..]);
        assert_eq!(requests.next().await.unwrap().as_deref(), Some("/b?c=1"));
    }
}
