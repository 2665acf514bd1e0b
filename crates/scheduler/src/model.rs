use crate::recent_uses::RecentUses;
use crate::request_queue::RequestQueue;
use crate::{Admission, Demand, Gate, Generation, Memory, ModelId, ModelSpec, Refusal};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// One model as the scheduler sees it.
#[derive(Debug)]
pub(crate) struct ScheduledModel {
    pub(crate) spec: ModelSpec,
    /// It never goes for another model, nor for being idle: as the operator or the configuration
    /// said last.
    pub(crate) pinned: bool,
    pub(crate) gate: Arc<Gate>,
    pub(crate) queue: RequestQueue,
    pub(crate) residency: Residency,
    /// The memory it holds as far as is known; nothing unless it is resident.
    pub(crate) memory: Memory,
    /// It is wanted though nobody may wait for it.
    pub(crate) load_requested: bool,
    /// What it takes, by the last that is known.
    pub(crate) demand: Demand,
    pub(crate) recent_uses: RecentUses,
    /// Its last load ran out of memory.
    pub(crate) ran_out_of_memory: bool,
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
        reason: UnloadReason,
    },
    /// Not routable; holds memory; ends when its child is gone.
    Stopping { reason: UnloadReason },
    /// Not routable; holds no memory; ends at `until`, or when something about it has changed.
    Failed { until: Option<Instant> },
    /// No longer configured; final.
    Removed,
}

/// Why a model goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UnloadReason {
    /// Idle, for another model.
    Evicted,
    /// Busy, for another model that has waited long enough.
    MakesRoom { to: ModelId },
    /// Nobody has used it for its keep-alive.
    KeepAliveExpired,
    /// The operator said so.
    Operator,
    /// Its configuration is another one.
    Reconfigured,
    /// It is no longer configured.
    Removed,
    /// Everything stops.
    Shutdown,
}

impl ScheduledModel {
    pub(crate) fn new(spec: ModelSpec, gate: Arc<Gate>, now: Instant) -> Self {
        Self {
            spec,
            pinned: spec.pinned,
            gate,
            queue: RequestQueue::default(),
            residency: Residency::Cold,
            memory: Memory::NONE,
            load_requested: false,
            demand: Demand {
                memory: Memory::needed(0),
                load: Duration::ZERO,
            },
            recent_uses: RecentUses::new(now),
            ran_out_of_memory: false,
        }
    }

    /// Somebody waits for it, or the operator does.
    pub(crate) fn is_wanted(&self) -> bool {
        self.load_requested || !self.queue.is_empty()
    }

    /// The generation requests may go to now.
    pub(crate) fn routable_generation(&self) -> Option<Generation> {
        match self.residency {
            Residency::Warm { generation, .. } => Some(generation),
            Residency::Loading { listening, .. } if self.spec.admit == Admission::WhenListening => {
                listening
            }
            _ => None,
        }
    }

    /// It holds memory, and will until somebody decides otherwise.
    pub(crate) fn is_loaded_or_loading(&self) -> bool {
        matches!(
            self.residency,
            Residency::Loading { .. } | Residency::Warm { .. }
        )
    }

    /// It holds memory, and will whoever waits for it.
    pub(crate) fn is_pinned_in_memory(&self) -> bool {
        self.pinned && self.is_loaded_or_loading()
    }

    /// What a request that waited too long is told.
    pub(crate) fn timeout_refusal(&self) -> Refusal {
        match self.residency {
            Residency::Warm { .. } => Refusal::TimedOut,
            Residency::Waiting { .. } | Residency::Claiming { .. } => Refusal::NoRoom,
            _ if self.routable_generation().is_some() => Refusal::TimedOut,
            _ => Refusal::StillLoading,
        }
    }

    pub(crate) fn snapshot(&self) -> ModelSnapshot {
        let status = match &self.residency {
            Residency::Cold | Residency::Removed => ModelStatus::Unloaded,
            Residency::Inspecting { .. }
            | Residency::Waiting { .. }
            | Residency::Claiming { .. } => ModelStatus::Waiting,
            Residency::Loading { .. } => ModelStatus::Loading,
            Residency::Warm { .. } => ModelStatus::Ready,
            Residency::Draining { .. } => ModelStatus::Draining,
            Residency::Stopping { .. } => ModelStatus::Stopping,
            Residency::Failed { .. } => ModelStatus::Failed,
        };
        ModelSnapshot {
            status,
            pinned: self.pinned,
            queued: self.queue.len(),
            in_flight: self.gate.in_flight(),
            memory: self.memory,
            load: self.demand.load,
            retry_at: match self.residency {
                Residency::Failed { until } => until,
                _ => None,
            },
        }
    }
}

/// A model as people may see it. Reading it decides nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelSnapshot {
    /// How far it is from serving requests.
    pub status: ModelStatus,
    /// It never goes for another model, nor for being idle.
    pub pinned: bool,
    /// Requests that wait for it.
    pub queued: usize,
    /// Requests that are with it.
    pub in_flight: u32,
    /// The memory it holds, as far as is known.
    pub memory: Memory,
    /// How long a load of it takes, as far as is known.
    pub load: Duration,
    /// When it may be tried again, where it failed and time can help.
    pub retry_at: Option<Instant>,
}

/// How far a model is from serving requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelStatus {
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
