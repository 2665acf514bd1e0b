//! The request's side of a relay: sends head, buffered body and the rest of the body to the upstream.

use super::body_reader;
use super::buffer::Buffer;
use super::exchange::Exchange;
use super::min_rate::{MinRate, TransferPace};
use super::relay_outcome::RelayOutcome;
use super::request::Request;
use super::stream::Stream;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::AsyncWrite;
use tokio::time::Instant;

/// A request on its way from the client to the child.
#[derive(Debug)]
pub(super) struct Upload {
    /// Number of bytes of the request's own buffer that are written to the child.
    sent: usize,
    /// Further piece of the body, partly written.
    piece: Option<Buffer>,
    /// All bytes sent are still in the request's buffer, and can be sent again.
    repeatable: bool,
    /// The upstream accepts no more bytes; a response may still come.
    upstream_closed: bool,
    pace: TransferPace,
}

/// The side that an upload waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UploadWait {
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
            upstream_closed: false,
            pace: TransferPace::default(),
        }
    }

    /// Returns when the client falls below `rate` if it sends nothing.
    pub(super) fn deadline(&self, rate: MinRate) -> Option<Instant> {
        self.pace.deadline(rate)
    }

    /// Returns true if the whole request can be sent again on another connection.
    pub(super) fn is_repeatable(&self) -> bool {
        self.repeatable
    }

    /// Notes that the response has begun: the request will not be sent again.
    pub(super) fn forbid_repeat(&mut self, request: &mut Request) {
        self.repeatable = false;
        self.release_buffer(request);
    }

    /// Returns the side that the upload waits for.
    pub(super) fn waiting_for(&self, request: &Request) -> UploadWait {
        if self.upstream_closed {
            return UploadWait::Nothing;
        }
        if self.piece.is_some()
            || self.sent < request.buffer.bytes().len()
            || !request.buffered_body.is_empty()
        {
            return UploadWait::Upstream;
        }
        if request.body.is_complete() {
            UploadWait::Nothing
        } else {
            UploadWait::Client
        }
    }

    /// Returns true if the whole request has been passed on.
    pub(super) fn is_complete(&self, request: &Request) -> bool {
        !self.upstream_closed && self.waiting_for(request) == UploadWait::Nothing
    }

    /// Passes bytes on. Ready only if the exchange ends; an upstream that takes no more does not end it.
    pub(super) fn poll(
        &mut self,
        exchange: &mut Exchange<'_>,
        upstream: &mut Stream,
        cx: &mut Context<'_>,
    ) -> Poll<RelayOutcome> {
        loop {
            self.release_buffer(exchange.request);
            match self.waiting_for(exchange.request) {
                UploadWait::Nothing => return Poll::Pending,
                UploadWait::Upstream => match self.poll_write(exchange.request, upstream, cx) {
                    Poll::Ready(Ok(())) => exchange.client.timer.record_progress(),
                    Poll::Ready(Err(_)) => self.upstream_closed = true,
                    Poll::Pending => return Poll::Pending,
                },
                UploadWait::Client => match self.poll_read(exchange, cx) {
                    Poll::Ready(Ok(())) => exchange.client.timer.record_progress(),
                    Poll::Ready(Err(end)) => return Poll::Ready(end),
                    Poll::Pending => return Poll::Pending,
                },
            }
        }
    }

    /// Returns the request's buffer to the pool once it is sent and will not be sent again.
    fn release_buffer(&mut self, request: &mut Request) {
        if !self.repeatable && self.sent > 0 && self.sent == request.buffer.bytes().len() {
            request.buffer = Buffer::default();
            self.sent = 0;
        }
    }

    fn poll_write(
        &mut self,
        request: &mut Request,
        upstream: &mut Stream,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(piece) = &mut self.piece {
            let written = ready!(piece.poll_write_all(upstream, cx));
            self.piece = None;
            return Poll::Ready(written);
        }
        let unsent = request.buffer.bytes().get(self.sent..).unwrap_or_default();
        if unsent.is_empty() {
            // Buffered pieces follow. They are released one by one, so the request cannot be sent again.
            self.repeatable = false;
            self.piece = request.buffered_body.pop();
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
        exchange: &mut Exchange<'_>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), RelayOutcome>> {
        let Exchange { worker, client, .. } = &mut *exchange;
        // Bytes that came while the request waited come first.
        if client.read_ahead.is_none() {
            let read = client.poll_read_ahead(worker, cx);
            let now = client.timer.now();
            match read {
                Poll::Pending => {
                    self.pace.start_waiting(now);
                    return Poll::Pending;
                }
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Err(RelayOutcome::ClientGone)),
                Poll::Ready(Ok(read)) => self.pace.add_bytes(read, now),
            }
        }
        self.repeatable = false;
        self.piece = body_reader::take_piece(exchange, |_| {}).map_err(RelayOutcome::Failed)?;
        Poll::Ready(Ok(()))
    }
}
