//! Parses request heads, as strictly as the real llama-server.

use std::io;

use super::sockets::Socket;

/// Limit on a line; a longer line ends the connection without a response.
const MAX_LINE_BYTES: usize = 32768;
/// Limit on the target; a longer one gets 414.
const MAX_TARGET_BYTES: usize = 32768;
/// Limit on a field line; a longer one gets 400.
const MAX_FIELD_BYTES: usize = 8192;
/// Limit on the number of fields; more get 400.
const MAX_FIELDS: usize = 100;
/// The known methods. Test routes accept any method.
const METHODS: &[&str] = &[
    "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "PRI",
];

/// The bytes received on one connection, including a pipelined request.
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

    /// Returns received bytes not yet consumed.
    pub(super) fn buffered(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    /// Reads more bytes; the end of the stream is an error.
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

    /// Returns the next bytes, at most `most` and at least one.
    pub(super) fn some(&mut self, most: usize) -> io::Result<Vec<u8>> {
        if self.buffered().is_empty() {
            self.fill()?;
        }
        let taken = self.buffered()[..most.min(self.buffered().len())].to_vec();
        self.start += taken.len();
        Ok(taken)
    }

    /// Returns the next line with its CRLF; a bare LF does not end a line.
    pub(super) fn line(&mut self) -> io::Result<Vec<u8>> {
        let mut searched = 0;
        loop {
            let rest = &self.buffered()[searched..];
            if let Some(at) = rest.windows(2).position(|pair| pair == b"\r\n") {
                return self.some(searched + at + 2);
            }
            searched += rest.len().saturating_sub(1);
            if self.buffered().len() >= MAX_LINE_BYTES {
                return Err(io::ErrorKind::InvalidData.into());
            }
            self.fill()?;
        }
    }
}

/// A request's head.
#[derive(Debug, Default)]
pub(super) struct RequestHead {
    /// The bytes as received.
    pub(super) raw: Vec<u8>,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: String,
    http_1_0: bool,
    fields: Vec<(String, String)>,
}

/// The reason a head could not be read.
#[derive(Debug)]
pub(super) enum HeadError {
    /// The connection has ended, or ends without a response.
    Closed,
    /// The request gets this status, and the connection ends.
    Refused(u16),
}

impl RequestHead {
    pub(super) fn read(incoming: &mut Incoming<'_>) -> Result<Self, HeadError> {
        let mut head = Self::default();
        let mut line = incoming.line().map_err(|_| HeadError::Closed)?;
        if line == b"\r\n" {
            line = incoming.line().map_err(|_| HeadError::Closed)?;
        }
        let target = head.request_line(&line).ok_or(HeadError::Refused(400))?;
        head.raw.extend_from_slice(&line);
        loop {
            let line = incoming.line().map_err(|_| HeadError::Refused(400))?;
            head.raw.extend_from_slice(&line);
            if line == b"\r\n" {
                break;
            }
            if line.len() > MAX_FIELD_BYTES || head.fields.len() >= MAX_FIELDS {
                return Err(HeadError::Refused(400));
            }
            let field = parse_field(&line[..line.len() - 2]).ok_or(HeadError::Refused(400))?;
            head.fields.push(field);
        }
        if target > MAX_TARGET_BYTES {
            return Err(HeadError::Refused(414));
        }
        Ok(head)
    }

    /// Parses the request line. Returns the length of its target.
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

    /// Returns the first value of a field.
    pub(super) fn field<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.values(name).next()
    }

    /// Returns every value of a field, in order.
    pub(super) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.fields
            .iter()
            .filter(move |(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Returns true if a field contains this comma-separated token.
    fn has_token(&self, name: &str, token: &str) -> bool {
        self.values(name)
            .flat_map(|value| value.split(','))
            .any(|part| part.trim().eq_ignore_ascii_case(token))
    }

    /// Returns true if the client requests the end of the connection, which the response then
    /// announces.
    pub(super) fn asks_to_close(&self) -> bool {
        self.has_token("Connection", "close")
    }

    /// Returns true if HTTP/1.0 ends the connection, which the response does not announce.
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

/// Decodes escapes such as `%41` in a path; malformed escapes stay unchanged.
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
