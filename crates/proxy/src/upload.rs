use super::buffer::Buffer;
use super::client::Client;
use super::end::End;
use super::pace::{MinRate, Pace};
use super::request::Request;
use super::stream::Stream;
use super::worker::Worker;
use paddock_admission::error::ProxyError;
use paddock_wire::InvalidRequest;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::AsyncWrite;
use tokio::time::Instant;

/// The request's side of a relay.
#[derive(Debug)]
pub(super) struct Upload {
    /// How much of the request's own buffer is written.
    sent: usize,
    /// A further piece of the body, on its way.
    piece: Option<Buffer>,
    /// All that was sent is still in the request's buffer, so it could be sent again.
    repeatable: bool,
    /// The upstream takes no more. It may have answered all the same.
    refused: bool,
    pace: Pace,
}

/// What an upload waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waits {
    Client,
    Upstream,
    Nothing,
}

impl Upload {
    pub(super) fn new() -> Self {
        Self {
            sent: 0,
            piece: None,
            repeatable: true,
            refused: false,
            pace: Pace::default(),
        }
    }

    /// Returns when the client is slower than `rate` if it sends nothing until then.
    pub(super) fn deadline(&self, rate: MinRate) -> Option<Instant> {
        self.pace.deadline(rate)
    }

    /// Whether the whole request could be sent again on another connection.
    pub(super) fn is_repeatable(&self) -> bool {
        self.repeatable
    }

    /// The answer has begun: nothing will be sent again.
    pub(super) fn answered(&mut self, worker: &Worker, request: &mut Request) {
        self.repeatable = false;
        self.let_go(worker, request);
    }

    /// What the request's side waits for.
    pub(super) fn waits(&self, request: &Request) -> Waits {
        if self.refused {
            return Waits::Nothing;
        }
        if self.piece.is_some()
            || self.sent < request.buffer.bytes().len()
            || !request.held.is_empty()
        {
            return Waits::Upstream;
        }
        if request.body.is_complete() {
            Waits::Nothing
        } else {
            Waits::Client
        }
    }

    /// The whole request has been passed on.
    pub(super) fn is_complete(&self, request: &Request) -> bool {
        !self.refused && self.waits(request) == Waits::Nothing
    }

    /// Passes on what can be. Ready only with an end; an upstream that takes no more is none.
    pub(super) fn poll(
        &mut self,
        worker: &Worker,
        client: &mut Client,
        request: &mut Request,
        upstream: &mut Stream,
        cx: &mut Context<'_>,
    ) -> Poll<End> {
        loop {
            self.let_go(worker, request);
            match self.waits(request) {
                Waits::Nothing => return Poll::Pending,
                Waits::Upstream => match self.poll_write(worker, request, upstream, cx) {
                    Poll::Ready(Ok(())) => client.watchdog.progress(),
                    Poll::Ready(Err(_)) => self.refused = true,
                    Poll::Pending => return Poll::Pending,
                },
                Waits::Client => match self.poll_read(worker, client, request, cx) {
                    Poll::Ready(Ok(())) => client.watchdog.progress(),
                    Poll::Ready(Err(end)) => return Poll::Ready(end),
                    Poll::Pending => return Poll::Pending,
                },
            }
        }
    }

    /// Gives the request's buffer back once it is sent and will not be sent again.
    fn let_go(&mut self, worker: &Worker, request: &mut Request) {
        if !self.repeatable && self.sent > 0 && self.sent == request.buffer.bytes().len() {
            worker.pool.give(std::mem::take(&mut request.buffer));
            self.sent = 0;
        }
    }

    fn poll_write(
        &mut self,
        worker: &Worker,
        request: &mut Request,
        upstream: &mut Stream,
        cx: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        if let Some(mut piece) = self.piece.take() {
            let written = piece.poll_write_all(upstream, cx);
            match written {
                Poll::Pending => self.piece = Some(piece),
                Poll::Ready(_) => worker.pool.give(piece),
            }
            return written;
        }
        let unsent = request.buffer.bytes().get(self.sent..).unwrap_or_default();
        if unsent.is_empty() {
            // What was held comes next, and is given back piece by piece: it cannot be sent again.
            self.repeatable = false;
            self.piece = request.held.pop(worker);
            return Poll::Ready(Ok(()));
        }
        match Pin::new(upstream).poll_write(cx, unsent) {
            Poll::Ready(Ok(written)) => {
                self.sent += written;
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Reads one more piece of the body.
    fn poll_read(
        &mut self,
        worker: &Worker,
        client: &mut Client,
        request: &mut Request,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), End>> {
        // What came while the request waited, for its turn or for the upstream, comes first.
        if client.ahead.is_none() {
            let read = client.poll_read_ahead(worker, cx);
            let now = client.watchdog.now();
            match read {
                Poll::Pending => {
                    self.pace.wait(now);
                    return Poll::Pending;
                }
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Err(End::ClientGone)),
                Poll::Ready(Ok(read)) => self.pace.moved(read, now),
            }
        }
        self.repeatable = false;
        let Some(mut piece) = client.ahead.take() else {
            return Poll::Ready(Ok(()));
        };
        let taken = match request.body.follow(piece.bytes()) {
            Ok(taken) => taken,
            Err(error) => {
                let error = ProxyError::BadRequest(InvalidRequest::Chunk(error));
                return Poll::Ready(Err(End::Failed(error)));
            }
        };
        client.record.set_body_bytes(request.body.data_bytes());
        let limit = worker.site.body_limit;
        if request.body.data_bytes() > limit {
            return Poll::Ready(Err(End::Failed(ProxyError::BodyTooLarge { limit })));
        }
        client.keep_ahead(worker, &mut piece, taken);
        self.piece = Some(piece);
        Poll::Ready(Ok(()))
    }
}
