//! What an instance is doing, as everybody else may know it.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use crate::{Address, ChildProcesses, Failure};

/// An address that a child listens on, and whose processes may answer there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Where it listens.
    pub address: Address,
    /// The processes that may answer on a unix socket.
    pub processes: ChildProcesses,
}

/// The state of an instance.
///
/// It is published after the fact: a reader that decides by it whether to send a request races with the
/// child's death, and must be ready for a refused connection.
#[derive(Clone, Debug)]
pub enum State {
    /// Not routable; may hold memory, and more each moment; ends by readiness, exit, silence or a stop.
    Starting {
        /// The child's process id; 0 until it is forked.
        pid: u32,
        /// Counts the children in this instance's place, from 1.
        generation: u64,
        /// When this generation was begun.
        since: Instant,
        /// How much is loaded, 0 to 1, where the child says so.
        progress: Option<f32>,
        /// The address, as soon as something answers there. llama-server answers 503 while it loads.
        listening: Option<Listener>,
    },
    /// Routable; holds memory; ends by exit or a stop.
    Ready {
        /// The child's process id.
        pid: u32,
        /// Counts the children in this instance's place, from 1.
        generation: u64,
        /// When the child became ready.
        since: Instant,
        /// Where it listens.
        listener: Listener,
        /// What speaks against it, where it may hang or its inference may be broken. It is still served.
        hang_evidence: Option<Arc<str>>,
    },
    /// Not routable; holds memory until the process is reaped; ends by exit.
    Stopping {
        /// The child's process id.
        pid: u32,
    },
    /// Not routable; holds no memory; ends at `until`, or by a stop.
    Backoff {
        /// Why the last child failed.
        failure: Arc<Failure>,
        /// How much of the restart budget is used, this restart included; 0 for a restart that costs
        /// nothing because the child had run stably.
        attempt: u32,
        /// How many restarts of the budget are left after this one.
        left: u32,
        /// When the next child is started.
        until: Instant,
    },
    /// Not routable; holds no memory; ends at `retry_at` by one more try, or by a stop.
    Failed {
        /// Why the last child failed.
        failure: Arc<Failure>,
        /// When one more child is tried; `None` where nothing but a change of the outside can help.
        retry_at: Option<Instant>,
    },
    /// Not routable; holds no memory; final.
    Stopped,
}

impl State {
    /// Names the state in lower case, for logs and status pages.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Starting { .. } => "starting",
            Self::Ready { .. } => "ready",
            Self::Stopping { .. } => "stopping",
            Self::Backoff { .. } => "backoff",
            Self::Failed { .. } => "failed",
            Self::Stopped => "stopped",
        }
    }

    /// Returns the child's process id, where there is a child.
    pub const fn pid(&self) -> Option<u32> {
        match self {
            Self::Starting { pid, .. } | Self::Ready { pid, .. } | Self::Stopping { pid } => {
                if *pid == 0 { None } else { Some(*pid) }
            }
            Self::Backoff { .. } | Self::Failed { .. } | Self::Stopped => None,
        }
    }

    /// Tells whether a process of this instance may occupy memory.
    pub const fn may_hold_memory(&self) -> bool {
        matches!(
            self,
            Self::Starting { .. } | Self::Ready { .. } | Self::Stopping { .. }
        )
    }

    /// Returns the last failure, where the state is a consequence of one.
    pub const fn failure(&self) -> Option<&Arc<Failure>> {
        match self {
            Self::Backoff { failure, .. } | Self::Failed { failure, .. } => Some(failure),
            Self::Starting { .. } | Self::Ready { .. } | Self::Stopping { .. } | Self::Stopped => {
                None
            }
        }
    }

    /// Predicts how long after `now` a request may be worth retrying; `None` where no time is known.
    pub fn retry_after(&self, now: Instant) -> Option<Duration> {
        match self {
            Self::Backoff { until, .. } => Some(until.saturating_duration_since(now)),
            Self::Failed { retry_at, .. } => retry_at.map(|at| at.saturating_duration_since(now)),
            Self::Starting { .. } | Self::Ready { .. } | Self::Stopping { .. } | Self::Stopped => {
                None
            }
        }
    }
}
