//! Defines the reasons of the scheduler's decisions, which the runtime's journal keeps for `paddock explain`.

use crate::{Memory, ModelId, RequestId};
use std::time::Duration;

/// The reason of a decision, with the facts it was made from.
#[derive(Debug, Clone, PartialEq)]
pub enum Note {
    /// A request, the operator or the configuration wants the model, so its files are inspected.
    Wanted {
        /// The party that wants it.
        by: WantedBy,
    },
    /// The model waits because there is no room for it yet.
    WaitsForRoom {
        /// The memory it needs.
        needs: Memory,
        /// The memory that is free.
        free: Memory,
        /// The models in memory that are in use, or were loaded a moment ago.
        kept: Vec<ModelId>,
        /// The models in memory that are pinned.
        pinned: Vec<ModelId>,
    },
    /// The engine tries the model's files, which it has never loaded, before other models leave memory for it.
    Tries,
    /// Other models leave memory for this one.
    MakesRoom {
        /// The memory it needs.
        needs: Memory,
        /// The models that leave.
        victims: Vec<ModelId>,
    },
    /// The model is started.
    Starts {
        /// The memory it is expected to hold.
        needs: Memory,
        /// The memory that was free before.
        free: Memory,
    },
    /// The model is ready.
    Ready {
        /// The duration of the load.
        took: Duration,
    },
    /// The idle model is evicted for another one.
    Evicted {
        /// The other model.
        by: ModelId,
        /// The time since its last use.
        idle: Duration,
        /// The value by which victims are chosen: recent uses times the seconds that a reload takes.
        worth: f64,
        /// The memory it frees.
        frees: Memory,
    },
    /// The busy model accepts no new requests and leaves memory for another model that has waited long enough.
    DrainsFor {
        /// The model that gets the memory.
        to: ModelId,
        /// The time that model has waited.
        waited: Duration,
        /// The number of requests that may finish.
        in_flight: u32,
    },
    /// The drain is cancelled, because the other model no longer needs the memory.
    DrainCancelled,
    /// The model is unloaded because it was unused for its keep-alive.
    KeepAliveExpired {
        /// The time since its last use.
        idle: Duration,
    },
    /// The model is unloaded by the operator.
    Unloaded,
    /// The model is pinned: neither evicted nor unloaded for being idle from now on.
    Pinned {
        /// The party that pinned it.
        by: PinnedBy,
    },
    /// The model is no longer pinned.
    Unpinned {
        /// The party that unpinned it.
        by: PinnedBy,
    },
    /// The model is unloaded because its configuration changed, or was removed.
    Reconfigured,
    /// The model failed to allocate its memory; another model is evicted, and it is tried once more.
    OutOfMemory {
        /// The memory that was expected to be free.
        free: Memory,
    },
    /// The idle model is evicted because models were measured to hold more than the budget.
    OverBudget {
        /// The time since its last use.
        idle: Duration,
        /// The memory above the budget.
        over: Memory,
    },
    /// The model failed to load, or to keep running.
    Failed {
        /// The time until it may be tried again.
        retry: Option<Duration>,
    },
    /// The model needs more memory than it can ever get here.
    DoesNotFit {
        /// The memory it needs.
        needs: Memory,
        /// The budget without the memory of pinned models.
        available: Memory,
        /// The pinned models without which it would fit; empty if it would not fit anyway.
        pinned: Vec<ModelId>,
    },
    /// The model is no longer wanted, and its load had not begun.
    Abandoned,
}

/// The party that wants a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WantedBy {
    /// A request.
    Request(RequestId),
    /// The operator or the configuration.
    Operator,
    /// Requests that were still queued when the model was unloaded.
    Queue,
}

/// The party that decides whether a model is pinned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinnedBy {
    /// The operator.
    Operator,
    /// A change of the model's configuration.
    Configuration,
}
