//! Tracks requests that have waited long for a byte of a child's answer.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use tokio::{sync::watch, time::Instant};

/// Records waiting and timed-out requests to one child. Shared by the code that sends them and the
/// instance that watches the child.
///
/// While no request waits nothing is sent and no task wakes. Clones belong to the same child.
#[derive(Clone, Debug, Default)]
pub struct StallTracker(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    counters: watch::Sender<StallCounters>,
    /// A byte has come since the last [`StallTracker::counters`].
    has_heard_byte: AtomicBool,
    kill_reason: Mutex<Option<Arc<str>>>,
}

/// The observations of a child so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct StallCounters {
    /// The number of requests that have waited long for a byte and still wait.
    pub(crate) waiting: u32,
    /// The number of readings at which a byte had come since the one before.
    pub(crate) progress: u64,
    pub(crate) timeouts: RequestTimeouts,
}

/// The requests that reached their time limit since the child's last byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum RequestTimeouts {
    #[default]
    Never,
    /// A first one, at this moment. That request may have asked for too much.
    Once(Instant),
    /// Another one, which began after the first had been given up.
    Again,
}

/// A request that has waited long. Dropped when its byte comes or the request ends.
#[derive(Debug)]
pub struct StallGuard(StallTracker);

impl StallTracker {
    /// Records that a request has waited long for a byte.
    pub fn begin_stall(&self) -> StallGuard {
        self.0
            .counters
            .send_modify(|counters| counters.waiting += 1);
        StallGuard(self.clone())
    }

    /// Records a byte from the child. Costs one load until the counters are read.
    pub fn record_byte(&self) {
        if !self.0.has_heard_byte.load(Ordering::Relaxed) {
            self.0.has_heard_byte.store(true, Ordering::Relaxed);
        }
    }

    /// Records that a request, begun at `begun`, has reached its time limit.
    pub fn record_timeout(&self, begun: Instant) {
        self.counters();
        let now = Instant::now();
        self.0
            .counters
            .send_modify(|counters| counters.timeouts = counters.timeouts.and(begun, now));
    }

    /// Returns the reason for which the last child was killed, if it hung or was broken.
    pub fn kill_reason(&self) -> Option<Arc<str>> {
        self.lock().clone()
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<StallCounters> {
        self.0.counters.subscribe()
    }

    /// Returns the counters, including bytes until this moment.
    pub(crate) fn counters(&self) -> StallCounters {
        if self.0.has_heard_byte.swap(false, Ordering::Relaxed) {
            self.0.counters.send_if_modified(|counters| {
                counters.progress += 1;
                counters.timeouts = RequestTimeouts::Never;
                false
            });
        }
        *self.0.counters.borrow()
    }

    /// Resets the counters for a new child.
    pub(crate) fn reset(&self) {
        *self.lock() = None;
        self.0.counters.send_if_modified(|counters| {
            counters.timeouts = RequestTimeouts::Never;
            false
        });
    }

    /// Records the reason for which the child is about to be killed, before its connections close.
    pub(crate) fn set_kill_reason(&self, why: &str) {
        *self.lock() = Some(why.into());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Arc<str>>> {
        self.0
            .kill_reason
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for StallGuard {
    fn drop(&mut self) {
        let counters = &self.0.0.counters;
        counters.send_modify(|counters| counters.waiting = counters.waiting.saturating_sub(1));
    }
}

impl RequestTimeouts {
    /// Adds one more request. Requests that waited at the same time count once, because one cause may hold them
    /// all up.
    fn and(self, begun: Instant, now: Instant) -> Self {
        match self {
            Self::Never => Self::Once(now),
            Self::Once(first) if begun < first => self,
            Self::Once(_) | Self::Again => Self::Again,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_request_waits_until_its_doubt_is_dropped() {
        let stalls = StallTracker::default();
        let (one, two) = (stalls.begin_stall(), stalls.begin_stall());
        assert_eq!(stalls.counters().waiting, 2);
        drop(one);
        assert_eq!(stalls.counters().waiting, 1);
        drop(two);
        assert_eq!(stalls.counters(), StallCounters::default());
    }

    #[test]
    fn requests_that_waited_together_count_once() {
        let now = Instant::now();
        let later = now + Duration::from_secs(1);
        let once = RequestTimeouts::Never.and(now, later);
        assert_eq!(once.and(now, later), RequestTimeouts::Once(later));
        assert_eq!(once.and(later, later), RequestTimeouts::Again);
    }

    #[tokio::test(start_paused = true)]
    async fn a_byte_between_takes_the_suspicion_away() {
        let stalls = StallTracker::default();
        stalls.record_timeout(Instant::now());
        tokio::time::advance(Duration::from_secs(1)).await;
        stalls.record_byte();
        stalls.record_timeout(Instant::now());
        assert!(matches!(
            stalls.counters().timeouts,
            RequestTimeouts::Once(_)
        ));
        tokio::time::advance(Duration::from_secs(1)).await;
        stalls.record_timeout(Instant::now());
        assert_eq!(stalls.counters().timeouts, RequestTimeouts::Again);
        stalls.reset();
        assert_eq!(stalls.counters().timeouts, RequestTimeouts::Never);
    }

    #[test]
    fn why_a_child_was_ended_is_known_until_the_next_one() {
        let stalls = StallTracker::default();
        stalls.set_kill_reason("it slept");
        assert_eq!(stalls.kill_reason().as_deref(), Some("it slept"));
        stalls.reset();
        assert_eq!(stalls.kill_reason(), None);
    }
}
