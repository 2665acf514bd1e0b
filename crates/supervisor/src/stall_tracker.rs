//! What those who send requests to a child see of its silence.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use tokio::{sync::watch, time::Instant};

/// Connects those who send requests to a child with the instance that watches it.
///
/// While no request waits nothing is told, and nobody wakes up. Clones belong to the same child.
#[derive(Clone, Debug, Default)]
pub struct StallTracker(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    counters: watch::Sender<StallCounters>,
    /// A byte has come since [`Doubts::look`].
    has_heard_byte: AtomicBool,
    kill_reason: Mutex<Option<Arc<str>>>,
}

/// What has been seen of a child so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct StallCounters {
    /// Requests that wait for a byte now, and have waited long.
    pub(crate) waiting: u32,
    /// Counts the looks at which a byte had come.
    pub(crate) progress: u64,
    pub(crate) timeouts: RequestTimeouts,
}

/// Requests that were given up after the longest time they may wait, since the child's last byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum RequestTimeouts {
    #[default]
    Never,
    /// At this moment. What the request asked for may have been too much.
    Once(Instant),
    /// One more, which was begun when the first had been given up already.
    Again,
}

/// One request that has waited long. Dropped when its byte comes or it ends.
#[derive(Debug)]
pub struct StallGuard(StallTracker);

impl StallTracker {
    /// A request has waited long for a byte.
    pub fn begin_stall(&self) -> StallGuard {
        self.0
            .counters
            .send_modify(|counters| counters.waiting += 1);
        StallGuard(self.clone())
    }

    /// A byte has come from the child. Costs a load while nobody looks.
    pub fn record_byte(&self) {
        if !self.0.has_heard_byte.load(Ordering::Relaxed) {
            self.0.has_heard_byte.store(true, Ordering::Relaxed);
        }
    }

    /// A request that was begun at `begun` is given up: the child has let its time limit pass.
    pub fn record_timeout(&self, begun: Instant) {
        self.counters();
        let now = Instant::now();
        self.0
            .counters
            .send_modify(|counters| counters.timeouts = counters.timeouts.and(begun, now));
    }

    /// Returns why the last child was ended, where that was for its silence.
    pub fn kill_reason(&self) -> Option<Arc<str>> {
        self.lock().clone()
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<StallCounters> {
        self.0.counters.subscribe()
    }

    /// Returns what has been seen, the bytes of this moment included.
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

    /// Begins with a new child.
    pub(crate) fn reset(&self) {
        *self.lock() = None;
        self.0.counters.send_if_modified(|counters| {
            counters.timeouts = RequestTimeouts::Never;
            false
        });
    }

    /// Says why the child is about to be ended, before its connections close.
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
    /// Adds one more request. Those that waited together count once: one cause may hold them all up.
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
