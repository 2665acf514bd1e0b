//! As much of HTTP/1.1 as the child's clients speak.

use std::io;

use memchr::memmem;
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// A head of more than that is not understood.
const ROOM: usize = 64 * 1024;

/// How much of a body is looked at.
const LOOK: usize = 128;

/// Before a wish.
const WISH: &[u8] = br#""wish":""#;

/// A client's side of a connection.
#[derive(Debug)]
pub(super) struct Requests<S> {
    stream: S,
    buffer: Box<[u8]>,
}

impl<S: AsyncRead + Unpin> Requests<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            buffer: vec![0; ROOM].into_boxed_slice(),
        }
    }

    pub(super) fn stream(&mut self) -> &mut S {
        &mut self.stream
    }

    pub(super) fn into_stream(self) -> S {
        self.stream
    }

    /// Reads a whole request and returns what it wants: the wish in its body, or else its target;
    /// `None` at the end. Clients send one request at a time, and bodies whose length they name.
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
        let looked_at = (head_len + length.min(LOOK)).min(self.buffer.len());
        while filled < looked_at {
            match self.stream.read(&mut self.buffer[filled..]).await? {
                0 => return Ok(None),
                read => filled += read,
            }
        }
        let wish = wish(&self.buffer[head_len..looked_at]);
        let wanted = wish.map_or(target, str::to_owned);
        let mut missing = (head_len + length).saturating_sub(filled);
        while missing > 0 {
            let room = missing.min(self.buffer.len());
            match self.stream.read(&mut self.buffer[..room]).await? {
                0 => return Ok(None),
                read => missing -= read,
            }
        }
        Ok(Some(wanted))
    }
}

/// What the start of a body wishes for, instead of what its target says.
fn wish(body: &[u8]) -> Option<&str> {
    let start = memmem::find(body, WISH)? + WISH.len();
    let rest = body.get(start..)?;
    let end = memchr::memchr(b'"', rest)?;
    str::from_utf8(&rest[..end]).ok()
}

/// The target, and the length of the body.
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
        let mut requests = Requests::new(&stream[..]);
        assert_eq!(requests.next().await.unwrap().as_deref(), Some("/a?b=1"));
        assert_eq!(requests.next().await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_wish_in_the_body_takes_the_place_of_the_target() {
        let stream = b"POST /a HTTP/1.1\r\ncontent-length: 23\r\n\r\n{\"m\":1,\"wish\":\"/b?c=1\"}";
        let mut requests = Requests::new(&stream[..]);
        assert_eq!(requests.next().await.unwrap().as_deref(), Some("/b?c=1"));
    }
}
