//! Enforces the time limits of a relay: silence of client or child, and clients that are slow while other
//! requests wait for the slot.

use super::Relay;
use crate::min_rate::MinRate;
use crate::relay_outcome::RelayOutcome;
use crate::request::SILENCE_TIMEOUT;
use crate::upload::UploadWait;
use paddock_admission::error::ProxyError;
use std::task::{Context, Poll};
use std::time::Duration;

/// Silence of a child after which the supervisor is asked to check that it is alive.
const STALL_AFTER: Duration = Duration::from_secs(10);

/// Interval of checks on a slow client while no other request waits for its slot.
const SLOW_READER_CHECK_INTERVAL: Duration = Duration::from_secs(2);

impl Relay<'_, '_> {
    /// Ends the exchange if the side that it waits for is silent for too long or too slow.
    pub(super) fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<RelayOutcome> {
        let limits = self.model.limits;
        let waits_for_client = self.outbox.is_empty()
            && self.upload.waiting_for(self.exchange.request) == UploadWait::Client;
        if let end @ Poll::Ready(_) = self.poll_pace(waits_for_client, cx) {
            return end;
        }
        let limit = if waits_for_client {
            SILENCE_TIMEOUT
        } else if !self.outbox.is_empty() || self.response.has_begun() {
            limits.stream_idle
        } else {
            limits.first_byte
        };
        let waits_for_child = self.outbox.is_empty() && !waits_for_client;
        if waits_for_child
            && self.stall.is_none()
            && STALL_AFTER < limit
            && self
                .exchange
                .client
                .timer
                .poll_silent(STALL_AFTER, cx)
                .is_ready()
        {
            self.stall = Some(self.model.stalls.begin_stall());
        }
        let shorter = waits_for_child && self.stall.is_none() && STALL_AFTER < limit;
        if shorter
            || self
                .exchange
                .client
                .timer
                .poll_silent(limit, cx)
                .is_pending()
        {
            return Poll::Pending;
        }
        if waits_for_child && let Some(begun) = self.begun {
            self.model.stalls.record_timeout(begun);
        }
        if !self.outbox.is_empty() {
            return Poll::Ready(RelayOutcome::ClientGone);
        }
        self.exchange.client.timer.record_progress();
        let error = if waits_for_client {
            ProxyError::RequestTimeout(limit)
        } else {
            ProxyError::UpstreamTimeout(limit)
        };
        self.give_up(error, cx)
    }

    /// Ends the exchange of a client that sends or reads slowly, once others wait for its slot. Otherwise
    /// wakes the task for the next check.
    fn poll_pace(&mut self, waits_for_client: bool, cx: &mut Context<'_>) -> Poll<RelayOutcome> {
        let rate = MinRate::WITH_LEASE;
        let deadline = if waits_for_client {
            self.upload.deadline(rate)
        } else {
            self.outbox.deadline(rate)
        };
        let (Some(deadline), Some(_)) = (deadline, &self.exchange.lease) else {
            return Poll::Pending;
        };
        let now = self.exchange.client.timer.now();
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
        // Wakes early: a client that reads slowly is read ahead for as soon as others wait.
        let again = if contended {
            deadline
        } else {
            now + SLOW_READER_CHECK_INTERVAL
        };
        let wait = again.saturating_duration_since(self.exchange.client.timer.last_progress());
        if self.exchange.client.timer.poll_silent(wait, cx).is_ready() {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}
