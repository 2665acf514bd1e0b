//! One client's connection.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail};
use memchr::memmem;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Where a chunked body ends.
const LAST_CHUNK: &[u8] = b"\r\n0\r\n\r\n";

/// Room for the answer to a question, and for the events that come at once.
const ANSWER: usize = 64 * 1024;
const EVENTS: usize = 2 * 1024;

/// An answer that says that the model loads.
#[derive(Debug, thiserror::Error)]
#[error("answered 503: {0}")]
pub(crate) struct Loading(String);

#[derive(Debug)]
pub(crate) struct Client {
    address: SocketAddr,
    stream: TcpStream,
    /// Whether the server has said that it closes the connection.
    closes: bool,
    answer: Vec<u8>,
}

/// A request as clients of chat models send it.
pub(crate) fn post(target: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n\
         User-Agent: paddock-bench\r\nAuthorization: Bearer none\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// A request without a body.
pub(crate) fn get(target: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").into_bytes()
}

/// How the length of an answer is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ends {
    At(usize),
    WithLastChunk,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            address,
            stream,
            closes: false,
            answer: Vec::new(),
        })
    }

    /// Sends a request, over a new connection where the server closes the last one, and returns what
    /// followed the head of the answer, framing included.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> Result<&[u8]> {
        if self.closes {
            *self = Self::connect(self.address).await?;
        }
        self.send(request).await?;
        let mut head = None;
        loop {
            self.read(ANSWER).await?;
            if head.is_none() {
                head = read_head(&self.answer)?;
            }
            if let Some(head) = head
                && is_whole(&self.answer, head.ends)
            {
                self.closes = head.closes;
                return Ok(&self.answer[head.len..]);
            }
        }
    }

    pub(crate) async fn send(&mut self, request: &[u8]) -> Result<()> {
        self.answer.clear();
        Ok(self.stream.write_all(request).await?)
    }

    /// Waits for more, and returns all that has come since it was last forgotten.
    pub(crate) async fn receive(&mut self) -> Result<&mut Vec<u8>> {
        self.read(EVENTS).await?;
        Ok(&mut self.answer)
    }

    /// Reads more of the answer, for all of which there is so much room at least.
    async fn read(&mut self, room: usize) -> Result<()> {
        self.answer.reserve(room.saturating_sub(self.answer.len()));
        if self.stream.read_buf(&mut self.answer).await? == 0 {
            bail!("the connection was closed");
        }
        Ok(())
    }
}

fn is_whole(answer: &[u8], ends: Ends) -> bool {
    match ends {
        Ends::At(len) => answer.len() >= len,
        Ends::WithLastChunk => answer.ends_with(LAST_CHUNK),
    }
}

/// What the head of an answer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Head {
    len: usize,
    ends: Ends,
    /// Whether the connection serves nothing more.
    closes: bool,
}

/// The head once it is whole.
fn read_head(answer: &[u8]) -> Result<Option<Head>> {
    if memmem::find(answer, b"\r\n\r\n").is_none() {
        return Ok(None);
    }
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(len) = response.parse(answer)? else {
        return Ok(None);
    };
    let words = || String::from_utf8_lossy(answer).into_owned();
    match response.code {
        Some(200) => {}
        Some(503) => return Err(Loading(words()).into()),
        _ => bail!("answered {}", words()),
    }
    let field = |name: &str| {
        let mut headers = response.headers.iter();
        headers.find(|header| header.name.eq_ignore_ascii_case(name))
    };
    let closes = field("connection").is_some_and(|field| field.value == b"close");
    let ends = match field("content-length") {
        None => Ends::WithLastChunk,
        Some(length) => {
            let length = str::from_utf8(length.value).ok();
            let length: Option<usize> = length.and_then(|text| text.parse().ok());
            Ends::At(len + length.context("a Content-Length that is none")?)
        }
    };
    Ok(Some(Head { len, ends, closes }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answers_end_is_known_from_its_head() {
        let sized = b"HTTP/1.1 200 OK\r\ncontent-LENGTH: 3\r\n\r\nabc";
        let head = read_head(sized).unwrap().unwrap();
        assert_eq!(
            (head.len, head.ends),
            (sized.len() - 3, Ends::At(sized.len()))
        );
        let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n";
        let head = read_head(chunked).unwrap().unwrap();
        assert!(is_whole(chunked, head.ends) && !head.closes);
        assert!(!is_whole(&chunked[..chunked.len() - 1], head.ends));
        let closing = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
        assert!(read_head(closing).unwrap().unwrap().closes);
        let loading = read_head(b"HTTP/1.1 503 No\r\n\r\n").unwrap_err();
        assert!(loading.is::<Loading>());
        assert!(read_head(b"HTTP/1.1 404 No\r\n\r\n").is_err());
        assert!(read_head(b"HTTP/1.1 200 OK\r\n").unwrap().is_none());
    }
}
