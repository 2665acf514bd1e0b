use super::buffer::Buffer;
use super::client::Client;
use super::early::EarlyStream;
use super::held::Held;
use super::worker::Worker;
use paddock_admission::error::{Dialect, ProxyError};
use paddock_admission::phase::ServicePhase;
use paddock_wire::{Body, Framing, HeadScan, InvalidRequest, RequestHead, to_origin_form};
use std::future::poll_fn;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// How long a client may keep a connection without asking anything.
const IDLE: Duration = Duration::from_secs(75);

/// How long a client may be silent in the middle of a request.
pub(super) const SILENCE: Duration = Duration::from_secs(30);

/// Longest time for a head to arrive while others need the connection's place.
const HEAD_TIME: Duration = Duration::from_secs(1);

/// A request whose head has arrived and may be passed on.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) head: RequestHead,
    /// The head, and what has come of the body.
    pub(super) buffer: Buffer,
    /// What has come of the body besides.
    pub(super) held: Held,
    /// The length of the head in the buffer.
    pub(super) head_len: usize,
    /// Followed over what is in the buffer.
    pub(super) body: Body,
    pub(super) to_head: bool,
    pub(super) dialect: Dialect,
    /// The request neither loads its model nor counts as use of it.
    pub(super) observes: bool,
    /// paddock has told the client to go on and send its body.
    pub(super) invited: bool,
    /// The answer has begun while the request waited.
    pub(super) early: Option<Box<EarlyStream>>,
}

impl Request {
    /// Gives back what it holds.
    pub(super) fn give_back(&mut self, worker: &Worker) {
        worker.pool.give(std::mem::take(&mut self.buffer));
        self.held.clear(worker);
    }

    /// Returns how many bytes of the body, framing and all, are in memory.
    pub(super) fn buffered_bytes(&self) -> usize {
        (self.buffer.bytes().len() - self.head_len) + self.held.bytes()
    }

    /// All of it is in its buffer, so that it can be sent again on another connection.
    pub(super) fn is_repeatable(&self) -> bool {
        self.body.is_complete() && self.held.is_empty()
    }

    /// The body is known to be larger than `limit` bytes.
    pub(super) fn is_larger_than(&self, limit: u64) -> bool {
        matches!(self.head.framing, Framing::Length(length) if length > limit)
            || self.body.data_bytes() > limit
    }
}

/// What came next on a client's connection.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "it is nearly always the large one, and moved once"
)]
pub(super) enum Next {
    Request(Request),
    /// Nothing more, or nothing for too long.
    Closed,
    Refused(ProxyError),
}

/// Waits for the next request's head.
pub(super) async fn next(worker: &Worker, client: &mut Client) -> Next {
    let mut scan = HeadScan::default();
    client.watchdog.progress();
    client.id_line.clear();
    loop {
        match look(worker, client, &mut scan) {
            Ok(Some(head_len)) => return judge(worker, client, head_len),
            Ok(None) => {}
            Err(refusal) => return Next::Refused(refusal.into()),
        }
        let idle = client.ahead.is_none();
        let phase = worker.phase();
        let closes = match phase {
            ServicePhase::Serving => false,
            ServicePhase::Draining => idle,
            ServicePhase::Cut => true,
        };
        if closes {
            return Next::Closed;
        }
        let limit = if idle { IDLE } else { SILENCE };
        let more = poll_fn(|cx| {
            client.card.watch(cx);
            if worker.phase() != phase {
                return Poll::Ready(More::Phase);
            }
            let more = poll_more(worker, client, limit, cx);
            if more.is_pending() && gives_way(client, idle) {
                return Poll::Ready(More::End);
            }
            more
        });
        match more.await {
            // The time for a head counts from its first byte.
            More::Bytes if idle => client.watchdog.progress(),
            More::Bytes | More::Phase => {}
            More::End => return Next::Closed,
            More::Silence if idle => return Next::Closed,
            More::Silence => return Next::Refused(ProxyError::RequestTimeout(SILENCE)),
        }
    }
}

/// Returns true if others need the connection's place and no request is coming. A head that has only just
/// begun is waited for: it arrives in one piece, nearly always.
fn gives_way(client: &Client, idle: bool) -> bool {
    if !client.card.is_unwanted() {
        return false;
    }
    let since = client.watchdog.now() - client.watchdog.last();
    let gives_way = idle || since > HEAD_TIME;
    if !gives_way {
        client.card.stay();
    }
    gives_way
}

/// Why waiting for more of a head ended.
enum More {
    Bytes,
    End,
    Silence,
    Phase,
}

/// Reads what has come.
fn poll_more(
    worker: &Worker,
    client: &mut Client,
    limit: Duration,
    cx: &mut Context<'_>,
) -> Poll<More> {
    client.watchdog.look();
    if client.watchdog.poll_silent(limit, cx).is_ready() {
        return Poll::Ready(More::Silence);
    }
    match ready!(client.poll_read_ahead(worker, cx)) {
        Ok(0) | Err(_) => Poll::Ready(More::End),
        Ok(_) => Poll::Ready(More::Bytes),
    }
}

/// Whether a whole head lies ahead, and how long it is.
fn look(
    worker: &Worker,
    client: &mut Client,
    scan: &mut HeadScan,
) -> Result<Option<usize>, InvalidRequest> {
    let Some(ahead) = &mut client.ahead else {
        return Ok(None);
    };
    // Empty lines before a request are to be ignored (RFC 9112 §2.2).
    while ahead.bytes().starts_with(b"\r\n") {
        ahead.consume(2);
    }
    match ahead.bytes() {
        [] => client.give_back_ahead(worker),
        [b'\r'] => {}
        bytes => return scan.find_end(bytes),
    }
    Ok(None)
}

/// Judges the head that lies ahead, and takes the request with what has come of its body. What
/// follows the request stays ahead.
fn judge(worker: &Worker, client: &mut Client, mut head_len: usize) -> Next {
    let Some(mut buffer) = client.ahead.take() else {
        return Next::Closed;
    };
    match take(worker, client, &mut buffer, &mut head_len) {
        Ok((head, body)) => Next::Request(Request {
            to_head: head.method.slice(buffer.bytes()) == b"HEAD",
            dialect: Dialect::of_path(head.path(buffer.bytes())),
            head,
            buffer,
            held: Held::default(),
            head_len,
            body,
            observes: false,
            invited: false,
            early: None,
        }),
        Err(refusal) => {
            if client.id_line.is_empty() {
                let head = buffer.bytes().get(..head_len).unwrap_or_default();
                worker.ids.write_refused_line(head, &mut client.id_line);
            }
            // The answer depends on who asks.
            client.ahead = Some(buffer);
            Next::Refused(refusal.into())
        }
    }
}

fn take(
    worker: &Worker,
    client: &mut Client,
    buffer: &mut Buffer,
    head_len: &mut usize,
) -> Result<(RequestHead, Body), InvalidRequest> {
    let mut parsed = RequestHead::parse(&buffer.bytes()[..*head_len]);
    if matches!(parsed, Err(InvalidRequest::Target)) {
        parsed = rewrite(buffer, head_len);
    }
    let head = parsed?;
    let (bytes, rest) = buffer.bytes().split_at(*head_len);
    worker.ids.write_line(&head, bytes, &mut client.id_line);
    client.card.begin(&client.id_line);
    let mut body = Body::for_request(head.framing);
    let taken = body.follow(rest)?;
    if taken < rest.len() {
        let mut ahead = worker.pool.take();
        ahead.extend(&rest[taken..]);
        client.ahead = Some(ahead);
        buffer.truncate(*head_len + taken);
    }
    Ok((head, body))
}

/// Puts a path and the URL's host in the place of a target that is a whole URL (RFC 9112 §3.2.2). From here on
/// the request is the one that a client without a proxy would send.
#[cold]
fn rewrite(buffer: &mut Buffer, head_len: &mut usize) -> Result<RequestHead, InvalidRequest> {
    let head = &buffer.bytes()[..*head_len];
    let origin = to_origin_form(head)?.ok_or(InvalidRequest::Target)?;
    let parsed = RequestHead::parse(&origin)?;
    buffer.replace_head(*head_len, &origin);
    *head_len = origin.len();
    Ok(parsed)
}
