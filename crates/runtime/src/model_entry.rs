//! Defines the runtime actor's record of a model: configuration, running instance, inspections, failures, counters.

use super::child_failure::FailureStreak;
use super::contexts::{ChildContexts, ContextExperience, ContextUse, KeeperHandle, ModelContexts};
use super::model_counters::ModelCounters;
use super::model_knowledge::ModelKnowledge;
use paddock_admission::model::Model;
use paddock_config as config;
use paddock_scheduler::Memory;
use paddock_supervisor::{Instance, Logs};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// State of a model that the scheduler does not hold.
#[derive(Debug)]
pub(super) struct ModelEntry {
    pub(super) config: Arc<config::Model>,
    /// The part that HTTP workers share: the gate, which admits requests, and the address of the child.
    pub(super) model: Arc<Model>,
    /// True once the model is no longer configured.
    pub(super) removed: bool,
    /// The instance, if one exists.
    pub(super) running: Option<RunningInstance>,
    /// Output of the model's children, across all instances.
    pub(super) logs: Logs,
    /// Number of the latest inspection; results with another number are stale.
    pub(super) last_inspection_id: u64,
    /// Facts from inspections, loads and failures.
    pub(super) knowledge: ModelKnowledge,
    /// Consecutive failures of the model's children.
    pub(super) failure_streak: FailureStreak,
    /// Number of children started so far.
    pub(super) generations: u64,
    /// End and duration of the last load.
    pub(super) last_load: Option<(Instant, Duration)>,
    /// Counts of loads, evictions, failures and restarts.
    pub(super) counters: ModelCounters,
    /// Stored contexts and results of restores.
    pub(super) contexts: ModelContexts,
    /// Experience with the contexts of the last child's identity.
    pub(super) context_experience: Option<ContextExperience>,
}

/// A model's instance and its measurements.
#[derive(Debug)]
pub(super) struct RunningInstance {
    pub(super) instance: Instance,
    /// Distinguishes this instance's messages from those of an earlier one.
    pub(super) serial: u64,
    /// Pid of the last child; 0 before the first.
    pub(super) pid: u32,
    /// Last generation that became ready.
    pub(super) ready: Option<u64>,
    /// Start of the latest child.
    pub(super) started: Instant,
    /// Staging directory and identity of the child's contexts; `None` if they are not kept, or once the keeper saves
    /// for the last time.
    pub(super) contexts: Option<ChildContexts>,
    /// Handle of the task that saves the child's conversations.
    pub(super) keeper: Option<KeeperHandle>,
    /// Deadline of the final save, which a request that waits for memory shortens; `None` until the instance is stopped.
    pub(super) save_deadline: Option<watch::Sender<Instant>>,
    /// Stage of the child's use of restored contexts.
    pub(super) context_use: ContextUse,
    /// Bytes of the contexts that were restored in the child.
    pub(super) restored_bytes: u64,
    /// Memory measured when the instance became ready.
    pub(super) measured: Option<Memory>,
}

impl ModelEntry {
    pub(super) fn new(config: Arc<config::Model>, model: Arc<Model>) -> Self {
        Self {
            config,
            model,
            removed: false,
            running: None,
            logs: Logs::new(),
            last_inspection_id: 0,
            knowledge: ModelKnowledge::default(),
            failure_streak: FailureStreak::default(),
            generations: 0,
            last_load: None,
            counters: ModelCounters::default(),
            contexts: ModelContexts::default(),
            context_experience: None,
        }
    }

    /// Returns how long the last load overlapped the time after `since`.
    pub(super) fn load_since(&self, since: Instant) -> Duration {
        self.last_load.map_or(Duration::ZERO, |(end, took)| {
            took.min(end.saturating_duration_since(since))
        })
    }
}
