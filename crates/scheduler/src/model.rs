//! Defines the scheduler's record of one model, its states ([`Residency`]), and the snapshot of it for people.

use crate::recent_uses::RecentUses;
use crate::request_queue::RequestQueue;
use crate::{Admission, Demand, Gate, Generation, Memory, ModelId, ModelSpec, Refusal};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The scheduler's record of one model.
#[derive(Debug)]
pub(crate) struct ScheduledModel {
    pub(crate) spec: ModelSpec,
    /// True if the model is neither evicted nor unloaded for being idle; set by the operator or the
    /// configuration, whichever came last.
    pub(crate) pinned: bool,
    /// Admits requests to the loaded model without the scheduler, and counts those in flight.
    pub(crate) gate: Arc<Gate>,
    pub(crate) queue: RequestQueue,
    pub(crate) residency: Residency,
    /// The memory the model holds as far as is known; none unless it is resident.
    pub(crate) memory: Memory,
    /// True if the operator or the configuration wants the model, whether or not a request waits.
    pub(crate) load_requested: bool,
    /// The last known cost of a load.
    pub(crate) demand: Demand,
    pub(crate) recent_uses: RecentUses,
    /// True if the last load ran out of memory.
    pub(crate) ran_out_of_memory: bool,
}

/// The progress of a model towards serving requests. Routable means that requests may be sent to its child, a
/// llama-server process.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Residency {
    /// Not routable; holds no memory; ends when the model is wanted.
    Cold,
    /// Not routable; holds no memory; ends with the result of the inspection of its files.
    Inspecting { since: Instant },
    /// Not routable; holds no memory; ends when there is room.
    Waiting { since: Instant, needs: Memory },
    /// Not routable; holds no memory, but its needs are reserved; ends with the start, when the models in
    /// `after` have left memory.
    Claiming {
        since: Instant,
        needs: Memory,
        after: Vec<ModelId>,
    },
    /// Holds memory, and more each moment; ends with readiness or failure. Routable only if the child answers
    /// already and the model admits requests then.
    Loading {
        since: Instant,
        listening: Option<Generation>,
    },
    /// Routable; holds memory; ends when the model is unloaded or its child exits.
    Warm {
        since: Instant,
        generation: Generation,
    },
    /// Not routable for new requests; holds memory; ends when no request is in flight.
    Draining {
        since: Instant,
        generation: Generation,
        reason: UnloadReason,
    },
    /// Not routable; holds memory; ends when the child has exited.
    Stopping { reason: UnloadReason },
    /// Not routable; holds no memory; ends at `until`, or when the model changes.
    Failed { until: Option<Instant> },
    /// No longer configured; final.
    Removed,
}

/// The reason for which a model leaves memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UnloadReason {
    /// Evicted while idle, for another model.
    Evicted,
    /// Drained while busy, for another model that has waited long enough.
    MakesRoom { to: ModelId },
    /// Unused for its keep-alive.
    KeepAliveExpired,
    /// Unloaded by the operator.
    Operator,
    /// Replaced because its configuration changed.
    Reconfigured,
    /// Removed from the configuration.
    Removed,
    /// The service shuts down.
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
                is_proven: false,
            },
            recent_uses: RecentUses::new(now),
            ran_out_of_memory: false,
        }
    }

    /// Returns true if a request, the operator or the configuration waits for the model.
    pub(crate) fn is_wanted(&self) -> bool {
        self.load_requested || !self.queue.is_empty()
    }

    /// Returns the generation that requests may be sent to now.
    pub(crate) fn routable_generation(&self) -> Option<Generation> {
        match self.residency {
            Residency::Warm { generation, .. } => Some(generation),
            Residency::Loading { listening, .. } if self.spec.admit == Admission::WhenListening => {
                listening
            }
            _ => None,
        }
    }

    /// Returns true if the model holds memory and is not about to leave it.
    pub(crate) fn is_loaded_or_loading(&self) -> bool {
        matches!(
            self.residency,
            Residency::Loading { .. } | Residency::Warm { .. }
        )
    }

    /// Returns true if the model holds memory and may not be evicted for another model.
    pub(crate) fn is_pinned_in_memory(&self) -> bool {
        self.pinned && self.is_loaded_or_loading()
    }

    /// Returns the refusal of a request that has waited too long.
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

/// A model's state for people. No decision depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelSnapshot {
    /// The progress of the model towards serving requests.
    pub status: ModelStatus,
    /// True if the model is neither evicted nor unloaded for being idle.
    pub pinned: bool,
    /// The number of queued requests.
    pub queued: usize,
    /// The number of requests in flight.
    pub in_flight: u32,
    /// The memory the model holds, as far as is known.
    pub memory: Memory,
    /// The time a load takes, as far as is known.
    pub load: Duration,
    /// The moment of the next try of a failed model, if time can help.
    pub retry_at: Option<Instant>,
}

/// The progress of a model towards serving requests, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelStatus {
    /// Not in memory, and not wanted.
    Unloaded,
    /// Wanted, and not in memory yet.
    Waiting,
    /// Being loaded.
    Loading,
    /// Serving requests.
    Ready,
    /// Finishing the requests in flight.
    Draining,
    /// Leaving memory.
    Stopping,
    /// Failed to load.
    Failed,
}
