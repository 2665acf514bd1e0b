//! Sends paddock's own requests to a child and returns complete answers.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};

use crate::{Address, Listener};

/// The answer of a child to one of paddock's own requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildAnswer {
    /// Status code.
    pub status: u16,
    /// Complete body.
    pub body: Vec<u8>,
}

/// Sends an HTTP/1.1 request to a child and reads the answer, head included, of at most `max_bytes` bytes.
///
/// The request must contain `Connection: close`. The caller limits the time.
///
/// # Errors
///
/// Another process listens at the address, the connection fails, or the answer is too long, incomplete or has no
/// `Content-Length`.
pub async fn ask_child(
    listener: &Listener,
    request: &[u8],
    max_bytes: u64,
) -> io::Result<ChildAnswer> {
    let answer = match &listener.address {
        Address::Unix(path) => {
            let stream = UnixStream::connect(path).await?;
            listener.processes.verify(&stream)?;
            exchange(stream, request, max_bytes).await?
        }
        Address::Tcp(address) => {
            exchange(TcpStream::connect(address).await?, request, max_bytes).await?
        }
    };
    parse(&answer)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "not a complete HTTP/1.1 answer"))
}

async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    request: &[u8],
    max_bytes: u64,
) -> io::Result<Vec<u8>> {
    stream.write_all(request).await?;
    let mut answer = Vec::new();
    stream.take(max_bytes).read_to_end(&mut answer).await?;
    Ok(answer)
}

/// Splits an answer into status and body. Returns `None` unless the body has the length that the head states.
fn parse(answer: &[u8]) -> Option<ChildAnswer> {
    let head_len = memchr::memmem::find(answer, b"\r\n\r\n")?;
    let head = std::str::from_utf8(&answer[..head_len]).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.1 ")?.get(..3)?;
    let length = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse::<usize>().ok())?
    })?;
    let body = &answer[head_len + 4..];
    (body.len() == length).then(|| {
        Some(ChildAnswer {
            status: status.parse().ok()?,
            body: body.to_vec(),
        })
    })?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_complete_answer_is_parsed() {
        let cases = [
            (
                "whole",
                "HTTP/1.1 200 OK\r\nServer: x\r\ncontent-length: 2\r\n\r\n{}",
                Some((200, "{}")),
            ),
            (
                "an error",
                "HTTP/1.1 501 Not Implemented\r\nContent-Length: 0\r\n\r\n",
                Some((501, "")),
            ),
            (
                "cut",
                "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}",
                None,
            ),
            (
                "too long",
                "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{}",
                None,
            ),
            ("without a length", "HTTP/1.1 200 OK\r\n\r\n{}", None),
            (
                "without an end of the head",
                "HTTP/1.1 200 OK\r\nContent-Length: 0",
                None,
            ),
            ("not HTTP", "SSH-2.0-Open\r\n\r\n", None),
            ("empty", "", None),
        ];
        for (name, answer, expected) in cases {
            let found = parse(answer.as_bytes());
            let expected = expected.map(|(status, body)| ChildAnswer {
                status,
                body: body.as_bytes().to_vec(),
            });
            assert_eq!(found, expected, "{name}");
        }
    }
}
