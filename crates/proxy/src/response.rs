//! The response's side of a relay: parses what the child sends, edits the head, and follows the body to its
//! end.

mod early_stream;

use super::buffer::Buffer;
use super::client::Client;
use super::cors;
use super::exchange::Exchange;
use super::local_reply::error_event;
use super::request::Request;
use super::worker::Worker;
use early_stream::CollectedError;
pub(super) use early_stream::LAST_CHUNK;
use paddock_admission::error::{Dialect, ProxyError};
use paddock_admission::phase::ServicePhase;
use paddock_wire::{Body, Framing, HeadScan, InvalidResponse, ResponseHead, Version};

/// Status that asks a client for its body (RFC 9110 §15.2.1).
const CONTINUE_STATUS: u16 = 100;

/// Most bytes that paddock fills in for a child that broke off inside a chunk, so that the chunk ends and an error
/// event can follow.
const MAX_FILLER_BYTES: usize = 1024 * 1024;

/// A response on its way from the child to the client.
#[derive(Debug)]
pub(super) struct UpstreamResponse {
    state: ResponseState,
    /// The request's method is HEAD, so the response has no body.
    is_head: bool,
    /// HTTP version of the client.
    client: Version,
    /// JSON format of errors that the client expects.
    dialect: Dialect,
    /// The client's connection closes after this response, whatever the upstream says.
    client_closes: bool,
    /// paddock has sent `100 Continue`, so the child's is dropped.
    sent_continue: bool,
    /// An interim response announced that the upstream's connection closes.
    closes_upstream: bool,
    /// The client has got the head of a stream from paddock already, while the request waited.
    has_early_stream: bool,
}

#[derive(Debug)]
enum ResponseState {
    /// Waiting for the final head, or an interim one.
    Head(HeadScan),
    /// The body passes.
    Body(ResponseBody),
    /// The body is collected for an error event.
    Collected(Box<CollectedError>),
}

/// State of a response whose head has passed.
#[derive(Debug)]
struct ResponseBody {
    body: Body,
    /// The upstream's connection can serve another request.
    reusable: bool,
    /// The client's connection closes after this response.
    closes: bool,
    is_event_stream: bool,
    until_close: bool,
}

/// Defect that ends a response.
#[derive(Debug, Clone, Copy)]
pub(super) enum ResponseError {
    /// The head cannot be passed on.
    Malformed(InvalidResponse),
    /// The chunked framing is broken.
    Chunks,
}

/// Result of processing a piece of the response.
#[derive(Debug)]
pub(super) enum ResponsePiece {
    /// Write to the client.
    Forward(Buffer),
    /// Incomplete head; more bytes are needed.
    Partial(Buffer),
    /// Write the first buffer, then process the second.
    ForwardThen(Buffer, Buffer),
}

impl UpstreamResponse {
    pub(super) fn new(request: &Request, client_closes: bool) -> Self {
        Self {
            state: ResponseState::Head(HeadScan::default()),
            is_head: request.is_head,
            client: request.head.version,
            dialect: request.dialect,
            client_closes: client_closes || request.head.close,
            sent_continue: request.sent_continue,
            closes_upstream: false,
            has_early_stream: request.early_stream.is_some(),
        }
    }

    /// Returns true once the final head has passed.
    pub(super) fn has_begun(&self) -> bool {
        matches!(self.state, ResponseState::Body(_))
    }

    /// Returns true once the child's final head has come, passed on or not.
    pub(super) fn has_head(&self) -> bool {
        !matches!(self.state, ResponseState::Head(_))
    }

    fn response_body(&self) -> Option<&ResponseBody> {
        match &self.state {
            ResponseState::Head(_) => None,
            ResponseState::Body(response_body) => Some(response_body),
            ResponseState::Collected(collected) => Some(&collected.response_body),
        }
    }

    /// Returns true once the last byte has come.
    pub(super) fn is_complete(&self) -> bool {
        self.response_body()
            .is_some_and(|response_body| response_body.body.is_complete())
    }

    /// Returns true if the response is complete although the upstream has closed.
    pub(super) fn is_complete_at_close(&self) -> bool {
        self.response_body()
            .is_some_and(|response_body| response_body.body.check_end().is_ok())
    }

    /// Returns true if the upstream's connection can serve another request.
    pub(super) fn is_upstream_reusable(&self) -> bool {
        self.response_body()
            .is_some_and(|response_body| response_body.reusable && response_body.body.is_complete())
    }

    /// Returns true for a chunked response: llama-server closes the connection after a stream, whatever its
    /// head says (measured on llama.cpp b11434).
    pub(super) fn is_chunked(&self) -> bool {
        self.response_body()
            .is_some_and(|response_body| response_body.body.is_chunked())
    }

    /// Returns true if the client's connection closes with this response.
    pub(super) fn is_client_closing(&self) -> bool {
        self.response_body()
            .is_some_and(|response_body| response_body.closes)
    }

    /// Returns true if only an abrupt end can tell the client that the response broke off.
    pub(super) fn is_delimited_by_close(&self) -> bool {
        self.response_body()
            .is_some_and(|response_body| response_body.until_close)
    }

    /// Processes bytes from the child.
    pub(super) fn process(
        &mut self,
        exchange: &mut Exchange<'_>,
        buffer: Buffer,
        upload_done: bool,
    ) -> Result<ResponsePiece, ResponseError> {
        match &mut self.state {
            ResponseState::Head(scan) => {
                let end = scan.find_end(buffer.bytes()).map_err(|refusal| {
                    ResponseError::Malformed(InvalidResponse::Framing(refusal))
                })?;
                match end {
                    None => Ok(ResponsePiece::Partial(buffer)),
                    Some(len) => self.process_head(exchange, buffer, len, upload_done),
                }
            }
            ResponseState::Body(response_body) => {
                let mut buffer = buffer;
                response_body.follow(&mut buffer, 0, self.client, exchange.client)?;
                Ok(ResponsePiece::Forward(buffer))
            }
            ResponseState::Collected(collected) => {
                collected.process(buffer, self.dialect, exchange.client)
            }
        }
    }

    fn process_head(
        &mut self,
        exchange: &mut Exchange<'_>,
        mut buffer: Buffer,
        len: usize,
        upload_done: bool,
    ) -> Result<ResponsePiece, ResponseError> {
        let Exchange { worker, client, .. } = exchange;
        let head = ResponseHead::parse(&buffer.bytes()[..len], self.is_head, self.client)
            .map_err(ResponseError::Malformed)?;
        if head.is_interim() {
            return Ok(self.process_interim(worker, &head, buffer, len));
        }
        let now = client.timer.last_progress();
        client.record.start_answer(&head);
        client.status.response_started(now);
        // If the upstream has not taken the whole body, both connections are in the middle of it and cannot be
        // reused.
        let until_close = head.framing == Framing::UntilClose
            || (self.client == Version::Http10 && head.framing == Framing::Chunked);
        let closes = self.client_closes
            || until_close
            || !upload_done
            || worker.phase() != ServicePhase::Serving;
        let mut response_body = ResponseBody {
            body: Body::new(head.framing),
            reusable: !head.close && !self.closes_upstream && upload_done,
            closes,
            is_event_stream: head.is_event_stream && !head.is_encoded,
            until_close,
        };
        if self.has_early_stream {
            return self.continue_early_stream(client, &head, response_body, buffer, len);
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
        let cors = cors::response_lines(worker, client, head.has_allow_origin);
        let mut edited = worker.scratch.borrow_mut();
        edited.clear();
        head.edits
            .render(&buffer.bytes()[..len], &[id, cors, close], &mut edited);
        buffer.replace_head(len, &edited);
        response_body.follow(&mut buffer, edited.len(), self.client, client)?;
        self.state = ResponseState::Body(response_body);
        Ok(ResponsePiece::Forward(buffer))
    }

    /// Forwards an interim response, except to HTTP/1.0 clients, which know none. Another head follows.
    fn process_interim(
        &mut self,
        worker: &Worker,
        head: &ResponseHead,
        mut buffer: Buffer,
        len: usize,
    ) -> ResponsePiece {
        self.state = ResponseState::Head(HeadScan::default());
        self.closes_upstream |= head.close;
        let mut rest = worker.pool.take();
        rest.extend(&buffer.bytes()[len..]);
        buffer.truncate(len);
        let is_second = head.status == CONTINUE_STATUS && std::mem::take(&mut self.sent_continue);
        if self.client == Version::Http10 || is_second || self.has_early_stream {
            buffer.truncate(0);
        } else {
            let mut edited = worker.scratch.borrow_mut();
            edited.clear();
            head.edits.render(buffer.bytes(), &[], &mut edited);
            buffer.replace_head(len, &edited);
        }
        ResponsePiece::ForwardThen(buffer, rest)
    }

    /// Returns the bytes that tell the client of a stream's error in its own format, if the framing has room
    /// for them. The stream then lacks its regular end.
    pub(super) fn error_ending(&self, error: &ProxyError) -> Option<Vec<u8>> {
        let ResponseState::Body(response_body) = &self.state else {
            return None;
        };
        if !response_body.is_event_stream || self.is_head {
            return None;
        }
        let is_chunked = response_body.body.is_chunked();
        let mut body = response_body.body.clone();
        let mut words = match self.client {
            // This client gets no chunks.
            Version::Http10 if is_chunked => Vec::new(),
            _ => body.filler(MAX_FILLER_BYTES)?,
        };
        // Cannot fail: the filler fits the framing.
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

/// Returns a chunk with `data`.
pub(super) fn chunk(data: &str) -> String {
    format!("{:x}\r\n{data}\r\n", data.len())
}

impl ResponseBody {
    /// Follows the body in the bytes behind the first `from`. Bytes past the body's end are dropped, and make
    /// the connection unusable.
    fn follow(
        &mut self,
        buffer: &mut Buffer,
        from: usize,
        version: Version,
        client: &mut Client,
    ) -> Result<(), ResponseError> {
        let bytes = &mut buffer.bytes_mut()[from..];
        let (now, record) = (client.timer.last_progress(), &mut client.record);
        let followed = if version == Version::Http10 && self.body.is_chunked() {
            let followed = self.body.follow_and_unframe(bytes);
            followed.inspect(|(_, kept)| record.read_data(&bytes[..*kept], now))
        } else {
            let followed = record.read_framed(&mut self.body, bytes, now);
            followed.map(|taken| (taken, taken))
        };
        let (taken, kept) = followed.map_err(|_| ResponseError::Chunks)?;
        if taken < bytes.len() {
            self.reusable = false;
        }
        buffer.truncate(from + kept);
        Ok(())
    }
}
