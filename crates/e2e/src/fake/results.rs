//! The inference thread's results, as those who wait for one notice them.
//!
//! The real server has one condition variable for all results. A request that waits for its own
//! looks whether its client has left only when nothing at all has come for a second: every result
//! of anybody else starts the second anew. So on a busy server a client that left without a stream
//! keeps its slot, and so it is here.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::clock;

const QUIET: Duration = Duration::from_secs(1);

/// Counts results and wakes who waits for them.
#[derive(Debug, Default)]
pub(super) struct Results {
    count: Mutex<u64>,
    changed: Condvar,
}

/// What ended a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wake {
    /// Somebody's result has come; the new count.
    Result(u64),
    /// The time one waited for is here.
    Due,
    /// For a second there was no result.
    Quiet,
}

impl Results {
    /// How many there have been.
    pub(super) fn count(&self) -> u64 {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A result has come, or something else that everybody has to look at.
    pub(super) fn announce(&self) {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.changed.notify_all();
    }

    /// Waits for a result beyond `seen`, or until `due`.
    pub(super) fn wait(&self, seen: u64, due: Option<Instant>) -> Wake {
        let quiet = clock::now() + QUIET;
        let until = due.map_or(quiet, |due| due.min(quiet));
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let now = clock::now();
            if due.is_some_and(|due| now >= due) {
                return Wake::Due;
            }
            if *count != seen {
                return Wake::Result(*count);
            }
            if now >= quiet {
                return Wake::Quiet;
            }
            count = self
                .changed
                .wait_timeout(count, until - now)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}
