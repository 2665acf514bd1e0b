//! Defines the state of an instance, which the instance publishes to its observers.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use crate::{Address, ChildProcesses, Failure};

/// An address on which a child listens, and the processes that may answer there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// The address.
    pub address: Address,
    /// The processes that may answer on a unix socket.
    pub processes: ChildProcesses,
}

/// The state of an instance.
///
/// A state is published after the fact: a reader that sends a request because of it races with the child's
/// death, and must expect a refused connection.
#[derive(Clone, Debug)]
pub enum State {
    /// Not routable; may hold memory, and more each moment; ends with readiness, exit, silence or a stop.
    Starting {
        /// The child's process id; 0 until it is forked.
        pid: u32,
        /// The number of this child among the instance's children, counted from 1.
        generation: u64,
        /// The start of this child.
        since: Instant,
        /// The share that is loaded, 0 to 1, if the child reports it.
        progress: Option<f32>,
        /// The address, as soon as a process answers there. llama-server answers 503 while it loads.
        listening: Option<Listener>,
    },
    /// Routable; holds memory; ends with an exit or a stop.
    Ready {
        /// The child's process id.
        pid: u32,
        /// The number of this child among the instance's children, counted from 1.
        generation: u64,
        /// The moment at which the child became ready.
        since: Instant,
        /// The address on which it listens.
        listener: Listener,
        /// The reason to think that the child hangs or that its inference is broken, if any. It still receives
        /// requests.
        hang_evidence: Option<Arc<str>>,
    },
    /// Not routable; holds memory until the process is reaped; ends with the exit.
    Stopping {
        /// The child's process id.
        pid: u32,
    },
    /// Not routable; holds no memory; ends at `until`, or with a stop.
    Backoff {
        /// The failure of the last child.
        failure: Arc<Failure>,
        /// The used part of the restart budget, this restart included; 0 for a restart that costs nothing
        /// because the child had run stably.
        attempt: u32,
        /// The restarts of the budget that are left after this one.
        left: u32,
        /// The start of the next child.
        until: Instant,
    },
    /// Not routable; holds no memory; ends at `retry_at` with one more try, or with a stop.
    Failed {
        /// The failure of the last child.
        failure: Arc<Failure>,
        /// The moment of the next try; `None` if only a change from outside can help.
        retry_at: Option<Instant>,
    },
    /// Not routable; holds no memory; final.
    Stopped,
}

impl State {
    /// Returns the name of the state in lower case, for logs and status pages.
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

    /// Returns the child's process id, if there is a child.
    pub const fn pid(&self) -> Option<u32> {
        match self {
            Self::Starting { pid, .. } | Self::Ready { pid, .. } | Self::Stopping { pid } => {
                if *pid == 0 { None } else { Some(*pid) }
            }
            Self::Backoff { .. } | Self::Failed { .. } | Self::Stopped => None,
        }
    }

    /// Returns the last failure, if the state is a consequence of one.
    pub const fn failure(&self) -> Option<&Arc<Failure>> {
        match self {
            Self::Backoff { failure, .. } | Self::Failed { failure, .. } => Some(failure),
            Self::Starting { .. } | Self::Ready { .. } | Self::Stopping { .. } | Self::Stopped => {
                None
            }
        }
    }

    /// Returns the time after `now` at which a retry may succeed; `None` if it is not known.
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
