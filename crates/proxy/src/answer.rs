mod early;

use super::buffer::Buffer;
use super::client::Client;
use super::origin;
use super::reply::error_event;
use super::request::Request;
use super::worker::Worker;
pub(super) use early::LAST_CHUNK;
use early::Replaced;
use paddock_admission::error::{Dialect, ProxyError};
use paddock_admission::phase::ServicePhase;
use paddock_wire::{Body, Framing, HeadScan, InvalidResponse, ResponseHead, Version};

/// The status that has a client send its body (RFC 9110 §15.2.1).
const CONTINUE: u16 = 100;

/// Missing data of a chunk that broke off, in bytes, that is filled up at most to put an error behind it.
const MAX_FILLER: usize = 1024 * 1024;

/// The answer's side of a relay: what has come, and what it means.
#[derive(Debug)]
pub(super) struct Answer {
    state: State,
    to_head: bool,
    client: Version,
    dialect: Dialect,
    /// The client's connection closes after this answer, whatever the upstream says.
    client_closes: bool,
    /// The client has had a `100 Continue` of paddock's own, so the child's is dropped.
    invited: bool,
    /// An interim answer has said that the upstream's connection serves no other request.
    closes_upstream: bool,
    /// The client has had a head already, of a stream.
    early: bool,
}

#[derive(Debug)]
enum State {
    /// The head, or an interim one before it, is awaited.
    Head(HeadScan),
    /// The body passes.
    Body(Passing),
    /// The body is read, for an error event to be made of it.
    Replaced(Box<Replaced>),
}

/// What is known of an answer whose head has passed.
#[derive(Debug)]
struct Passing {
    body: Body,
    /// The upstream's connection can serve another request.
    reusable: bool,
    /// The client was told, or knows, that its connection closes.
    closes: bool,
    is_event_stream: bool,
    until_close: bool,
}

/// Why an answer cannot go on.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wrong {
    /// The head cannot be passed on.
    Malformed(InvalidResponse),
    /// The chunked framing is broken.
    Chunks,
}

/// What a piece of the answer comes to.
#[derive(Debug)]
pub(super) enum Piece {
    /// To be written to the client.
    Out(Buffer),
    /// More is needed before anything can be said.
    Partial(Buffer),
    /// To be written, and the rest looked at after it.
    OutThen(Buffer, Buffer),
}

impl Answer {
    pub(super) fn new(request: &Request, client_closes: bool) -> Self {
        Self {
            state: State::Head(HeadScan::default()),
            to_head: request.to_head,
            client: request.head.version,
            dialect: request.dialect,
            client_closes: client_closes || request.head.close,
            invited: request.invited,
            closes_upstream: false,
            early: request.early.is_some(),
        }
    }

    /// The answer's own head has passed.
    pub(super) fn has_begun(&self) -> bool {
        matches!(self.state, State::Body(_))
    }

    fn passing(&self) -> Option<&Passing> {
        match &self.state {
            State::Head(_) => None,
            State::Body(passing) => Some(passing),
            State::Replaced(replaced) => Some(&replaced.passing),
        }
    }

    /// The answer's last byte has come.
    pub(super) fn is_complete(&self) -> bool {
        self.passing()
            .is_some_and(|passing| passing.body.is_complete())
    }

    /// The upstream closed: is the answer whole all the same?
    pub(super) fn is_complete_at_close(&self) -> bool {
        self.passing()
            .is_some_and(|passing| passing.body.check_end().is_ok())
    }

    /// The upstream's connection can serve another request.
    pub(super) fn leaves_upstream_reusable(&self) -> bool {
        self.passing()
            .is_some_and(|passing| passing.reusable && passing.body.is_complete())
    }

    /// The answer came in chunks: llama-server closes the connection behind a stream, whatever its
    /// head says (measured on llama.cpp b11434).
    pub(super) fn is_chunked(&self) -> bool {
        self.passing()
            .is_some_and(|passing| passing.body.is_chunked())
    }

    /// The client's connection closes with this answer.
    pub(super) fn closes_client(&self) -> bool {
        self.passing().is_some_and(|passing| passing.closes)
    }

    /// Only an abrupt end tells the client that such an answer broke off.
    pub(super) fn ends_with_connection(&self) -> bool {
        self.passing().is_some_and(|passing| passing.until_close)
    }

    /// Takes what has come.
    pub(super) fn take(
        &mut self,
        worker: &Worker,
        client: &mut Client,
        buffer: Buffer,
        upload_done: bool,
    ) -> Result<Piece, Wrong> {
        match &mut self.state {
            State::Head(scan) => {
                let end = scan
                    .find_end(buffer.bytes())
                    .map_err(|refusal| Wrong::Malformed(InvalidResponse::Framing(refusal)))?;
                match end {
                    None => Ok(Piece::Partial(buffer)),
                    Some(len) => self.take_head(worker, client, buffer, len, upload_done),
                }
            }
            State::Body(passing) => {
                let mut buffer = buffer;
                passing.follow(&mut buffer, 0, self.client, client)?;
                Ok(Piece::Out(buffer))
            }
            State::Replaced(replaced) => replaced.take(buffer, self.dialect, client),
        }
    }

    fn take_head(
        &mut self,
        worker: &Worker,
        client: &mut Client,
        mut buffer: Buffer,
        len: usize,
        upload_done: bool,
    ) -> Result<Piece, Wrong> {
        let head = ResponseHead::parse(&buffer.bytes()[..len], self.to_head, self.client)
            .map_err(Wrong::Malformed)?;
        if head.is_interim() {
            return Ok(self.take_interim(worker, &head, buffer, len));
        }
        client.record.start_answer(&head);
        client.card.answers();
        // A request whose body the upstream did not want to the end leaves both connections in
        // the middle of it.
        let until_close = head.framing == Framing::UntilClose
            || (self.client == Version::Http10 && head.framing == Framing::Chunked);
        let closes = self.client_closes
            || until_close
            || !upload_done
            || worker.phase() != ServicePhase::Serving;
        let mut passing = Passing {
            body: Body::new(head.framing),
            reusable: !head.close && !self.closes_upstream && upload_done,
            closes,
            is_event_stream: head.is_event_stream && !head.is_encoded,
            until_close,
        };
        if self.early {
            return self.go_on(client, &head, passing, buffer, len);
        }
        let id: &[u8] = if head.has_request_id {
            b""
        } else {
            &client.id_line
        };
        let close: &[u8] = if closes {
            b"Connection: close\r\n"
        } else {
            b""
        };
        let cors = origin::lines_for(worker, client, head.has_allow_origin);
        let mut edited = worker.scratch.borrow_mut();
        edited.clear();
        head.edits
            .render(&buffer.bytes()[..len], &[id, cors, close], &mut edited);
        buffer.replace_head(len, &edited);
        passing.follow(&mut buffer, edited.len(), self.client, client)?;
        self.state = State::Body(passing);
        Ok(Piece::Out(buffer))
    }

    /// An interim answer goes on by itself; HTTP/1.0 knows none. Another head follows.
    fn take_interim(
        &mut self,
        worker: &Worker,
        head: &ResponseHead,
        mut buffer: Buffer,
        len: usize,
    ) -> Piece {
        self.state = State::Head(HeadScan::default());
        self.closes_upstream |= head.close;
        let mut rest = worker.pool.take();
        rest.extend(&buffer.bytes()[len..]);
        buffer.truncate(len);
        let is_second = head.status == CONTINUE && std::mem::take(&mut self.invited);
        if self.client == Version::Http10 || is_second || self.early {
            buffer.truncate(0);
        } else {
            let mut edited = worker.scratch.borrow_mut();
            edited.clear();
            head.edits.render(buffer.bytes(), &[], &mut edited);
            buffer.replace_head(len, &edited);
        }
        Piece::OutThen(buffer, rest)
    }

    /// What a stream that breaks off says last, in its own format, where there is room for it:
    /// then it ends without its regular end.
    pub(super) fn last_words(&self, error: &ProxyError) -> Option<Vec<u8>> {
        let State::Body(passing) = &self.state else {
            return None;
        };
        if !passing.is_event_stream || self.to_head {
            return None;
        }
        let is_chunked = passing.body.is_chunked();
        let mut body = passing.body.clone();
        let mut words = match self.client {
            // This client gets no chunks.
            Version::Http10 if is_chunked => Vec::new(),
            _ => body.filler(MAX_FILLER)?,
        };
        // It is made to be followed.
        let _ = body.follow(&words);
        let blank = if body.ends_with_blank_line() {
            ""
        } else {
            "\n\n"
        };
        let event = error_event(self.dialect, &error.body(self.dialect));
        let event = format!("{blank}{event}");
        if is_chunked && self.client == Version::Http11 {
            words.extend_from_slice(chunk(&event).as_bytes());
        } else {
            words.extend_from_slice(event.as_bytes());
        }
        Some(words)
    }
}

/// Returns a chunk with this data.
pub(super) fn chunk(data: &str) -> String {
    format!("{:x}\r\n{data}\r\n", data.len())
}

impl Passing {
    /// Follows the body behind the first `from` bytes. What the upstream sends past its end
    /// belongs to nothing, and makes its connection useless.
    fn follow(
        &mut self,
        buffer: &mut Buffer,
        from: usize,
        version: Version,
        client: &mut Client,
    ) -> Result<(), Wrong> {
        let bytes = &mut buffer.bytes_mut()[from..];
        let (now, record) = (client.watchdog.last(), &mut client.record);
        let followed = if version == Version::Http10 && self.body.is_chunked() {
            let followed = self.body.follow_and_unframe(bytes);
            followed.inspect(|(_, kept)| record.read_data(&bytes[..*kept], now))
        } else {
            let followed = record.read_framed(&mut self.body, bytes, now);
            followed.map(|taken| (taken, taken))
        };
        let (taken, kept) = followed.map_err(|_| Wrong::Chunks)?;
        if taken < bytes.len() {
            self.reusable = false;
        }
        buffer.truncate(from + kept);
        Ok(())
    }
}
