//! Defines the scheduler's settings: limits for all models, and the settings of one model.

use std::time::Duration;

/// The limits for all models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// The maximum number of queued requests for one model.
    pub queue_limit: usize,
    /// The longest time a request stays queued.
    pub queue_timeout: Duration,
    /// The time a model waits for memory that busy models use, before they are drained.
    pub max_wait: Duration,
    /// The time after a model became ready during which it is not evicted for another model.
    pub min_residency: Duration,
}

/// The part of a model's configuration that the scheduler needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelSpec {
    /// The maximum number of leases in flight. A lease is the permission to send one request to the loaded model.
    pub cap: u32,
    /// The status of the instance from which on requests are admitted.
    pub admit: Admission,
    /// The time an unused model stays in memory; `None` to keep it until others need its memory.
    pub keep_alive: Option<Duration>,
    /// True if the model is neither evicted nor unloaded for being idle, unless the operator unpins it.
    pub pinned: bool,
    /// True if the model is wanted without a request: loaded at start, and again after a failure.
    pub keep_loaded: bool,
}

/// The status of an instance (the supervised llama-server process) from which on requests are admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Requests are admitted when the instance is ready, and wait until then.
    WhenReady,
    /// Requests are admitted as soon as the child answers, even if only to say that it is loading.
    WhenListening,
}
