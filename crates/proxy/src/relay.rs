use super::answer::{Answer, Piece, Wrong};
use super::buffer::Buffer;
use super::client::{After, Client};
use super::end::End;
use super::inference;
use super::outbox::Outbox;
use super::pace::MinRate;
use super::request::{Request, SILENCE};
use super::upload::{Upload, Waits};
use super::upstreams::Connection;
use super::worker::Worker;
use paddock_admission::error::ProxyError;
use paddock_admission::model::{Lease, Model};
use paddock_admission::phase::ServicePhase;
use paddock_supervisor::StallGuard;
use std::future::poll_fn;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::Instant;

/// How long a request waits for a byte before the child is asked whether it lives.
const DOUBT: Duration = Duration::from_secs(10);

/// Interval of looks at a slow client while no other request waits for its place.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// One request and its answer on their way, both at once. Each direction holds at most one
/// buffer, and none while it is waiting for its next piece. Only while others wait for the place of a
/// client that reads slowly, more of its answer is read ahead.
#[derive(Debug)]
pub(super) struct Relay<'a> {
    worker: &'a Worker,
    client: &'a mut Client,
    request: &'a mut Request,
    model: &'a Model,
    /// Ends with the answer's last byte from upstream, however slowly the client reads.
    lease: &'a mut Option<Lease>,
    upstream: Option<Connection>,
    upload: Upload,
    answer: Answer,
    /// On its way to the client.
    out: Outbox,
    /// An incomplete head of the answer.
    partial: Option<Buffer>,
    /// What came behind an interim answer, to be looked at once that has passed.
    behind: Option<Buffer>,
    /// Nothing more comes, for this reason: what is in `out` is the last.
    ending: Option<Ending>,
    begun: Instant,
    /// It has waited long for the child's next byte.
    stall: Option<StallGuard>,
}

/// Why an answer that has begun comes to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Whole,
    Broken,
}

impl<'a> Relay<'a> {
    pub(super) fn new(
        worker: &'a Worker,
        client: &'a mut Client,
        request: &'a mut Request,
        model: &'a Model,
        upstream: Connection,
        lease: &'a mut Option<Lease>,
    ) -> Self {
        let answer = Answer::new(request, worker.phase() != ServicePhase::Serving);
        // The lease or the connection may have taken their time.
        client.watchdog.look();
        Self {
            begun: client.watchdog.now(),
            worker,
            client,
            request,
            model,
            lease,
            upstream: Some(upstream),
            upload: Upload::new(),
            answer,
            out: Outbox::default(),
            partial: None,
            behind: None,
            ending: None,
            stall: None,
        }
    }

    /// Runs until the answer has passed or cannot.
    pub(super) async fn run(&mut self) -> End {
        self.client.watchdog.progress();
        let end = poll_fn(|cx| self.poll(cx)).await;
        self.out.clear(self.worker);
        for buffer in [self.partial.take(), self.behind.take()]
            .into_iter()
            .flatten()
        {
            self.worker.pool.give(buffer);
        }
        end
    }

    /// Ends what the exchange has of the model: nothing more comes from it.
    fn release(&mut self) {
        if let Some(upstream) = self.upstream.take()
            && self.answer.leaves_upstream_reusable()
            && self.worker.phase() == ServicePhase::Serving
        {
            let may_close = self.answer.is_chunked();
            let now = self.client.watchdog.now();
            self.worker.upstreams.give(upstream, may_close, now);
        }
        *self.lease = None;
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        self.client.card.watch(cx);
        self.client.watchdog.look();
        if let end @ Poll::Ready(_) = self.poll_upload(cx) {
            return end;
        }
        if let end @ Poll::Ready(_) = self.poll_answer(cx) {
            return end;
        }
        if self.upload.waits(self.request) != Waits::Client
            && self.client.poll_left(self.worker, cx).is_ready()
        {
            return Poll::Ready(End::ClientGone);
        }
        if let end @ Poll::Ready(_) = self.poll_phase(cx) {
            return end;
        }
        self.poll_silence(cx)
    }

    fn poll_upload(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        let Some(upstream) = &mut self.upstream else {
            return Poll::Pending;
        };
        let passing = self.upload.poll(
            self.worker,
            self.client,
            self.request,
            &mut upstream.stream,
            cx,
        );
        match passing {
            // An answer that has begun cannot be replaced by another one.
            Poll::Ready(End::Failed(error)) if self.answer.has_begun() => {
                self.client.record.set_failure(&error);
                Poll::Ready(self.broken())
            }
            passing => passing,
        }
    }

    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        loop {
            match self.out.poll_write(self.worker, self.client, cx) {
                Poll::Ready(Err(_)) => return Poll::Ready(End::ClientGone),
                Poll::Pending if !self.may_read_ahead() => return Poll::Pending,
                Poll::Ready(Ok(())) | Poll::Pending => {}
            }
            match self.ending {
                Some(_) if !self.out.is_empty() => return Poll::Pending,
                Some(Ending::Whole) => return Poll::Ready(self.answered()),
                Some(Ending::Broken) => return Poll::Ready(self.broken()),
                None => {}
            }
            let more = match self.behind.take() {
                Some(behind) if !behind.is_empty() => Poll::Ready(self.take(behind)),
                _ => self.poll_more(cx),
            };
            match more {
                Poll::Ready(None) => {}
                Poll::Ready(Some(end)) => return Poll::Ready(end),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Returns true if the answer is to be read although the client has not taken what has come: then the
    /// child is done with it sooner, and others get its place.
    fn may_read_ahead(&self) -> bool {
        self.ending.is_none()
            && self.answer.has_begun()
            && self.model.gate.is_contended()
            && self.out.has_room(self.worker)
    }

    /// Reads one piece of the answer, and decides what it means.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<Option<End>> {
        let Some(upstream) = &mut self.upstream else {
            return Poll::Pending;
        };
        let (pool, stream) = (&self.worker.pool, &mut upstream.stream);
        let read = ready!(Buffer::poll_read(&mut self.partial, pool, stream, cx));
        if !matches!(read, Ok(1..)) {
            return Poll::Ready(self.upstream_closed());
        }
        let Some(buffer) = self.partial.take() else {
            return Poll::Ready(None);
        };
        self.upload.answered(self.worker, self.request);
        self.client.watchdog.progress();
        self.model.stalls.record_byte();
        self.stall = None;
        Poll::Ready(self.take(buffer))
    }

    fn take(&mut self, buffer: Buffer) -> Option<End> {
        let had_begun = self.answer.has_begun();
        let done = self.upload.is_complete(self.request);
        match self.answer.take(self.worker, self.client, buffer, done) {
            Ok(Piece::Out(out)) => self.out.push(self.worker, out),
            Ok(Piece::Partial(partial)) => self.keep_partial(partial),
            Ok(Piece::OutThen(out, behind)) => {
                self.out.push(self.worker, out);
                self.behind = Some(behind);
            }
            Err(wrong) => return self.wrong(wrong),
        }
        if !had_begun && self.answer.has_begun() {
            inference::note_answer(self.client, self.model);
        }
        if self.answer.is_complete() {
            self.ending = Some(Ending::Whole);
            self.release();
        }
        None
    }

    fn keep_partial(&mut self, buffer: Buffer) {
        if buffer.is_empty() {
            self.worker.pool.give(buffer);
        } else {
            self.partial = Some(buffer);
        }
    }

    fn upstream_closed(&mut self) -> Option<End> {
        if self.answer.is_complete_at_close() {
            if let Some(end) = self.answer.end_at_close() {
                self.out.extend(self.worker, &end);
            }
            self.ending = Some(Ending::Whole);
            self.release();
            return None;
        }
        let killed = if self.worker.is_cut() {
            Some(ProxyError::ShuttingDown)
        } else {
            self.model
                .stalls
                .kill_reason()
                .map(ProxyError::UpstreamHung)
        };
        if self.answer.has_begun() {
            let closed = ProxyError::UpstreamClosed("in the middle of the answer");
            self.break_off(&killed.unwrap_or(closed));
            return None;
        }
        if let Some(killed) = killed {
            return Some(End::Failed(killed));
        }
        Some(End::Unanswered {
            repeatable: self.upload.is_repeatable(),
        })
    }

    fn wrong(&mut self, wrong: Wrong) -> Option<End> {
        let error = match wrong {
            Wrong::Malformed(malformed) => ProxyError::UpstreamMalformed(malformed),
            Wrong::Chunks => ProxyError::UpstreamClosed("by malformed chunks"),
        };
        if self.answer.has_begun() {
            self.break_off(&error);
            return None;
        }
        Some(End::Failed(error))
    }

    /// Ends an answer that has begun: with an event where it is a stream, and never as if it
    /// were whole.
    fn break_off(&mut self, error: &ProxyError) {
        self.client.record.set_failure(error);
        self.upstream = None;
        self.release();
        self.ending = Some(Ending::Broken);
        if let Some(words) = self.answer.last_words(error) {
            self.out.extend(self.worker, &words);
        } else if self.answer.ends_with_connection() {
            self.client.stream.reset_on_close();
        }
    }

    fn answered(&self) -> End {
        let after = if self.answer.closes_client() {
            After::Linger
        } else {
            After::Next
        };
        End::Answered { after }
    }

    /// The end of an answer that broke off. A client that still sends is read on, so that what it was told reaches
    /// it; but a close must not pass for the answer's end.
    fn broken(&self) -> End {
        let after = if self.request.body.is_complete() || self.answer.ends_with_connection() {
            After::Drop
        } else {
            After::Linger
        };
        End::Broken { after }
    }

    /// At the end of a drain what is still in flight is told so and ended.
    fn poll_phase(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        if self.client.card.is_cancelled() {
            return self.give_up(ProxyError::Cancelled, cx);
        }
        if self.worker.phase() != ServicePhase::Cut {
            return Poll::Pending;
        }
        self.give_up(ProxyError::ShuttingDown, cx)
    }

    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        let limits = self.model.limits;
        let waits_for_client =
            self.out.is_empty() && self.upload.waits(self.request) == Waits::Client;
        if let end @ Poll::Ready(_) = self.poll_pace(waits_for_client, cx) {
            return end;
        }
        let limit = if waits_for_client {
            SILENCE
        } else if !self.out.is_empty() || self.answer.has_begun() {
            limits.stream_idle
        } else {
            limits.first_byte
        };
        let waits_for_child = self.out.is_empty() && !waits_for_client;
        if waits_for_child
            && self.stall.is_none()
            && DOUBT < limit
            && self.client.watchdog.poll_silent(DOUBT, cx).is_ready()
        {
            self.stall = Some(self.model.stalls.begin_stall());
        }
        let shorter = waits_for_child && self.stall.is_none() && DOUBT < limit;
        if shorter || self.client.watchdog.poll_silent(limit, cx).is_pending() {
            return Poll::Pending;
        }
        if waits_for_child {
            self.model.stalls.record_timeout(self.begun);
        }
        if !self.out.is_empty() {
            return Poll::Ready(End::ClientGone);
        }
        self.client.watchdog.progress();
        let error = if waits_for_client {
            ProxyError::RequestTimeout(limit)
        } else {
            ProxyError::UpstreamTimeout(limit)
        };
        self.give_up(error, cx)
    }

    /// Ends the exchange of a client that sends or reads slowly, once others wait for its place. Otherwise
    /// the task wakes in time to look again.
    fn poll_pace(&mut self, waits_for_client: bool, cx: &mut Context<'_>) -> Poll<End> {
        let rate = MinRate::WITH_LEASE;
        let deadline = if waits_for_client {
            self.upload.deadline(rate)
        } else {
            self.out.deadline(rate)
        };
        let (Some(deadline), Some(_)) = (deadline, &*self.lease) else {
            return Poll::Pending;
        };
        let now = self.client.watchdog.now();
        let contended = self.model.gate.is_contended();
        if contended && now >= deadline {
            let rate = rate.bytes_per_second();
            let error = if waits_for_client {
                ProxyError::too_slow_sender(rate, true)
            } else {
                ProxyError::too_slow_reader(rate)
            };
            return self.give_up(error, cx);
        }
        // A client that reads slowly is to be read ahead for as soon as others wait.
        let again = if contended {
            deadline
        } else {
            now + LOOK_AGAIN
        };
        let wait = again.saturating_duration_since(self.client.watchdog.last());
        if self.client.watchdog.poll_silent(wait, cx).is_ready() {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    /// Ends the exchange for this reason: by an error in the answer's place, or inside it.
    fn give_up(&mut self, error: ProxyError, cx: &mut Context<'_>) -> Poll<End> {
        if self.ending.is_some() {
            self.client.record.set_failure(&error);
            return if self.out.is_empty() || self.worker.phase() == ServicePhase::Cut {
                Poll::Ready(self.broken())
            } else {
                Poll::Pending
            };
        }
        if !self.answer.has_begun() {
            return Poll::Ready(End::Failed(error));
        }
        self.break_off(&error);
        self.poll_answer(cx)
    }
}
