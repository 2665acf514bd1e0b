//! Reads the next request's head from a client's connection, and parses it.

use super::buffer::Buffer;
use super::buffered_body::BufferedBody;
use super::client::Client;
use super::early_stream::EarlyStream;
use super::worker::Worker;
use paddock_admission::error::{Dialect, ProxyError};
use paddock_admission::phase::ServicePhase;
use paddock_wire::{Body, Framing, HeadScan, InvalidRequest, RequestHead, to_origin_form};
use std::future::poll_fn;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// Longest time a client may keep a connection without a request.
const IDLE_TIMEOUT: Duration = Duration::from_secs(75);

/// Longest silence of a client in the middle of a request.
pub(super) const SILENCE_TIMEOUT: Duration = Duration::from_secs(30);

/// Longest time for a head to arrive if the connection should close so that a new one fits within the connection
/// limit.
const CONTENDED_HEAD_TIMEOUT: Duration = Duration::from_secs(1);

/// A request whose head has arrived and is well-formed.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) head: RequestHead,
    /// Head and first part of the body.
    pub(super) buffer: Buffer,
    /// Further pieces of the body.
    pub(super) buffered_body: BufferedBody,
    /// Length of the head in `buffer`.
    pub(super) head_len: usize,
    /// Framing state after the bytes received so far.
    pub(super) body: Body,
    /// The method is HEAD.
    pub(super) is_head: bool,
    /// JSON format of errors that the client expects.
    pub(super) dialect: Dialect,
    /// The request neither loads its model nor counts as use of it.
    pub(super) is_observation: bool,
    /// paddock has sent `100 Continue`.
    pub(super) sent_continue: bool,
    /// Set if paddock has begun the response while the request waited for its model.
    pub(super) early_stream: Option<Box<EarlyStream>>,
}

impl Request {
    /// Frees the bytes in memory; keeps the framing state.
    pub(super) fn release_buffers(&mut self) {
        self.buffer = Buffer::default();
        self.buffered_body = BufferedBody::default();
    }

    /// Returns how many bytes of the body, framing included, are in memory.
    pub(super) fn buffered_bytes(&self) -> usize {
        (self.buffer.bytes().len() - self.head_len) + self.buffered_body.bytes()
    }

    /// Returns true if the whole request is in `buffer`, and can thus be sent again on another connection.
    pub(super) fn is_repeatable(&self) -> bool {
        self.body.is_complete() && self.buffered_body.is_empty()
    }

    /// Returns true if the body is known to be larger than `limit` bytes.
    pub(super) fn is_larger_than(&self, limit: u64) -> bool {
        matches!(self.head.framing, Framing::Length(length) if length > limit)
            || self.body.data_bytes() > limit
    }

    /// Refuses a body that is known to be larger than `limit` bytes.
    pub(super) fn check_size(&self, limit: u64) -> Result<(), ProxyError> {
        match self.is_larger_than(limit) {
            true => Err(ProxyError::BodyTooLarge { limit }),
            false => Ok(()),
        }
    }
}

/// Result of waiting for a request.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "it is nearly always the large one, and moved once"
)]
pub(super) enum HeadOutcome {
    Request(Request),
    /// The client closed, or sent nothing for too long.
    Closed,
    Refused(ProxyError),
}

/// Waits for the next request's head.
pub(super) async fn read_request(worker: &Worker, client: &mut Client) -> HeadOutcome {
    let mut scan = HeadScan::default();
    client.timer.record_progress();
    client.id_line.clear();
    loop {
        match find_head_end(client, &mut scan) {
            Ok(Some(head_len)) => return accept_head(worker, client, head_len),
            Ok(None) => {}
            Err(refusal) => return HeadOutcome::Refused(refusal.into()),
        }
        let idle = client.read_ahead.is_none();
        let phase = worker.phase();
        let closes = match phase {
            ServicePhase::Serving => false,
            ServicePhase::Draining => idle,
            ServicePhase::Cut => true,
        };
        if closes {
            return HeadOutcome::Closed;
        }
        let limit = if idle { IDLE_TIMEOUT } else { SILENCE_TIMEOUT };
        let more = poll_fn(|cx| {
            client.status.register_waker(cx);
            if worker.phase() != phase {
                return Poll::Ready(HeadWait::Phase);
            }
            let more = poll_more(worker, client, limit, cx);
            if more.is_pending() && must_close_for_others(client, idle) {
                return Poll::Ready(HeadWait::Closed);
            }
            more
        });
        match more.await {
            // The limit for a head counts from its first byte.
            HeadWait::Bytes if idle => client.timer.record_progress(),
            HeadWait::Bytes | HeadWait::Phase => {}
            HeadWait::Closed => return HeadOutcome::Closed,
            HeadWait::Silence if idle => return HeadOutcome::Closed,
            HeadWait::Silence => {
                return HeadOutcome::Refused(ProxyError::RequestTimeout(SILENCE_TIMEOUT));
            }
        }
    }
}

/// Returns true if others need the connection's permit and no request is coming. Waits for a head that has
/// just begun: nearly always the rest arrives at once.
fn must_close_for_others(client: &Client, idle: bool) -> bool {
    if !client.status.must_yield() {
        return false;
    }
    let since = client.timer.now() - client.timer.last_progress();
    let must_close_for_others = idle || since > CONTENDED_HEAD_TIMEOUT;
    if !must_close_for_others {
        client.status.keep_open();
    }
    must_close_for_others
}

/// Result of waiting for more bytes of a head.
enum HeadWait {
    Bytes,
    Closed,
    Silence,
    Phase,
}

/// Reads bytes from the client.
fn poll_more(
    worker: &Worker,
    client: &mut Client,
    limit: Duration,
    cx: &mut Context<'_>,
) -> Poll<HeadWait> {
    client.timer.read_clock();
    if client.timer.poll_silent(limit, cx).is_ready() {
        return Poll::Ready(HeadWait::Silence);
    }
    match ready!(client.poll_read_ahead(worker, cx)) {
        Ok(0) | Err(_) => Poll::Ready(HeadWait::Closed),
        Ok(_) => Poll::Ready(HeadWait::Bytes),
    }
}

/// Returns the length of the head, if a whole one has arrived.
fn find_head_end(
    client: &mut Client,
    scan: &mut HeadScan,
) -> Result<Option<usize>, InvalidRequest> {
    let Some(ahead) = &mut client.read_ahead else {
        return Ok(None);
    };
    // A server should ignore empty lines before a request (RFC 9112 §2.2).
    while ahead.bytes().starts_with(b"\r\n") {
        ahead.consume(2);
    }
    match ahead.bytes() {
        [] => client.read_ahead = None,
        [b'\r'] => {}
        bytes => return scan.find_end(bytes),
    }
    Ok(None)
}

/// Parses the head and takes the request with the first part of its body. Bytes behind the request stay in
/// `read_ahead`.
fn accept_head(worker: &Worker, client: &mut Client, mut head_len: usize) -> HeadOutcome {
    let Some(mut buffer) = client.read_ahead.take() else {
        return HeadOutcome::Closed;
    };
    match parse_head(worker, client, &mut buffer, &mut head_len) {
        Ok((head, body)) => HeadOutcome::Request(Request {
            is_head: head.method.slice(buffer.bytes()) == b"HEAD",
            dialect: Dialect::from_path(head.path(buffer.bytes())),
            head,
            buffer,
            buffered_body: BufferedBody::default(),
            head_len,
            body,
            is_observation: false,
            sent_continue: false,
            early_stream: None,
        }),
        Err(refusal) => {
            if client.id_line.is_empty() {
                let head = buffer.bytes().get(..head_len).unwrap_or_default();
                worker.ids.write_line_for_refused(head, &mut client.id_line);
            }
            // The response depends on the `Origin` in these bytes.
            client.read_ahead = Some(buffer);
            HeadOutcome::Refused(refusal.into())
        }
    }
}

fn parse_head(
    worker: &Worker,
    client: &mut Client,
    buffer: &mut Buffer,
    head_len: &mut usize,
) -> Result<(RequestHead, Body), InvalidRequest> {
    let mut parsed = RequestHead::parse(&buffer.bytes()[..*head_len]);
    if matches!(parsed, Err(InvalidRequest::Target)) {
        parsed = rewrite_to_origin_form(buffer, head_len);
    }
    let head = parsed?;
    let (bytes, rest) = buffer.bytes().split_at(*head_len);
    worker.ids.write_line(&head, bytes, &mut client.id_line);
    client.status.begin(&client.id_line);
    let mut body = Body::for_request(head.framing);
    let taken = body.follow(rest)?;
    if taken < rest.len() {
        let mut ahead = worker.pool.take();
        ahead.extend(&rest[taken..]);
        client.read_ahead = Some(ahead);
        buffer.truncate(*head_len + taken);
    }
    Ok((head, body))
}

/// Replaces an absolute target by its path, and `Host` by the URL's host (RFC 9112 §3.2.2): the request
/// becomes the one that a client without a proxy would send.
#[cold]
fn rewrite_to_origin_form(
    buffer: &mut Buffer,
    head_len: &mut usize,
) -> Result<RequestHead, InvalidRequest> {
    let head = &buffer.bytes()[..*head_len];
    let origin = to_origin_form(head)?.ok_or(InvalidRequest::Target)?;
    let parsed = RequestHead::parse(&origin)?;
    buffer.replace_head(*head_len, &origin);
    *head_len = origin.len();
    Ok(parsed)
}
