//! Counts server errors of a child's inference routes, and decides whether the child is broken.
//!
//! A child whose device is lost still answers `/health`, and every completion with a server error. Server
//! errors alone prove nothing, since a request can cause them too. After some of them in a row, the child is
//! therefore sent requests of paddock's own (`inference/check.rs` decides, `inference/watch.rs` sends), and it
//! is replaced only if these fail as well.

mod check;
mod watch;

pub(crate) use watch::{InferenceHealth, InferenceWatch};

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::sync::watch as channel;

/// Limits after which a child whose inference routes answer with server errors counts as broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InferencePolicy {
    /// Server errors in a row before the child is probed.
    pub errors: u32,
    /// Rounds of probes in a row that must fail before the child counts as broken.
    pub rounds: u32,
    /// Time between two rounds.
    pub pause: Duration,
    /// Time after a round that did not fail, during which server errors have no consequence: requests that fail
    /// in every child cost at most one probe per `quiet`.
    pub quiet: Duration,
    /// Time that one probe waits for its answer. A probe without an answer proves nothing: a busy child queues
    /// it.
    pub limit: Duration,
    /// The requests of a round, as they are sent. A round fails if the first is answered with a server error
    /// and no other one succeeds. An empty list disables probing.
    pub probes: Vec<Vec<u8>>,
}

impl Default for InferencePolicy {
    fn default() -> Self {
        Self {
            errors: 3,
            rounds: 2,
            pause: Duration::from_secs(1),
            quiet: Duration::from_secs(10),
            limit: Duration::from_secs(10),
            probes: Vec::new(),
        }
    }
}

/// Connects the senders of requests to a child with the instance that watches it. Clones belong to the same
/// child.
#[derive(Clone, Debug, Default)]
pub struct InferenceErrors(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// Server errors in a row.
    in_a_row: AtomicU32,
    /// The child has answered an inference request.
    has_answered: AtomicBool,
    /// Changes with each server error that follows another one.
    repeated: channel::Sender<()>,
}

impl InferenceErrors {
    /// Records that the child has answered an inference request. Usually costs two loads.
    pub fn answered(&self) {
        if self.0.in_a_row.load(Ordering::Relaxed) != 0 {
            self.0.in_a_row.store(0, Ordering::Relaxed);
        }
        if !self.0.has_answered.load(Ordering::Relaxed) {
            self.0.has_answered.store(true, Ordering::Relaxed);
        }
    }

    /// Records that the child has answered an inference request with a server error.
    pub fn failed(&self) {
        if self.0.in_a_row.fetch_add(1, Ordering::Relaxed) > 0 {
            self.0.repeated.send_replace(());
        }
    }

    /// Returns true if the child has answered an inference request since it became ready.
    pub(crate) fn has_answered(&self) -> bool {
        self.0.has_answered.load(Ordering::Relaxed)
    }

    /// Returns the number of server errors since the child last answered an inference request.
    pub fn in_a_row(&self) -> u32 {
        self.0.in_a_row.load(Ordering::Relaxed)
    }

    /// Resets the counts for a new child.
    pub(crate) fn reset(&self) {
        self.0.in_a_row.store(0, Ordering::Relaxed);
        self.0.has_answered.store(false, Ordering::Relaxed);
    }

    pub(crate) fn subscribe(&self) -> channel::Receiver<()> {
        self.0.repeated.subscribe()
    }
}
