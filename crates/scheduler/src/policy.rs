//! Limits for all models, and the configuration of one model.

use std::time::Duration;

/// The limits for all models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// The maximum number of queued requests for one model.
    pub queue_limit: usize,
    /// The longest time a request waits.
    pub queue_timeout: Duration,
    /// The time a model waits for memory that busy models use, before they are drained.
    pub max_wait: Duration,
    /// The time a model stays in memory after it became ready, whichever model waits.
    pub min_residency: Duration,
}

/// The part of a model's configuration that the scheduler needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelSpec {
    /// The maximum number of leases in flight.
    pub cap: u32,
    /// The status from which on requests pass.
    pub admit: Admission,
    /// The time an unused model stays in memory; `None` to keep it until others need its memory.
    pub keep_alive: Option<Duration>,
    /// True if the model is neither evicted nor unloaded for being idle, unless the operator unpins it.
    pub pinned: bool,
    /// True if the model is wanted without a request: loaded at start, and again after a failure.
    pub keep_loaded: bool,
}

/// The status of an instance from which on requests pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Requests pass when the instance is ready, and wait until then.
    WhenReady,
    /// Requests pass as soon as the child answers, even if only to say that it is loading.
    WhenListening,
}
