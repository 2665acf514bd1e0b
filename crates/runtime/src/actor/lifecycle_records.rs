//! Sends lifecycle events of models to the activity database. A child's output stays in its log, because it may
//! quote a client's input.

use super::Runtime;
use crate::child_failure::ChildFailure;
use crate::journal;
use crate::lifecycle_events::{event_and_reason, failure_event};
use paddock_scheduler::{ModelId, Note};
use paddock_supervisor::{ChildPhase, Failure};
use paddock_telemetry::LifecycleEvent;
use std::time::SystemTime;

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
        let message = failure.summary(self.names().name(model));
        let event = failure_event(phase);
        self.record_lifecycle(model, event, Some(failure.class.as_str()), message);
    }

    /// Records that a model's files cannot be loaded.
    pub(super) fn record_unloadable(&self, model: ModelId, failure: &Failure) {
        let message = journal::describe_unloadable(self.names().name(model), failure);
        self.record_lifecycle(model, "load_failed", Some(failure.class.as_str()), message);
    }

    /// Sends an event with the current time.
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
