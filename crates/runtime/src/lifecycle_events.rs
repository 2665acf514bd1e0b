//! Sends lifecycle events of models to the activity database. A child's output stays in its log, because it may
//! quote a client's input.

use super::actor::Runtime;
use super::child_failure::ChildFailure;
use super::journal;
use paddock_scheduler::{ModelId, Note};
use paddock_supervisor::{ChildPhase, Failure};
use paddock_telemetry::LifecycleEvent;
use std::time::SystemTime;

/// Returns the event and its reason, or `None` if the decision does not change the model's state yet. A failed load
/// is recorded with its class when the child fails.
fn event_and_reason(note: &Note) -> Option<(&'static str, Option<&'static str>)> {
    Some(match note {
        Note::Starts { .. } => ("load_started", None),
        Note::Ready { .. } => ("ready", None),
        Note::Evicted { .. } => ("evicted", Some("room")),
        Note::DrainsFor { .. } => ("evicted", Some("yield")),
        Note::OverBudget { .. } => ("evicted", Some("over_budget")),
        Note::DrainCancelled => ("stays", None),
        Note::KeepAliveExpired { .. } => ("unloaded", Some("keep_alive")),
        Note::Unloaded => ("unloaded", Some("operator")),
        Note::Reconfigured => ("unloaded", Some("reload")),
        Note::DoesNotFit { .. } => ("refused", Some("does_not_fit")),
        Note::Wanted { .. }
        | Note::WaitsForRoom { .. }
        | Note::MakesRoom { .. }
        | Note::Tries
        | Note::Pinned { .. }
        | Note::Unpinned { .. }
        | Note::OutOfMemory { .. }
        | Note::Failed { .. }
        | Note::Abandoned => return None,
    })
}

impl Runtime {
    /// Records a decision about a model.
    pub(super) fn record_decision(&self, model: ModelId, note: &Note) {
        if let Some((event, reason)) = event_and_reason(note) {
            let names = self.names();
            let message = journal::describe_note(names.name(model), note, &names);
            self.record_lifecycle(model, event, reason, message);
        }
    }

    /// Records a child's failure.
    pub(super) fn record_child_failure(
        &self,
        model: ModelId,
        phase: ChildPhase,
        failure: &ChildFailure,
    ) {
        let event = match phase {
            ChildPhase::Ready => "crashed",
            ChildPhase::Spawn | ChildPhase::Starting => "load_failed",
        };
        let message = failure.summary(self.names().name(model));
        self.record_lifecycle(model, event, Some(failure.class.as_str()), message);
    }

    /// Records that a model's files cannot be loaded.
    pub(super) fn record_unloadable(&self, model: ModelId, failure: &Failure) {
        let message = format!("{} is not loaded: {failure}", self.names().name(model));
        self.record_lifecycle(model, "load_failed", Some(failure.class.as_str()), message);
    }

    fn record_lifecycle(
        &self,
        model: ModelId,
        event: &'static str,
        reason: Option<&'static str>,
        message: String,
    ) {
        let Some(entry) = self.entries.get(model.0) else {
            return;
        };
        self.context.lifecycle_sender.send(LifecycleEvent {
            at: SystemTime::now(),
            model: entry.config.id.as_str().into(),
            event: event.into(),
            reason: reason.map(Into::into),
            message,
        });
    }
}
