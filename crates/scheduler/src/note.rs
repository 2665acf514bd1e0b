use crate::{Memory, ModelId, RequestId};
use std::time::Duration;

/// Why something was done, with what the decision was made of.
#[derive(Debug, Clone, PartialEq)]
pub enum Note {
    /// The model is wanted, and its files are looked at.
    Wanted {
        /// By whom.
        by: Wanted,
    },
    /// It is wanted, and there is no room for it yet.
    WaitsForRoom {
        /// What it needs.
        needs: Memory,
        /// What is free.
        free: Memory,
        /// The models that hold memory and are in use, or were loaded a moment ago.
        kept: Vec<ModelId>,
        /// The models that hold memory and are pinned.
        pinned: Vec<ModelId>,
    },
    /// Room would have to be made for it, and its files have never been loaded: the engine tries them first.
    Tries,
    /// Room is being made for it.
    MakesRoom {
        /// What it needs.
        needs: Memory,
        /// The models that go.
        victims: Vec<ModelId>,
    },
    /// It is started.
    Starts {
        /// What it is expected to hold.
        needs: Memory,
        /// What was free before.
        free: Memory,
    },
    /// It is ready.
    Ready {
        /// How long the load took.
        took: Duration,
    },
    /// It goes, idle, for another model.
    Evicted {
        /// The other model.
        by: ModelId,
        /// How long it had been idle.
        idle: Duration,
        /// What the choice was made by: lately used so often, times the seconds a reload costs.
        worth: f64,
        /// What it frees.
        frees: Memory,
    },
    /// It lets nothing new in, and goes for another model that has waited long enough.
    Yields {
        /// The other model.
        to: ModelId,
        /// How long that one has waited.
        waited: Duration,
        /// Requests that may finish.
        in_flight: u32,
    },
    /// Nobody waits for the other model any more: it stays.
    Stays,
    /// It goes because nobody has used it.
    KeepAliveOver {
        /// For how long.
        idle: Duration,
    },
    /// It goes because the operator said so.
    Unloaded,
    /// It never goes any more for another model, nor for being idle.
    Pinned {
        /// Who said so.
        by: PinnedBy,
    },
    /// It may go again.
    Unpinned {
        /// Who said so.
        by: PinnedBy,
    },
    /// It goes because its configuration changed, or is gone.
    Reconfigured,
    /// It did not get its memory; another model goes and it is tried once more.
    OutOfMemory {
        /// What was thought to be free.
        free: Memory,
    },
    /// It goes, idle, because models were seen to hold more than they may.
    OverBudget {
        /// How long it had been idle.
        idle: Duration,
        /// How much too much.
        over: Memory,
    },
    /// It was not loaded, or not kept.
    Failed {
        /// When it may be tried again, from now on.
        retry: Option<Duration>,
    },
    /// It needs more than there could be.
    DoesNotFit {
        /// What it needs.
        needs: Memory,
        /// What there is, less what is pinned.
        available: Memory,
        /// The pinned models without which it would fit; none where it would not.
        pinned: Vec<ModelId>,
    },
    /// Nobody waits for it any more, and its load had not begun.
    Abandoned,
}

/// Who wants a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// A request.
    Request(RequestId),
    /// The operator, or the configuration.
    Operator,
    /// Requests that were left when the model had to go.
    Queue,
}

/// Who says whether a model is pinned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinnedBy {
    /// The operator.
    Operator,
    /// A change of the model's configuration.
    Configuration,
}
