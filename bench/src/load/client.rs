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

#[derive(Debug)]
pub(crate) struct Client {
    stream: TcpStream,
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
            stream,
            answer: Vec::new(),
        })
    }

    /// Sends a request, and returns what followed the head of the answer, framing included.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> Result<&[u8]> {
        self.send(request).await?;
        let mut head = None;
        loop {
            self.read(ANSWER).await?;
            if head.is_none() {
                head = read_head(&self.answer)?;
            }
            if let Some((len, ends)) = head
                && is_whole(&self.answer, ends)
            {
                return Ok(&self.answer[len..]);
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

/// The length of the head once it is whole, and where the answer ends.
fn read_head(answer: &[u8]) -> Result<Option<(usize, Ends)>> {
    if memmem::find(answer, b"\r\n\r\n").is_none() {
        return Ok(None);
    }
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(len) = response.parse(answer)? else {
        return Ok(None);
    };
    if response.code != Some(200) {
        bail!("answered {}", String::from_utf8_lossy(answer));
    }
    let length = response
        .headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let Some(length) = length else {
        return Ok(Some((len, Ends::WithLastChunk)));
    };
    let length: usize = str::from_utf8(length.value)
        .ok()
        .and_then(|text| text.parse().ok())
        .context("a Content-Length that is none")?;
    Ok(Some((len, Ends::At(len + length))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answers_end_is_known_from_its_head() {
        let sized = b"HTTP/1.1 200 OK\r\ncontent-LENGTH: 3\r\n\r\nabc";
        let (len, ends) = read_head(sized).unwrap().unwrap();
        assert_eq!((len, ends), (sized.len() - 3, Ends::At(sized.len())));
        let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n";
        let (_, ends) = read_head(chunked).unwrap().unwrap();
        assert!(is_whole(chunked, ends));
        assert!(!is_whole(&chunked[..chunked.len() - 1], ends));
        assert!(read_head(b"HTTP/1.1 503 No\r\n\r\n").is_err());
        assert!(read_head(b"HTTP/1.1 200 OK\r\n").unwrap().is_none());
    }
}
