//! Defines the inputs ([`Event`]) and outputs ([`Action`]) of the scheduler.

use crate::{Generation, Memory, ModelSpec, Note, Policy};
use std::time::{Duration, Instant};

/// A configured model. The number is its position in the order in which models were added, and is never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModelId(pub usize);

/// A request that could not be granted at once, numbered by the runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub u64);

/// The client that sent a request. Requests of one client wait behind each other, not in front of other
/// clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId(pub u64);

/// The expected cost of loading a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Demand {
    /// The memory the model needs.
    pub memory: Memory,
    /// The time a load takes.
    pub load: Duration,
    /// True if the engine has loaded these files before, or began to in a trial. Files that are not proven are
    /// tried before other models are evicted for them.
    pub is_proven: bool,
}

/// An input of the scheduler.
#[derive(Debug, Clone, Copy)]
pub enum Event {
    /// A request was not admitted by its model's [`Gate`](crate::Gate), which was shut or full.
    Request {
        /// The request.
        id: RequestId,
        /// The model the request is for.
        model: ModelId,
        /// The client that sent the request.
        client: ClientId,
        /// True if the request occupies one of llama-server's slots. Other requests need not wait for a slot.
        takes_slot: bool,
    },
    /// The client of a queued request left.
    Cancel {
        /// The request.
        id: RequestId,
    },
    /// The answer to [`Action::Inspect`] or [`Action::Try`], or the result of an inspection that the runtime made
    /// unasked: a cold model that cannot be loaded becomes failed.
    Inspected {
        /// The model.
        model: ModelId,
        /// The expected cost of a load; `None` if the model cannot be loaded as things are.
        demand: Option<Demand>,
    },
    /// A model's instance changed.
    Instance {
        /// The model.
        model: ModelId,
        /// The new status of the instance.
        status: InstanceStatus,
    },
    /// The runtime measured a loaded model's memory.
    Measured {
        /// The model.
        model: ModelId,
        /// The measured memory.
        memory: Memory,
    },
    /// A lease ended, and its gate asked for a notification.
    Released {
        /// The model.
        model: ModelId,
    },
    /// The operator, or the configuration at start, requests a load.
    Load {
        /// The model.
        model: ModelId,
    },
    /// The operator requests an unload.
    Unload {
        /// The model.
        model: ModelId,
    },
    /// The operator pins or unpins a model. A pinned model is neither evicted nor unloaded for being idle.
    Pin {
        /// The model.
        model: ModelId,
        /// True to pin, false to unpin.
        pinned: bool,
    },
    /// A model's configuration changed.
    Change {
        /// The model.
        model: ModelId,
        /// The new configuration.
        spec: ModelSpec,
        /// True if the running instance has the old configuration and must be replaced.
        restart: bool,
    },
    /// A model was removed from the configuration.
    Remove {
        /// The model.
        model: ModelId,
    },
    /// The limits for all models changed.
    Rules {
        /// The new limits.
        policy: Policy,
        /// The memory that all models together may hold.
        budget: Memory,
    },
    /// The service shuts down: requests in flight may finish until `deadline`, then every instance stops.
    Shutdown {
        /// The moment at which the remaining requests are cut off.
        deadline: Instant,
    },
    /// The deadline returned by [`Scheduler::next_deadline`](crate::Scheduler::next_deadline) has passed.
    Tick,
}

/// The status of a model's instance, as far as requests are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstanceStatus {
    /// Loading. Holds memory; not routable.
    Loading,
    /// Waiting to be restarted. Keeps its memory; not routable.
    Restarting {
        /// The moment at which the load begins.
        at: Instant,
    },
    /// Loading, with a child that answers already. Holds memory; routable only for a model that admits requests
    /// [`WhenListening`](crate::Admission::WhenListening).
    Listening(Generation),
    /// Loaded. Holds memory; routable.
    Ready(Generation),
    /// Failed to allocate memory. Holds none; not routable.
    OutOfMemory,
    /// Failed to start. Holds no memory; not routable.
    Failed {
        /// The moment of the next try; `None` if only a change of the model can help.
        until: Option<Instant>,
    },
    /// Stopped on request, with its memory released. Not routable.
    Stopped,
}

/// An output of the scheduler, carried out by the runtime.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Give the queued request its lease, which the gate has counted already.
    Grant {
        /// The request.
        id: RequestId,
        /// The model the request is for.
        model: ModelId,
        /// The instance that serves the request.
        generation: Generation,
    },
    /// Reject the queued request.
    Refuse {
        /// The request.
        id: RequestId,
        /// The model the request was for.
        model: ModelId,
        /// The reason.
        refusal: Refusal,
    },
    /// Inspect the model's files and report the expected cost with [`Event::Inspected`].
    Inspect {
        /// The model.
        model: ModelId,
    },
    /// Let the engine begin to load the model's files, in little memory, and report the expected cost with
    /// [`Event::Inspected`].
    Try {
        /// The model.
        model: ModelId,
    },
    /// Read the model's file into the page cache: the model is started as soon as others have left memory.
    Prefetch {
        /// The model.
        model: ModelId,
    },
    /// Start an instance of the model.
    Start {
        /// The model.
        model: ModelId,
    },
    /// Stop the model's instance, which has no request in flight.
    Stop {
        /// The model.
        model: ModelId,
    },
    /// End the requests in flight to the model.
    Cut {
        /// The model.
        model: ModelId,
    },
    /// Record the reason of a decision.
    Note {
        /// The model concerned.
        model: ModelId,
        /// The decision and its reason.
        note: Note,
    },
}

/// The reason for which a request was rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The model's queue is full.
    QueueFull,
    /// The request waited for its longest time while the model was loading.
    StillLoading,
    /// The request waited for its longest time while the model was busy.
    TimedOut,
    /// The request waited for its longest time while other models used the memory.
    NoRoom,
    /// The model cannot be loaded.
    LoadFailed,
    /// The model needs more memory than it can ever get here.
    DoesNotFit {
        /// The memory the model needs.
        needs: Memory,
        /// The budget without the memory of pinned models.
        available: Memory,
        /// True if the model would fit without the pinned models.
        pinned: bool,
    },
    /// The model ran out of memory although it was expected to fit, and no other model can be evicted for it.
    OutOfMemory {
        /// The memory the model was expected to need.
        needs: Memory,
        /// The memory that was expected to be free.
        free: Memory,
    },
    /// The model is being unloaded by the operator.
    Draining,
    /// The model is no longer configured.
    Removed,
    /// paddock is stopping.
    ShuttingDown,
}
