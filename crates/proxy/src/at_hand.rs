//! The requests that have begun and not ended, for those who ask.

use paddock_telemetry::Route;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// A request that has begun and not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AtHand {
    /// Its `x-request-id`, cut at [`paddock_telemetry::MAX_REQUEST_ID_BYTES`] bytes.
    pub id: String,
    /// The model it is for, once that is known.
    pub model: Option<Arc<str>>,
    /// What the key is called that it shows.
    pub key: Option<Arc<str>>,
    /// Route of the request.
    pub route: Route,
    /// When its first byte came.
    pub since: Instant,
    /// Stage of the exchange.
    pub stage: Stage,
    /// The time that it has waited inside the child for a slot, by estimate.
    pub engine_wait: Duration,
}

/// How far a request has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Stage {
    /// It waits for its turn, or for its model to be loaded.
    Queued,
    /// Nothing of its answer has come yet.
    #[default]
    Waiting,
    /// The child has more requests than slots, and by estimate this one has none yet.
    WaitingInEngine,
    /// Its answer passes.
    Streaming,
}

impl Stage {
    /// Its name in lists.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Waiting => "waiting",
            Self::WaitingInEngine => "waiting_in_engine",
            Self::Streaming => "streaming",
        }
    }
}

/// Some of the requests at hand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllAtHand {
    /// The oldest, the oldest first.
    pub oldest: Vec<AtHand>,
    /// How many there are in all.
    pub total: usize,
}

impl AllAtHand {
    /// Adds another worker's, and keeps so many.
    pub(super) fn merge(&mut self, other: Self, most: usize) {
        self.oldest.extend(other.oldest);
        self.total += other.total;
        self.oldest.sort_by_key(|request| request.since);
        self.oldest.truncate(most);
    }
}
