//! Signals the inference thread's results to waiting requests.
//!
//! The real server has one condition variable for all results. A waiting request checks for a
//! departed client only after a second without any result, and every result of any request restarts
//! that second. So on a busy server a client that leaves a request without streaming keeps its
//! slot; this fake server behaves the same.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::clock;

/// Time without any result after which a waiting request checks for a departed client.
const QUIET_TIME: Duration = Duration::from_secs(1);

/// Counts results and wakes waiting requests.
#[derive(Debug, Default)]
pub(super) struct ResultSignal {
    count: Mutex<u64>,
    changed: Condvar,
}

/// The reason a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WakeReason {
    /// A result of some request has arrived; the new count.
    Result(u64),
    /// The due time has arrived.
    Due,
    /// No result arrived for a second.
    Quiet,
}

impl ResultSignal {
    /// Returns the number of results so far.
    pub(super) fn count(&self) -> u64 {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Announces a result, or another event that every waiting request must check.
    pub(super) fn announce(&self) {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.changed.notify_all();
    }

    /// Waits for a result beyond `seen`, or until `due`.
    pub(super) fn wait(&self, seen: u64, due: Option<Instant>) -> WakeReason {
        let quiet = clock::now() + QUIET_TIME;
        let until = due.map_or(quiet, |due| due.min(quiet));
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let now = clock::now();
            if due.is_some_and(|due| now >= due) {
                return WakeReason::Due;
            }
            if *count != seen {
                return WakeReason::Result(*count);
            }
            if now >= quiet {
                return WakeReason::Quiet;
            }
            count = self
                .changed
                .wait_timeout(count, until - now)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}
