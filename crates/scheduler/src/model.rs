use crate::queue::Queue;
use crate::worth::Uses;
use crate::{Admit, Demand, Gate, Generation, Memory, ModelId, ModelSpec, Refusal};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// One model as the scheduler sees it.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) spec: ModelSpec,
    /// It never goes for another model, nor for being idle: as the operator or the configuration
    /// said last.
    pub(crate) pinned: bool,
    pub(crate) gate: Arc<Gate>,
    pub(crate) queue: Queue,
    pub(crate) residency: Residency,
    /// The memory it holds as far as is known; nothing unless it is resident.
    pub(crate) holds: Memory,
    /// It is wanted though nobody may wait for it.
    pub(crate) asked: bool,
    /// What it takes, by the last that is known.
    pub(crate) demand: Demand,
    pub(crate) uses: Uses,
    /// Its last load ran out of memory.
    pub(crate) ran_out: bool,
}

/// How far a model is from serving requests.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Residency {
    /// Not routable; holds no memory; ends when it is wanted.
    Cold,
    /// Not routable; holds no memory; ends by what its files say.
    Inspecting { since: Instant },
    /// Not routable; holds no memory; ends when there is room.
    Waiting { since: Instant, needs: Memory },
    /// Not routable; holds no memory, but what it needs is kept for it; ends by its start, when
    /// the models it waits for are gone.
    Claiming {
        since: Instant,
        needs: Memory,
        after: Vec<ModelId>,
    },
    /// Holds memory, and more each moment; ends by readiness or failure. Routable only where its
    /// child answers already and requests are let through to that.
    Loading {
        since: Instant,
        listening: Option<Generation>,
    },
    /// Routable; holds memory; ends by its going, or its child's.
    Warm {
        since: Instant,
        generation: Generation,
    },
    /// Not routable to newcomers; holds memory; ends when nothing is in flight.
    Draining {
        since: Instant,
        generation: Generation,
        why: Leaving,
    },
    /// Not routable; holds memory; ends when its child is gone.
    Stopping { why: Leaving },
    /// Not routable; holds no memory; ends at `until`, or when something about it has changed.
    Failed { until: Option<Instant> },
    /// No longer configured; final.
    Gone,
}

/// Why a model goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leaving {
    /// Idle, for another model.
    Evicted,
    /// Busy, for another model that has waited long enough.
    Yields { to: ModelId },
    /// Nobody has used it for its keep-alive.
    KeepAlive,
    /// The operator said so.
    Unloaded,
    /// Its configuration is another one.
    Reconfigured,
    /// It is no longer configured.
    Removed,
    /// Everything stops.
    Shutdown,
}

impl Model {
    pub(crate) fn new(spec: ModelSpec, gate: Arc<Gate>, now: Instant) -> Self {
        Self {
            spec,
            pinned: spec.pinned,
            gate,
            queue: Queue::default(),
            residency: Residency::Cold,
            holds: Memory::NONE,
            asked: false,
            demand: Demand {
                memory: Memory::needed(0),
                load: Duration::ZERO,
                is_proven: false,
            },
            uses: Uses::none(now),
            ran_out: false,
        }
    }

    /// Somebody waits for it, or the operator does.
    pub(crate) fn is_wanted(&self) -> bool {
        self.asked || !self.queue.is_empty()
    }

    /// The generation requests may go to now.
    pub(crate) fn routable(&self) -> Option<Generation> {
        match self.residency {
            Residency::Warm { generation, .. } => Some(generation),
            Residency::Loading { listening, .. } if self.spec.admit == Admit::WhenListening => {
                listening
            }
            _ => None,
        }
    }

    /// It holds memory, and will until somebody decides otherwise.
    pub(crate) fn stays(&self) -> bool {
        matches!(
            self.residency,
            Residency::Loading { .. } | Residency::Warm { .. }
        )
    }

    /// It holds memory, and will whoever waits for it.
    pub(crate) fn stays_pinned(&self) -> bool {
        self.pinned && self.stays()
    }

    /// What a request that waited too long is told.
    pub(crate) fn too_long(&self) -> Refusal {
        match self.residency {
            Residency::Warm { .. } => Refusal::TimedOut,
            Residency::Waiting { .. } | Residency::Claiming { .. } => Refusal::NoRoom,
            _ if self.routable().is_some() => Refusal::TimedOut,
            _ => Refusal::StillLoading,
        }
    }

    pub(crate) fn look(&self) -> Look {
        let status = match &self.residency {
            Residency::Cold | Residency::Gone => Status::Unloaded,
            Residency::Inspecting { .. }
            | Residency::Waiting { .. }
            | Residency::Claiming { .. } => Status::Waiting,
            Residency::Loading { .. } => Status::Loading,
            Residency::Warm { .. } => Status::Ready,
            Residency::Draining { .. } => Status::Draining,
            Residency::Stopping { .. } => Status::Stopping,
            Residency::Failed { .. } => Status::Failed,
        };
        Look {
            status,
            pinned: self.pinned,
            queued: self.queue.len(),
            in_flight: self.gate.in_flight(),
            holds: self.holds,
            load: self.demand.load,
            retry: match self.residency {
                Residency::Failed { until } => until,
                _ => None,
            },
        }
    }
}

/// A model as people may see it. Reading it decides nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// How far it is from serving requests.
    pub status: Status,
    /// It never goes for another model, nor for being idle.
    pub pinned: bool,
    /// Requests that wait for it.
    pub queued: usize,
    /// Requests that are with it.
    pub in_flight: u32,
    /// The memory it holds, as far as is known.
    pub holds: Memory,
    /// How long a load of it takes, as far as is known.
    pub load: Duration,
    /// When it may be tried again, where it failed and time can help.
    pub retry: Option<Instant>,
}

/// How far a model is from serving requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Not in memory, and nobody wants it.
    Unloaded,
    /// Wanted, and without memory yet.
    Waiting,
    /// On its way into memory.
    Loading,
    /// Serving.
    Ready,
    /// Finishing what is in flight.
    Draining,
    /// On its way out of memory.
    Stopping,
    /// It did not load.
    Failed,
}
