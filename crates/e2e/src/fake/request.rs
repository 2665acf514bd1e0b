//! Reading a request's head, as strictly as the real server's parser.

use std::io;

use super::net::Socket;

/// A line longer than this ends the connection without an answer.
const LONGEST_LINE: usize = 32768;
const LONGEST_TARGET: usize = 32768;
const LONGEST_FIELD: usize = 8192;
const MOST_FIELDS: usize = 100;
const METHODS: &[&str] = &[
    "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "PRI",
];

/// The bytes that come in on one connection, those of a pipelined next request included.
#[derive(Debug)]
pub(super) struct Incoming<'a> {
    socket: &'a Socket,
    buffer: Vec<u8>,
    start: usize,
}

impl<'a> Incoming<'a> {
    pub(super) fn new(socket: &'a Socket) -> Self {
        Self {
            socket,
            buffer: Vec::new(),
            start: 0,
        }
    }

    /// Bytes that have been read from the socket and not been used.
    pub(super) fn buffered(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    /// Reads more; an end of the stream is an error.
    fn fill(&mut self) -> io::Result<()> {
        self.buffer.drain(..self.start);
        self.start = 0;
        let mut piece = [0; 16 << 10];
        let taken = self.socket.read(&mut piece)?;
        if taken == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.buffer.extend_from_slice(&piece[..taken]);
        Ok(())
    }

    /// The next bytes, at most this many and at least one.
    pub(super) fn some(&mut self, most: usize) -> io::Result<Vec<u8>> {
        if self.buffered().is_empty() {
            self.fill()?;
        }
        let taken = self.buffered()[..most.min(self.buffered().len())].to_vec();
        self.start += taken.len();
        Ok(taken)
    }

    /// The next line with its CRLF; a bare LF does not end it.
    pub(super) fn line(&mut self) -> io::Result<Vec<u8>> {
        let mut searched = 0;
        loop {
            let rest = &self.buffered()[searched..];
            if let Some(at) = rest.windows(2).position(|pair| pair == b"\r\n") {
                return self.some(searched + at + 2);
            }
            searched += rest.len().saturating_sub(1);
            if self.buffered().len() >= LONGEST_LINE {
                return Err(io::ErrorKind::InvalidData.into());
            }
            self.fill()?;
        }
    }
}

/// A request's head.
#[derive(Debug, Default)]
pub(super) struct Head {
    /// Every byte of it, as it came.
    pub(super) raw: Vec<u8>,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: String,
    http_1_0: bool,
    fields: Vec<(String, String)>,
}

/// Why there is no head.
#[derive(Debug)]
pub(super) enum NoHead {
    /// The connection has ended, or ends without an answer.
    Gone,
    /// It is answered with this status, and the connection ends.
    Refused(u16),
}

impl Head {
    pub(super) fn read(incoming: &mut Incoming<'_>) -> Result<Self, NoHead> {
        let mut head = Self::default();
        let mut line = incoming.line().map_err(|_| NoHead::Gone)?;
        if line == b"\r\n" {
            line = incoming.line().map_err(|_| NoHead::Gone)?;
        }
        let target = head.request_line(&line).ok_or(NoHead::Refused(400))?;
        head.raw.extend_from_slice(&line);
        loop {
            let line = incoming.line().map_err(|_| NoHead::Refused(400))?;
            head.raw.extend_from_slice(&line);
            if line == b"\r\n" {
                break;
            }
            if line.len() > LONGEST_FIELD || head.fields.len() >= MOST_FIELDS {
                return Err(NoHead::Refused(400));
            }
            let field = parse_field(&line[..line.len() - 2]).ok_or(NoHead::Refused(400))?;
            head.fields.push(field);
        }
        if target > LONGEST_TARGET {
            return Err(NoHead::Refused(414));
        }
        Ok(head)
    }

    /// Takes the request line in and returns the length of its target.
    fn request_line(&mut self, line: &[u8]) -> Option<usize> {
        let line = std::str::from_utf8(line.strip_suffix(b"\r\n")?).ok()?;
        let mut words = line.split(' ').filter(|word| !word.is_empty());
        let (method, target, version) = (words.next()?, words.next()?, words.next()?);
        let known = METHODS.contains(&method) || target.starts_with("/__fake/");
        if words.next().is_some() || !known || !matches!(version, "HTTP/1.1" | "HTTP/1.0") {
            return None;
        }
        let address = target.split('#').next().unwrap_or(target);
        let (path, query) = address.split_once('?').unwrap_or((address, ""));
        self.method = method.into();
        self.path = percent_decoded(path);
        self.query = query.into();
        self.http_1_0 = version == "HTTP/1.0";
        Some(target.len())
    }

    /// The first value of this field.
    pub(super) fn field<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.values(name).next()
    }

    /// Every value of this field, in order.
    pub(super) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.fields
            .iter()
            .filter(move |(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Whether one of this field's comma-separated tokens is this one.
    fn has_token(&self, name: &str, token: &str) -> bool {
        self.values(name)
            .flat_map(|value| value.split(','))
            .any(|part| part.trim().eq_ignore_ascii_case(token))
    }

    /// Whether the client asks for the end of the connection, which the answer then says too.
    pub(super) fn asks_to_close(&self) -> bool {
        self.has_token("Connection", "close")
    }

    /// Whether the connection ends because HTTP/1.0 is like that; the answer does not say so.
    pub(super) fn closes_by_version(&self) -> bool {
        self.http_1_0 && !self.has_token("Connection", "keep-alive")
    }

    pub(super) fn expects_continue(&self) -> bool {
        !self.http_1_0 && self.has_token("Expect", "100-continue")
    }
}

fn parse_field(line: &[u8]) -> Option<(String, String)> {
    let line = String::from_utf8_lossy(line);
    let (name, value) = line.split_once(':')?;
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(token) {
        return None;
    }
    let value = value.trim_matches([' ', '\t']);
    let control = |byte: u8| byte.is_ascii_control() && byte != b'\t';
    (!value.bytes().any(control)).then(|| (name.into(), value.into()))
}

/// A path with its `%41` made `A`; what is no such escape stays.
fn percent_decoded(path: &str) -> String {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [first, more @ ..] = rest {
        let escape = more.get(..2).filter(|_| *first == b'%');
        let digits = escape.and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &more[2..] } else { more };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
