//! Relays one exchange: passes the request from the client to the child (the model's llama-server) and the response
//! back, both at the same time.

mod time_limits;

use super::buffer::Buffer;
use super::client::NextStep;
use super::exchange::Exchange;
use super::inference_errors;
use super::outbox::Outbox;
use super::relay_outcome::RelayOutcome;
use super::response::{ResponseError, ResponsePiece, UpstreamResponse};
use super::upload::{Upload, UploadWait};
use super::upstream_pool::UpstreamConnection;
use paddock_admission::error::ProxyError;
use paddock_admission::model::Model;
use paddock_admission::phase::ServicePhase;
use paddock_supervisor::StallGuard;
use std::future::poll_fn;
use std::task::{Context, Poll, ready};
use tokio::time::Instant;

/// A request and its response on their way. Each direction holds at most one buffer, and none while it waits
/// for its next piece. More of a response is read ahead only if the client reads slowly while other requests
/// wait for the slot (of llama-server) that this one occupies.
#[derive(Debug)]
pub(super) struct Relay<'a, 'e> {
    exchange: &'a mut Exchange<'e>,
    model: &'a Model,
    upstream: Option<UpstreamConnection>,
    upload: Upload,
    response: UpstreamResponse,
    /// Bytes for the client.
    outbox: Outbox,
    /// Incomplete head of the response.
    partial_head: Option<Buffer>,
    /// Bytes behind an interim response, processed once that has been written.
    after_interim: Option<Buffer>,
    /// Set once nothing more comes: `outbox` holds the last bytes.
    ending: Option<Ending>,
    /// Time of the first poll.
    begun: Option<Instant>,
    /// Reports to the supervisor that the child has been silent for at least [`STALL_AFTER`]; None otherwise.
    stall: Option<StallGuard>,
}

/// The end of a response that has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// The response is complete.
    Whole,
    /// The response broke off.
    Broken,
}

impl<'a, 'e> Relay<'a, 'e> {
    pub(super) fn new(
        exchange: &'a mut Exchange<'e>,
        model: &'a Model,
        upstream: UpstreamConnection,
    ) -> Self {
        let is_stopping = exchange.worker.phase() != ServicePhase::Serving;
        let response = UpstreamResponse::new(exchange.request, is_stopping);
        Self {
            begun: None,
            exchange,
            model,
            upstream: Some(upstream),
            upload: Upload::new(),
            response,
            outbox: Outbox::default(),
            partial_head: None,
            after_interim: None,
            ending: None,
            stall: None,
        }
    }

    /// Runs until the response has passed or failed.
    pub(super) async fn run(&mut self) -> RelayOutcome {
        poll_fn(|cx| self.poll(cx)).await
    }

    /// Completes a response whose last byte has arrived.
    fn complete(&mut self) {
        self.exchange.record_answer(self.model);
        self.ending = Some(Ending::Whole);
        self.release();
    }

    /// Releases lease and connection, or pools the connection if it is reusable: nothing more comes from the
    /// model.
    fn release(&mut self) {
        if let Some(upstream) = self.upstream.take()
            && self.response.is_upstream_reusable()
            && self.exchange.worker.phase() == ServicePhase::Serving
        {
            let may_close = self.response.is_chunked();
            let now = self.exchange.client.timer.now();
            self.exchange
                .worker
                .upstreams
                .give(upstream, may_close, now);
        }
        self.exchange.lease = None;
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<RelayOutcome> {
        self.exchange.client.status.register_waker(cx);
        self.read_clock();
        if let end @ Poll::Ready(_) = self.poll_upload(cx) {
            return end;
        }
        if let end @ Poll::Ready(_) = self.poll_response(cx) {
            return end;
        }
        if self.upload.waiting_for(self.exchange.request) != UploadWait::Client
            && self
                .exchange
                .client
                .poll_disconnect(self.exchange.worker, cx)
                .is_ready()
        {
            return Poll::Ready(RelayOutcome::ClientGone);
        }
        if let end @ Poll::Ready(_) = self.poll_phase(cx) {
            return end;
        }
        self.poll_silence(cx)
    }

    fn read_clock(&mut self) {
        let timer = &mut self.exchange.client.timer;
        timer.read_clock();
        if self.begun.is_none() {
            self.begun = Some(timer.now());
            timer.record_progress();
        }
    }

    fn poll_upload(&mut self, cx: &mut Context<'_>) -> Poll<RelayOutcome> {
        let Some(upstream) = &mut self.upstream else {
            return Poll::Pending;
        };
        match self.upload.poll(self.exchange, &mut upstream.stream, cx) {
            // A response that has begun cannot be replaced by another.
            Poll::Ready(RelayOutcome::Failed(error)) if self.response.has_begun() => {
                self.exchange.client.record.set_failure(&error);
                Poll::Ready(self.broken_outcome())
            }
            passing => passing,
        }
    }

    fn poll_response(&mut self, cx: &mut Context<'_>) -> Poll<RelayOutcome> {
        loop {
            match self.outbox.poll_write(self.exchange.client, cx) {
                Poll::Ready(Err(_)) => return Poll::Ready(RelayOutcome::ClientGone),
                Poll::Pending if !self.can_read_ahead() => return Poll::Pending,
                Poll::Ready(Ok(())) | Poll::Pending => {}
            }
            match self.ending {
                Some(_) if !self.outbox.is_empty() => return Poll::Pending,
                Some(Ending::Whole) => return Poll::Ready(self.answered_outcome()),
                Some(Ending::Broken) => return Poll::Ready(self.broken_outcome()),
                None => {}
            }
            let more = match self.after_interim.take() {
                Some(after_interim) if !after_interim.is_empty() => {
                    Poll::Ready(self.process(after_interim))
                }
                _ => self.poll_upstream(cx),
            };
            match more {
                Poll::Ready(None) => {}
                Poll::Ready(Some(end)) => return Poll::Ready(end),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Returns true if the response should be read although the client has not taken the last piece: the child
    /// finishes sooner, and others get its slot.
    fn can_read_ahead(&self) -> bool {
        self.ending.is_none()
            && self.response.has_begun()
            && self.model.gate.is_contended()
            && self.outbox.has_room(self.exchange.worker)
    }

    /// Reads and processes one piece of the response.
    fn poll_upstream(&mut self, cx: &mut Context<'_>) -> Poll<Option<RelayOutcome>> {
        let Some(upstream) = &mut self.upstream else {
            return Poll::Pending;
        };
        let (pool, stream) = (&self.exchange.worker.pool, &mut upstream.stream);
        let read = ready!(Buffer::poll_read(&mut self.partial_head, pool, stream, cx));
        if !matches!(read, Ok(1..)) {
            return Poll::Ready(self.upstream_closed());
        }
        let Some(buffer) = self.partial_head.take() else {
            return Poll::Ready(None);
        };
        self.upload.forbid_repeat(self.exchange.request);
        self.exchange.client.timer.record_progress();
        self.model.stalls.record_byte();
        self.stall = None;
        Poll::Ready(self.process(buffer))
    }

    fn process(&mut self, buffer: Buffer) -> Option<RelayOutcome> {
        let had_head = self.response.has_head();
        let done = self.upload.is_complete(self.exchange.request);
        match self.response.process(self.exchange, buffer, done) {
            Ok(ResponsePiece::Forward(out)) => self.outbox.push(self.exchange.worker, out),
            Ok(ResponsePiece::Partial(partial)) => self.keep_partial_head(partial),
            Ok(ResponsePiece::ForwardThen(out, after_interim)) => {
                self.outbox.push(self.exchange.worker, out);
                self.after_interim = Some(after_interim);
            }
            Err(error) => return self.fail_response(error),
        }
        if !had_head && self.response.has_head() {
            inference_errors::record_response(self.exchange.client, self.model);
        }
        if self.response.is_complete() {
            self.complete();
        }
        None
    }

    fn keep_partial_head(&mut self, buffer: Buffer) {
        self.partial_head = Some(buffer).filter(|buffer| !buffer.is_empty());
    }

    fn upstream_closed(&mut self) -> Option<RelayOutcome> {
        if self.response.is_complete_at_close() {
            if let Some(end) = self.response.end_at_close() {
                self.outbox.extend(self.exchange.worker, &end);
            }
            self.complete();
            return None;
        }
        let killed = if self.exchange.worker.is_cut() {
            Some(ProxyError::ShuttingDown)
        } else {
            self.model
                .stalls
                .kill_reason()
                .map(ProxyError::UpstreamHung)
        };
        if self.response.has_begun() {
            let closed =
                ProxyError::UpstreamClosed("closed the connection in the middle of its response");
            self.break_off(&killed.unwrap_or(closed));
            return None;
        }
        if let Some(killed) = killed {
            return Some(RelayOutcome::Failed(killed));
        }
        Some(RelayOutcome::Unanswered {
            repeatable: self.upload.is_repeatable(),
        })
    }

    fn fail_response(&mut self, error: ResponseError) -> Option<RelayOutcome> {
        let error = match error {
            ResponseError::Malformed(malformed) => ProxyError::UpstreamMalformed(malformed),
            ResponseError::Chunks => ProxyError::UpstreamClosed("sent malformed chunks"),
        };
        if self.response.has_begun() {
            self.break_off(&error);
            return None;
        }
        Some(RelayOutcome::Failed(error))
    }

    /// Ends a response that has begun: a stream with an error event, and never as if it were complete.
    fn break_off(&mut self, error: &ProxyError) {
        self.exchange.client.record.set_failure(error);
        self.upstream = None;
        self.release();
        self.ending = Some(Ending::Broken);
        if let Some(words) = self.response.error_ending(error) {
            self.outbox.extend(self.exchange.worker, &words);
        } else if self.response.is_delimited_by_close() {
            self.exchange.client.stream.reset_on_close();
        }
    }

    fn answered_outcome(&self) -> RelayOutcome {
        let after = if self.response.is_client_closing() {
            NextStep::Linger
        } else {
            NextStep::KeepOpen
        };
        RelayOutcome::Answered { after }
    }

    /// Returns the outcome of a response that broke off. A client that still sends is read on, so that the
    /// error reaches it, unless a plain close would look like the response's end.
    fn broken_outcome(&self) -> RelayOutcome {
        let after =
            if self.exchange.request.body.is_complete() || self.response.is_delimited_by_close() {
                NextStep::Drop
            } else {
                NextStep::Linger
            };
        RelayOutcome::Broken { after }
    }

    /// Ends the exchange with an error if the operator has cancelled it, or at the end of a drain.
    fn poll_phase(&mut self, cx: &mut Context<'_>) -> Poll<RelayOutcome> {
        if self.exchange.client.status.is_cancelled() {
            return self.give_up(ProxyError::Cancelled, cx);
        }
        if self.exchange.worker.phase() != ServicePhase::Cut {
            return Poll::Pending;
        }
        self.give_up(ProxyError::ShuttingDown, cx)
    }

    /// Ends the exchange with an error, in place of the response or inside it.
    fn give_up(&mut self, error: ProxyError, cx: &mut Context<'_>) -> Poll<RelayOutcome> {
        if self.ending.is_some() {
            self.exchange.client.record.set_failure(&error);
            return if self.outbox.is_empty() || self.exchange.worker.phase() == ServicePhase::Cut {
                Poll::Ready(self.broken_outcome())
            } else {
                Poll::Pending
            };
        }
        if !self.response.has_begun() {
            return Poll::Ready(RelayOutcome::Failed(error));
        }
        self.break_off(&error);
        self.poll_response(cx)
    }
}
