//! Defines the runtime actor's record of a model: configuration, running instance, inspections, failures, counters.

use super::child_failure::FailureStreak;
use super::model_counters::ModelCounters;
use super::model_knowledge::ModelKnowledge;
use paddock_admission::model::Model;
use paddock_config as config;
use paddock_scheduler::Memory;
use paddock_supervisor::{Instance, Logs};
use std::sync::Arc;
use std::time::Duration;
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
        }
    }

    /// Returns how long the last load overlapped the time after `since`.
    pub(super) fn load_since(&self, since: Instant) -> Duration {
        self.last_load.map_or(Duration::ZERO, |(end, took)| {
            took.min(end.saturating_duration_since(since))
        })
    }
}
