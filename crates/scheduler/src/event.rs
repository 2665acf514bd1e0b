use crate::Generation;
use std::time::Instant;

/// A configured model, by its place in the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModelId(pub usize);

/// A request that could not go at once, numbered by the runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub u64);

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A request found its model's gate shut or full. `in_flight` is the gate's count now.
    Request {
        /// The request.
        id: RequestId,
        /// The model it is for.
        model: ModelId,
        /// Leases of that model now.
        in_flight: u32,
    },
    /// A queued request's client left.
    Cancel {
        /// The request.
        id: RequestId,
    },
    /// A model's instance changed.
    Instance {
        /// The model.
        model: ModelId,
        /// What it is now.
        is: InstanceIs,
        /// Leases of that model now.
        in_flight: u32,
    },
    /// Leases ended while the model's gate was shut.
    Released {
        /// The model.
        model: ModelId,
        /// Leases left.
        in_flight: u32,
    },
    /// No more requests: finish what is in flight until `deadline`, then stop everything.
    Shutdown {
        /// When what is still in flight is cut.
        deadline: Instant,
    },
    /// The time [`Scheduler::next_deadline`](crate::Scheduler::next_deadline) named has come.
    Tick,
}

/// What a model's instance is, as far as requests are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstanceIs {
    /// Loading, or about to be started again. Holds memory; not routable.
    Loading,
    /// Loading, and its child answers for itself meanwhile. Holds memory; routable only for a
    /// model that admits [`WhenListening`](crate::Admit::WhenListening).
    Listening(Generation),
    /// Loaded. Holds memory; routable.
    Ready(Generation),
    /// It does not start. Holds no memory; not routable.
    Failed,
    /// Stopped, as asked. Holds no memory; not routable.
    Stopped,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Let requests for the model pass its gate, to this generation of its instance.
    Open {
        /// The model.
        model: ModelId,
        /// The instance's generation.
        generation: Generation,
    },
    /// Let no more pass.
    Shut {
        /// The model.
        model: ModelId,
    },
    /// Give the queued request a lease.
    Grant {
        /// The request.
        id: RequestId,
        /// The model it is for.
        model: ModelId,
    },
    /// Tell the queued request no.
    Refuse {
        /// The request.
        id: RequestId,
        /// Why.
        refusal: Refusal,
    },
    /// End what is still in flight to the model.
    Cut {
        /// The model.
        model: ModelId,
    },
    /// Stop the model's instance.
    Stop {
        /// The model.
        model: ModelId,
    },
}

/// Why a request was not granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// As many requests wait for this model as may.
    QueueFull,
    /// It waited as long as it may, while the model was loading.
    StillLoading,
    /// It waited as long as it may, while the model was busy.
    TimedOut,
    /// The model does not load.
    LoadFailed,
    /// paddock is stopping.
    ShuttingDown,
}
