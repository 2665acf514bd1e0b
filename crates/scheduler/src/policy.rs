use std::time::Duration;

/// The rules for all models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// The most requests that wait for one model.
    pub queue_limit: usize,
    /// The longest a request waits.
    pub queue_timeout: Duration,
    /// How long a model waits for memory that others use, before they must yield.
    pub max_wait: Duration,
    /// How long a model stays once it is ready, whoever waits.
    pub min_residency: Duration,
}

/// What the scheduler needs to know of a model's configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelSpec {
    /// The most leases at once.
    pub cap: u32,
    /// From when on requests pass.
    pub admit: Admission,
    /// How long it stays when nobody uses it; without a time, until others need its memory.
    pub keep_alive: Option<Duration>,
    /// It never goes for another model, nor for being idle, unless the operator says otherwise.
    pub pinned: bool,
    /// It is wanted though nobody asks: loaded at start, and again when it may be after a failure.
    pub keep_loaded: bool,
}

/// From when on requests pass to an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// When it is ready. Until then they wait.
    WhenReady,
    /// As soon as its child answers for itself, if only to say that it is loading.
    WhenListening,
}
