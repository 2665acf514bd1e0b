//! A client connection.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail};
use memchr::memmem;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The end of a chunked body.
const LAST_CHUNK: &[u8] = b"\r\n0\r\n\r\n";

/// Capacity for a response, and for the events of one read.
const RESPONSE_CAPACITY: usize = 64 * 1024;
const EVENT_CAPACITY: usize = 2 * 1024;

/// A 503 response: the model is loading.
#[derive(Debug, thiserror::Error)]
#[error("answered 503: {0}")]
pub(crate) struct ModelLoading(String);

#[derive(Debug)]
pub(crate) struct Client {
    address: SocketAddr,
    stream: TcpStream,
    /// The server has announced that it will close the connection.
    will_close: bool,
    response: Vec<u8>,
}

/// Builds a POST request as chat clients send it.
pub(crate) fn post(target: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n\
         User-Agent: paddock-bench\r\nAuthorization: Bearer none\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// Builds a GET request.
pub(crate) fn get(target: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").into_bytes()
}

/// The end of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BodyEnd {
    Length(usize),
    LastChunk,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            address,
            stream,
            will_close: false,
            response: Vec::new(),
        })
    }

    /// Sends a request and returns the body with its framing. Connects anew if the server closes
    /// the old connection.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> Result<&[u8]> {
        if self.will_close {
            *self = Self::connect(self.address).await?;
        }
        self.send(request).await?;
        let mut head = None;
        loop {
            self.read(RESPONSE_CAPACITY).await?;
            if head.is_none() {
                head = read_head(&self.response)?;
            }
            if let Some(head) = head
                && is_complete(&self.response, head.end)
            {
                self.will_close = head.will_close;
                return Ok(&self.response[head.len..]);
            }
        }
    }

    pub(crate) async fn send(&mut self, request: &[u8]) -> Result<()> {
        self.response.clear();
        Ok(self.stream.write_all(request).await?)
    }

    /// Waits for more bytes and returns all received bytes not yet removed by the caller.
    pub(crate) async fn receive(&mut self) -> Result<&mut Vec<u8>> {
        self.read(EVENT_CAPACITY).await?;
        Ok(&mut self.response)
    }

    /// Reads more of the response, with capacity for `room` bytes in total.
    async fn read(&mut self, room: usize) -> Result<()> {
        self.response
            .reserve(room.saturating_sub(self.response.len()));
        if self.stream.read_buf(&mut self.response).await? == 0 {
            bail!("the connection was closed");
        }
        Ok(())
    }
}

fn is_complete(response: &[u8], end: BodyEnd) -> bool {
    match end {
        BodyEnd::Length(len) => response.len() >= len,
        BodyEnd::LastChunk => response.ends_with(LAST_CHUNK),
    }
}

/// The relevant parts of a response head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ResponseHead {
    len: usize,
    end: BodyEnd,
    /// The connection will not be reused.
    will_close: bool,
}

/// Parses the head once it is complete.
fn read_head(response: &[u8]) -> Result<Option<ResponseHead>> {
    if memmem::find(response, b"\r\n\r\n").is_none() {
        return Ok(None);
    }
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut parsed = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(len) = parsed.parse(response)? else {
        return Ok(None);
    };
    let text = || String::from_utf8_lossy(response).into_owned();
    match parsed.code {
        Some(200) => {}
        Some(503) => return Err(ModelLoading(text()).into()),
        _ => bail!("answered {}", text()),
    }
    let field = |name: &str| {
        let mut headers = parsed.headers.iter();
        headers.find(|header| header.name.eq_ignore_ascii_case(name))
    };
    let will_close = field("connection").is_some_and(|field| field.value == b"close");
    let end = match field("content-length") {
        None => BodyEnd::LastChunk,
        Some(length) => {
            let length = str::from_utf8(length.value).ok();
            let length: Option<usize> = length.and_then(|text| text.parse().ok());
            BodyEnd::Length(len + length.context("an invalid Content-Length")?)
        }
    };
    Ok(Some(ResponseHead {
        len,
        end,
        will_close,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_determines_the_end_of_a_response() {
        let sized = b"HTTP/1.1 200 OK\r\ncontent-LENGTH: 3\r\n\r\nabc";
        let head = read_head(sized).unwrap().unwrap();
        assert_eq!(
            (head.len, head.end),
            (sized.len() - 3, BodyEnd::Length(sized.len()))
        );
        let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n";
        let head = read_head(chunked).unwrap().unwrap();
        assert!(is_complete(chunked, head.end) && !head.will_close);
        assert!(!is_complete(&chunked[..chunked.len() - 1], head.end));
        let closing = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
        assert!(read_head(closing).unwrap().unwrap().will_close);
        let loading = read_head(b"HTTP/1.1 503 No\r\n\r\n").unwrap_err();
        assert!(loading.is::<ModelLoading>());
        assert!(read_head(b"HTTP/1.1 404 No\r\n\r\n").is_err());
        assert!(read_head(b"HTTP/1.1 200 OK\r\n").unwrap().is_none());
    }
}
