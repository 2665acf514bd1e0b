use crate::{Generation, Memory, ModelSpec, Note, Policy};
use std::time::{Duration, Instant};

/// A configured model, by the order in which it was added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModelId(pub usize);

/// A request that could not go at once, numbered by the runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub u64);

/// Whose a request is. Those of one client wait behind each other, not in front of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId(pub u64);

/// What a model is expected to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Demand {
    /// The memory it needs.
    pub memory: Memory,
    /// How long it loads.
    pub load: Duration,
    /// The engine has loaded these files before, or has been seen to begin to. Others are tried before room
    /// is made for them.
    pub is_proven: bool,
}

/// What happened.
#[derive(Debug, Clone, Copy)]
pub enum Event {
    /// A request found its model's gate shut or full.
    Request {
        /// The request.
        id: RequestId,
        /// The model it is for.
        model: ModelId,
        /// Whose it is.
        client: ClientId,
        /// It will occupy one of the child's slots; others need not wait for one.
        takes_slot: bool,
    },
    /// A queued request's client left.
    Cancel {
        /// The request.
        id: RequestId,
    },
    /// What [`Action::Inspect`] or [`Action::Try`] asked for, or what was seen of a model's files without being asked: a cold
    /// model that cannot be loaded has failed.
    Inspected {
        /// The model.
        model: ModelId,
        /// What it will take, or nothing where it cannot be loaded as things are.
        demand: Option<Demand>,
    },
    /// A model's instance changed.
    Instance {
        /// The model.
        model: ModelId,
        /// What it is now.
        is: InstanceIs,
    },
    /// A loaded model was seen to hold this much.
    Measured {
        /// The model.
        model: ModelId,
        /// What it holds.
        memory: Memory,
    },
    /// A gate told of a lease's end.
    Released {
        /// The model.
        model: ModelId,
    },
    /// The operator, or the configuration at start, wants a model loaded.
    Load {
        /// The model.
        model: ModelId,
    },
    /// The operator wants a model unloaded.
    Unload {
        /// The model.
        model: ModelId,
    },
    /// The operator wants a model to stay, whoever waits and however idle it is, or that no more.
    Pin {
        /// The model.
        model: ModelId,
        /// It is to stay.
        pinned: bool,
    },
    /// A model's configuration is another one now.
    Change {
        /// The model.
        model: ModelId,
        /// What it is now.
        spec: ModelSpec,
        /// Its instance, if there is one, runs with what was before and is to be replaced.
        restart: bool,
    },
    /// A model is no longer configured.
    Remove {
        /// The model.
        model: ModelId,
    },
    /// The rules for all models are others now.
    Rules {
        /// The limits.
        policy: Policy,
        /// What all models together may hold.
        budget: Memory,
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
    /// Loading. Holds memory; not routable.
    Loading,
    /// About to be started again. Its memory stays its own; not routable.
    Again {
        /// When its load begins.
        at: Instant,
    },
    /// Loading, and its child answers for itself meanwhile. Holds memory; routable only for a
    /// model that admits [`WhenListening`](crate::Admit::WhenListening).
    Listening(Generation),
    /// Loaded. Holds memory; routable.
    Ready(Generation),
    /// It did not get the memory it asked for. Holds none; not routable.
    OutOfMemory,
    /// It does not start. Holds no memory; not routable.
    Failed {
        /// When it may be tried again; without a time, when something about it has changed.
        until: Option<Instant>,
    },
    /// Stopped, as asked, and its memory seen to be free. Not routable.
    Stopped,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Give the queued request its lease, which is already counted.
    Grant {
        /// The request.
        id: RequestId,
        /// The model it is for.
        model: ModelId,
        /// The instance it goes to.
        generation: Generation,
    },
    /// Tell the queued request no.
    Refuse {
        /// The request.
        id: RequestId,
        /// The model it was for.
        model: ModelId,
        /// Why.
        refusal: Refusal,
    },
    /// Look at the model's files and say what it will take: [`Event::Inspected`] is the answer.
    Inspect {
        /// The model.
        model: ModelId,
    },
    /// Have the engine begin to load the model's files, in little memory, and say what they will take:
    /// [`Event::Inspected`] is the answer.
    Try {
        /// The model.
        model: ModelId,
    },
    /// Read the model's file ahead: it is loaded as soon as others have made room.
    Prefetch {
        /// The model.
        model: ModelId,
    },
    /// Start an instance of the model.
    Start {
        /// The model.
        model: ModelId,
    },
    /// Stop the model's instance, whose requests have ended.
    Stop {
        /// The model.
        model: ModelId,
    },
    /// End what is still in flight to the model.
    Cut {
        /// The model.
        model: ModelId,
    },
    /// Remember why something was done.
    Note {
        /// The model it was done to.
        model: ModelId,
        /// What, and why.
        note: Note,
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
    /// It waited as long as it may, while other models were using the memory.
    NoRoom,
    /// The model does not load.
    LoadFailed,
    /// The model needs more than it could ever have here.
    DoesNotFit {
        /// What it needs.
        needs: Memory,
        /// What there is, less what is pinned.
        available: Memory,
        /// It would fit if nothing were pinned.
        pinned: bool,
    },
    /// The model ran out of memory although it was thought to fit, and nothing can go for it.
    RanOut {
        /// What it was thought to need.
        needs: Memory,
        /// What was thought to be free for it.
        free: Memory,
    },
    /// The model is being unloaded by the operator.
    Draining,
    /// The model is no longer configured.
    Gone,
    /// paddock is stopping.
    ShuttingDown,
}
