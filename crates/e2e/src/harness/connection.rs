//! Sends requests and receives responses with a blocking client, which exposes bytes as received.

use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use super::limited_socket::LimitedSocket;
use super::{Address, Head, HttpResponse, LIMIT, now};

/// A connection, and received bytes not yet consumed.
///
/// Methods panic if nothing arrives, the connection ends early, or the framing is wrong; methods
/// that begin with `try_` return these as errors.
#[derive(Debug)]
pub struct Connection {
    socket: LimitedSocket,
    received: Vec<u8>,
    framing: BodyFraming,
    /// Decoded bytes of an incomplete event.
    events: Vec<u8>,
    /// Trailer fields after the last chunk, as received.
    trailers: Vec<u8>,
}

/// A server-sent event.
#[derive(Debug, Clone)]
pub struct Event {
    /// The time at which the event was complete.
    pub at: Instant,
    /// The event, without the empty line at its end.
    pub text: String,
}

impl Event {
    /// Returns the content of all data lines.
    pub fn data(&self) -> String {
        let lines = self.text.lines();
        let data = lines.filter_map(|line| line.strip_prefix("data:").map(str::trim_start));
        data.collect::<Vec<_>>().join("\n")
    }
}

/// The framing of the current body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BodyFraming {
    /// Ends after this many more bytes.
    Length(usize),
    /// Ends after the last chunk; this many bytes of the current chunk are missing.
    Chunk(usize),
    /// Ends when the connection closes.
    Close,
}

impl Connection {
    /// Connects.
    pub fn connect(address: &Address) -> Self {
        Self::try_connect(address)
            .unwrap_or_else(|error| panic!("cannot connect to {address}: {error}"))
    }

    /// Connects, or returns the error.
    pub fn try_connect(address: &Address) -> io::Result<Self> {
        Ok(Self {
            socket: LimitedSocket::open(address)?,
            received: Vec::new(),
            framing: BodyFraming::Length(0),
            events: Vec::new(),
            trailers: Vec::new(),
        })
    }

    /// Sets the time limit of every operation.
    pub fn limit(&mut self, limit: Duration) {
        self.socket.limit(limit).expect("a limit");
    }

    /// Sends these bytes.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).expect("to send");
    }

    /// Sends these bytes, or returns the error.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.socket.write_all(bytes.as_ref())
    }

    /// Closes the sending side; receiving remains possible.
    pub fn close_sending(&mut self) {
        self.socket.close_sending().expect("to close");
    }

    /// Sends a request and reads its response.
    pub fn ask(&mut self, request: impl AsRef<[u8]>) -> HttpResponse {
        let request = request.as_ref();
        self.send(request);
        self.answer_to(&String::from_utf8_lossy(&request[..request.len().min(5)]))
    }

    /// Sends a request and reads its response, or returns the error.
    pub fn try_ask(&mut self, request: impl AsRef<[u8]>) -> io::Result<HttpResponse> {
        self.try_send(request)?;
        self.try_answer()
    }

    /// Reads a response to a method other than `HEAD`.
    pub fn answer(&mut self) -> HttpResponse {
        self.answer_to("GET")
    }

    /// Reads the response to a request with this method; only `HEAD` makes a difference.
    pub fn answer_to(&mut self, method: &str) -> HttpResponse {
        self.try_answer_to(method)
            .unwrap_or_else(|error| panic!("no whole answer: {error}"))
    }

    /// Reads a response to a method other than `HEAD`, or returns the error.
    pub fn try_answer(&mut self) -> io::Result<HttpResponse> {
        self.try_answer_to("GET")
    }

    fn try_answer_to(&mut self, method: &str) -> io::Result<HttpResponse> {
        let head = self.try_head_of(method)?;
        let mut body = Vec::new();
        while let Some(piece) = self.try_piece()? {
            body.extend(piece);
        }
        Ok(HttpResponse {
            status: head.status,
            head,
            body,
            trailers: std::mem::take(&mut self.trailers),
        })
    }

    /// Reads a head; [`Self::piece`] or [`Self::event`] then read the body.
    pub fn head(&mut self) -> Head {
        self.try_head().expect("a head")
    }

    /// Reads a head, or returns the error.
    pub fn try_head(&mut self) -> io::Result<Head> {
        self.try_head_of("GET")
    }

    fn try_head_of(&mut self, method: &str) -> io::Result<Head> {
        let head = Head::parse(&self.read_until(b"\r\n\r\n")?);
        let chunked = head.field("transfer-encoding").is_some();
        let length = head.field("content-length");
        self.events.clear();
        self.framing = match length {
            _ if method.starts_with("HEAD") || matches!(head.status, 100..200 | 204 | 304) => {
                BodyFraming::Length(0)
            }
            _ if chunked => BodyFraming::Chunk(0),
            Some(length) => BodyFraming::Length(length.parse().expect("a length")),
            None => BodyFraming::Close,
        };
        Ok(head)
    }

    /// Reads the available part of the body, at least a byte; `None` at its end.
    pub fn piece(&mut self) -> Option<Vec<u8>> {
        self.try_piece().expect("a piece of a body")
    }

    /// Reads the available part of the body, at least a byte; `None` at its end.
    pub fn try_piece(&mut self) -> io::Result<Option<Vec<u8>>> {
        match self.framing {
            BodyFraming::Length(0) => Ok(None),
            BodyFraming::Length(left) => {
                let piece = self
                    .take_available(left)?
                    .ok_or_else(|| truncated_error("inside a body"))?;
                self.framing = BodyFraming::Length(left - piece.len());
                Ok(Some(piece))
            }
            BodyFraming::Close => self.take_available(usize::MAX),
            BodyFraming::Chunk(0) => {
                let line = self.read_until(b"\r\n")?;
                let line = String::from_utf8_lossy(&line);
                let size = line.trim_end().split(';').next().unwrap_or_default();
                let size = usize::from_str_radix(size, 16)
                    .map_err(|_| truncated_error(&format!("by a chunk of size {line:?}")))?;
                if size > 0 {
                    self.framing = BodyFraming::Chunk(size);
                    return self.try_piece();
                }
                self.read_trailers()?;
                self.framing = BodyFraming::Length(0);
                Ok(None)
            }
            BodyFraming::Chunk(left) => {
                let piece = self
                    .take_available(left)?
                    .ok_or_else(|| truncated_error("inside a chunk"))?;
                if piece.len() == left {
                    let end = self.read_until(b"\r\n")?;
                    assert_eq!(end, b"\r\n", "a chunk is longer than it says");
                }
                self.framing = BodyFraming::Chunk(left - piece.len());
                Ok(Some(piece))
            }
        }
    }

    fn read_trailers(&mut self) -> io::Result<()> {
        self.trailers.clear();
        loop {
            let line = self.read_until(b"\r\n")?;
            if line == b"\r\n" {
                return Ok(());
            }
            self.trailers.extend(line);
        }
    }

    /// Reads an event of a stream; `None` at its clean end.
    pub fn event(&mut self) -> Option<Event> {
        self.try_event().expect("an event")
    }

    /// Reads an event of a stream; `None` at its clean end, an error if the stream is truncated.
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
                None => return Err(truncated_error("inside an event")),
            }
        }
    }

    /// Reads a stream to its end. Returns the events, and true if the end was clean.
    pub fn events(&mut self) -> (Vec<Event>, bool) {
        let start = now();
        let mut events = Vec::new();
        loop {
            assert!(start.elapsed() < LIMIT, "the stream does not end");
            match self.try_event() {
                Ok(Some(event)) => events.push(event),
                Ok(None) => return (events, true),
                Err(error) if is_timeout(&error) => panic!("nothing more came after {events:#?}"),
                Err(_) => return (events, false),
            }
        }
    }

    /// Returns all bytes until the other side closes.
    pub fn rest(&mut self) -> Vec<u8> {
        loop {
            match self.fill() {
                Ok(0) => return std::mem::take(&mut self.received),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                    return std::mem::take(&mut self.received);
                }
                Ok(_) => {}
                Err(error) => panic!("no end: {error}"),
            }
        }
    }

    /// Returns true if the other side closes within `limit` without sending more.
    pub fn is_closed_within(&mut self, limit: Duration) -> bool {
        if !self.received.is_empty() {
            return false;
        }
        self.socket.limit(limit).expect("a limit");
        let closed = match self.fill() {
            Ok(taken) => taken == 0,
            Err(error) => !is_timeout(&error),
        };
        self.socket.limit(LIMIT).expect("a limit");
        closed
    }

    /// Reads until `mark` arrives. Returns all bytes up to and including `mark`.
    fn read_until(&mut self, mark: &[u8]) -> io::Result<Vec<u8>> {
        loop {
            if let Some(at) = find(&self.received, mark) {
                return Ok(self.received.drain(..at + mark.len()).collect());
            }
            if self.fill()? == 0 {
                let got = String::from_utf8_lossy(&self.received).into_owned();
                return Err(truncated_error(&format!("after {got:?}")));
            }
        }
    }

    /// Returns at most `max` received bytes; `None` at the end.
    fn take_available(&mut self, max: usize) -> io::Result<Option<Vec<u8>>> {
        if self.received.is_empty() && self.fill()? == 0 {
            return Ok(None);
        }
        let take = self.received.len().min(max);
        Ok(Some(self.received.drain(..take).collect()))
    }

    fn fill(&mut self) -> io::Result<usize> {
        let mut piece = [0; 16 << 10];
        let taken = self.socket.read(&mut piece)?;
        self.received.extend_from_slice(&piece[..taken]);
        Ok(taken)
    }
}

fn truncated_error(place: &str) -> io::Error {
    let words = format!("the connection broke off {place}");
    io::Error::new(ErrorKind::UnexpectedEof, words)
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

fn find(bytes: &[u8], mark: &[u8]) -> Option<usize> {
    bytes.windows(mark.len()).position(|part| part == mark)
}

/// Returns a GET request.
pub fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

/// Returns a POST request with a JSON body.
pub fn post(path: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
}
