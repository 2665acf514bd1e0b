//! A client that sees bytes as they are.

use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use super::socket::Socket;
use super::{Address, Answer, Head, LIMIT, now};

/// A connection, and what has come on it and is not yet used.
///
/// Methods panic where nothing comes, an end comes too early, or the framing is wrong; those that
/// begin with `try_` return that as an error.
#[derive(Debug)]
pub struct Connection {
    socket: Socket,
    ahead: Vec<u8>,
    framing: Framing,
    /// Decoded bytes of an event stream that are not yet a whole event.
    events: Vec<u8>,
    trailers: Vec<u8>,
}

/// One server-sent event.
#[derive(Debug, Clone)]
pub struct Event {
    /// When it had come to its end.
    pub at: Instant,
    /// The event, without the empty line behind it.
    pub text: String,
}

impl Event {
    /// What stands behind `data: `, all lines of it.
    pub fn data(&self) -> String {
        let lines = self.text.lines();
        let data = lines.filter_map(|line| line.strip_prefix("data:").map(str::trim_start));
        data.collect::<Vec<_>>().join("\n")
    }
}

/// How the body at hand ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    /// After so many bytes more.
    Length(usize),
    /// After the last chunk; so many bytes of the chunk at hand are to come.
    Chunk(usize),
    /// With the connection.
    Close,
}

impl Connection {
    /// Connects.
    pub fn to(address: &Address) -> Self {
        Self::try_to(address).unwrap_or_else(|error| panic!("cannot connect to {address}: {error}"))
    }

    /// Connects, if somebody listens.
    pub fn try_to(address: &Address) -> io::Result<Self> {
        Ok(Self {
            socket: Socket::open(address)?,
            ahead: Vec::new(),
            framing: Framing::Length(0),
            events: Vec::new(),
            trailers: Vec::new(),
        })
    }

    /// Waits for up to this time whenever it waits.
    pub fn limit(&mut self, limit: Duration) {
        self.socket.limit(limit).expect("a limit");
    }

    /// Sends these bytes.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).expect("to send");
    }

    /// Sends these bytes, if the other side takes them.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.socket.write_all(bytes.as_ref())
    }

    /// Sends no more; what comes can still be read.
    pub fn close_sending(&mut self) {
        self.socket.close_sending().expect("to close");
    }

    /// Sends a request and reads its answer.
    pub fn ask(&mut self, request: impl AsRef<[u8]>) -> Answer {
        let request = request.as_ref();
        self.send(request);
        self.answer_to(&String::from_utf8_lossy(&request[..request.len().min(5)]))
    }

    /// Sends a request and reads its answer, if one comes.
    pub fn try_ask(&mut self, request: impl AsRef<[u8]>) -> io::Result<Answer> {
        self.try_send(request)?;
        self.try_answer()
    }

    /// Reads an answer to anything but `HEAD`.
    pub fn answer(&mut self) -> Answer {
        self.answer_to("GET")
    }

    /// Reads an answer to a request that begins so: only `HEAD` matters.
    pub fn answer_to(&mut self, method: &str) -> Answer {
        self.try_answer_to(method)
            .unwrap_or_else(|error| panic!("no whole answer: {error}"))
    }

    /// Reads an answer to anything but `HEAD`, if one comes.
    pub fn try_answer(&mut self) -> io::Result<Answer> {
        self.try_answer_to("GET")
    }

    fn try_answer_to(&mut self, method: &str) -> io::Result<Answer> {
        let head = self.try_head_of(method)?;
        let mut body = Vec::new();
        while let Some(piece) = self.try_piece()? {
            body.extend(piece);
        }
        Ok(Answer {
            status: head.status,
            head,
            body,
            trailers: std::mem::take(&mut self.trailers),
        })
    }

    /// Reads a head; its body can be read by [`Self::piece`] or [`Self::event`].
    pub fn head(&mut self) -> Head {
        self.try_head().expect("a head")
    }

    /// Reads a head, if one comes.
    pub fn try_head(&mut self) -> io::Result<Head> {
        self.try_head_of("GET")
    }

    fn try_head_of(&mut self, method: &str) -> io::Result<Head> {
        let head = Head::parse(&self.try_until(b"\r\n\r\n")?);
        let chunked = head.field("transfer-encoding").is_some();
        let length = head.field("content-length");
        self.events.clear();
        self.framing = match length {
            _ if method.starts_with("HEAD") || matches!(head.status, 100..200 | 204 | 304) => {
                Framing::Length(0)
            }
            _ if chunked => Framing::Chunk(0),
            Some(length) => Framing::Length(length.parse().expect("a length")),
            None => Framing::Close,
        };
        Ok(head)
    }

    /// Reads what has come of the body, at least a byte; nothing at its end.
    pub fn piece(&mut self) -> Option<Vec<u8>> {
        self.try_piece().expect("a piece of a body")
    }

    /// Reads what has come of the body, at least a byte; nothing at its end.
    pub fn try_piece(&mut self) -> io::Result<Option<Vec<u8>>> {
        match self.framing {
            Framing::Length(0) => Ok(None),
            Framing::Length(left) => {
                let piece = self.some(left)?.ok_or_else(|| broken("inside a body"))?;
                self.framing = Framing::Length(left - piece.len());
                Ok(Some(piece))
            }
            Framing::Close => self.some(usize::MAX),
            Framing::Chunk(0) => {
                let line = self.try_until(b"\r\n")?;
                let line = String::from_utf8_lossy(&line);
                let size = line.trim_end().split(';').next().unwrap_or_default();
                let size = usize::from_str_radix(size, 16)
                    .map_err(|_| broken(&format!("by a chunk of size {line:?}")))?;
                if size > 0 {
                    self.framing = Framing::Chunk(size);
                    return self.try_piece();
                }
                self.read_trailers()?;
                self.framing = Framing::Length(0);
                Ok(None)
            }
            Framing::Chunk(left) => {
                let piece = self.some(left)?.ok_or_else(|| broken("inside a chunk"))?;
                if piece.len() == left {
                    let end = self.try_until(b"\r\n")?;
                    assert_eq!(end, b"\r\n", "a chunk is longer than it says");
                }
                self.framing = Framing::Chunk(left - piece.len());
                Ok(Some(piece))
            }
        }
    }

    fn read_trailers(&mut self) -> io::Result<()> {
        self.trailers.clear();
        loop {
            let line = self.try_until(b"\r\n")?;
            if line == b"\r\n" {
                return Ok(());
            }
            self.trailers.extend(line);
        }
    }

    /// Reads one event of a stream; nothing at its clean end.
    pub fn event(&mut self) -> Option<Event> {
        self.try_event().expect("an event")
    }

    /// Reads one event of a stream; nothing at its clean end, an error where it breaks off.
    pub fn try_event(&mut self) -> io::Result<Option<Event>> {
        loop {
            if let Some(at) = find(&self.events, b"\n\n") {
                let bytes: Vec<u8> = self.events.drain(..at + 2).collect();
                let text = String::from_utf8_lossy(&bytes[..at]).into_owned();
                return Ok(Some(Event { at: now(), text }));
            }
            match self.try_piece()? {
                Some(piece) => self.events.extend(piece),
                None if self.events.is_empty() => return Ok(None),
                None => return Err(broken("inside an event")),
            }
        }
    }

    /// Reads a stream to its end: its events, and whether that end was a clean one.
    pub fn events(&mut self) -> (Vec<Event>, bool) {
        let begun = now();
        let mut events = Vec::new();
        loop {
            assert!(begun.elapsed() < LIMIT, "the stream does not end");
            match self.try_event() {
                Ok(Some(event)) => events.push(event),
                Ok(None) => return (events, true),
                Err(error) if is_silence(&error) => panic!("nothing more came after {events:#?}"),
                Err(_) => return (events, false),
            }
        }
    }

    /// Everything until the other side closes, as it is.
    pub fn rest(&mut self) -> Vec<u8> {
        loop {
            match self.fill() {
                Ok(0) => return std::mem::take(&mut self.ahead),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                    return std::mem::take(&mut self.ahead);
                }
                Ok(_) => {}
                Err(error) => panic!("no end: {error}"),
            }
        }
    }

    /// Whether the other side closes within this time, without a word more.
    pub fn is_closed_within(&mut self, limit: Duration) -> bool {
        if !self.ahead.is_empty() {
            return false;
        }
        self.socket.limit(limit).expect("a limit");
        let closed = match self.fill() {
            Ok(taken) => taken == 0,
            Err(error) => !is_silence(&error),
        };
        self.socket.limit(LIMIT).expect("a limit");
        closed
    }

    /// Reads until these bytes have come, and returns everything up to their end.
    fn try_until(&mut self, mark: &[u8]) -> io::Result<Vec<u8>> {
        loop {
            if let Some(at) = find(&self.ahead, mark) {
                return Ok(self.ahead.drain(..at + mark.len()).collect());
            }
            if self.fill()? == 0 {
                let got = String::from_utf8_lossy(&self.ahead).into_owned();
                return Err(broken(&format!("after {got:?}")));
            }
        }
    }

    /// What has come, up to so many bytes; nothing at the end.
    fn some(&mut self, most: usize) -> io::Result<Option<Vec<u8>>> {
        if self.ahead.is_empty() && self.fill()? == 0 {
            return Ok(None);
        }
        let take = self.ahead.len().min(most);
        Ok(Some(self.ahead.drain(..take).collect()))
    }

    fn fill(&mut self) -> io::Result<usize> {
        let mut piece = [0; 16 << 10];
        let taken = self.socket.read(&mut piece)?;
        self.ahead.extend_from_slice(&piece[..taken]);
        Ok(taken)
    }
}

fn broken(place: &str) -> io::Error {
    let words = format!("the connection broke off {place}");
    io::Error::new(ErrorKind::UnexpectedEof, words)
}

fn is_silence(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

fn find(bytes: &[u8], mark: &[u8]) -> Option<usize> {
    bytes.windows(mark.len()).position(|part| part == mark)
}

/// The bytes of a request for a path.
pub fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

/// The bytes of a request with a JSON body.
pub fn post(path: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
}
