//! Stores the knowledge about a model's files and failures, which decides whether and how its next child (llama-server
//! process) is started.

use super::failure_dedup::FailureDedup;
use super::inspection::{InspectionResult, ModelInspection};
use super::instance_state::FailureOutcome;
use crate::load_history::FileIdentity;
use paddock_admission::error::LoadFailure;
use paddock_scheduler::Demand;
use paddock_supervisor::Failure;
use std::sync::Arc;
use std::time::SystemTime;
use tokio::time::Instant;

/// Facts about a model that inspections, loads and failures have shown.
#[derive(Debug, Default)]
pub(super) struct ModelKnowledge {
    /// Result of the last successful inspection.
    pub(super) inspection: Option<Arc<ModelInspection>>,
    /// Files that the engine has loaded, or has begun to load in a trial.
    pub(super) proven: Option<FileIdentity>,
    /// The last failure, if the model cannot be loaded or its child ended.
    pub(super) failed: Option<FailedLoad>,
    /// Failures that were already logged and counted.
    pub(super) failure_dedup: FailureDedup,
}

/// A failed load and the condition for another attempt.
#[derive(Debug, Clone)]
pub struct FailedLoad {
    pub failure: LoadFailure,
    /// End of the wait, if waiting can help.
    pub until: Option<Instant>,
    /// Files that would fail again unchanged; `None` if the failure is not their fault.
    pub(super) files: Option<FileIdentity>,
    /// True if the restart budget was exhausted.
    pub(super) breaker_opened: bool,
}

/// The result of an inspection, compared with earlier knowledge.
#[derive(Debug)]
pub(super) enum InspectionOutcome {
    /// The model can be loaded at this cost.
    Loadable(Demand),
    /// The model cannot be loaded.
    Unloadable {
        cause: Arc<Failure>,
        /// False if this cause was already reported.
        is_new: bool,
    },
}

impl ModelKnowledge {
    /// Adds the result of an inspection.
    pub(super) fn learn(&mut self, result: InspectionResult) -> InspectionOutcome {
        match result {
            Ok(inspection) => {
                // A failure of other files no longer counts.
                self.failed.take_if(|failed| failed.files.is_some());
                let demand = inspection.demand;
                if demand.is_proven {
                    self.proven.clone_from(&inspection.files);
                }
                self.inspection = Some(inspection);
                InspectionOutcome::Loadable(demand)
            }
            Err(failed) => {
                let cause = Arc::clone(&failed.failure.cause);
                self.failed = Some(failed);
                let is_new = self.failure_dedup.is_new_cause(&cause);
                InspectionOutcome::Unloadable { cause, is_new }
            }
        }
    }

    /// Records that a child has become ready: the inspected files can be loaded.
    pub(super) fn record_ready(&mut self) {
        self.failed = None;
        self.proven = self.inspected_files();
    }

    /// Records the failure of a child. Its files count as faulty if no retry can help.
    pub(super) fn record_failure(&mut self, outcome: &FailureOutcome) {
        let cause = &outcome.failure.cause;
        let is_files_fault = !cause.class.is_retryable();
        self.failure_dedup.record_failure(cause);
        self.failed = Some(FailedLoad {
            failure: outcome.failure.clone(),
            until: outcome.until,
            files: self.inspected_files().filter(|_| is_files_fault),
            breaker_opened: outcome.opens_breaker || self.is_breaker_open(),
        });
    }

    /// Records when the scheduler retries a failed model, unless a time is already known.
    pub(super) fn record_retry(&mut self, at: SystemTime) {
        if let Some(failed) = &mut self.failed {
            failed.failure.retry_at.get_or_insert(at);
        }
    }

    /// Forgets failures, because the configuration has changed.
    pub(super) fn forget_failures(&mut self) {
        self.failed = None;
        self.failure_dedup = FailureDedup::default();
    }

    /// Returns true if the restart budget was exhausted, so that only one attempt is allowed.
    pub(super) fn is_breaker_open(&self) -> bool {
        self.failed
            .as_ref()
            .is_some_and(|failed| failed.breaker_opened)
    }

    fn inspected_files(&self) -> Option<FileIdentity> {
        self.inspection.as_ref()?.files.clone()
    }
}

#[cfg(test)]
mod tests;
