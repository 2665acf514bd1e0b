//! What happens to models, for the record that outlives paddock.
//!
//! A child's own words stay out of it: they are in its log, and may hold what a client has written.

use super::actor::Runtime;
use super::death::Death;
use super::journal;
use paddock_scheduler::{ModelId, Note};
use paddock_supervisor::{ChildPhase, Failure};
use paddock_telemetry::LifecycleEvent;
use std::time::SystemTime;

/// What a decision means for the model, and why, in one word each; nothing where it changes nothing yet.
/// How a load ended badly is told with its class, where that is known.
fn meaning(note: &Note) -> Option<(&'static str, Option<&'static str>)> {
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
    /// Tells what was decided about a model.
    pub(super) fn tell_decision(&self, model: ModelId, note: &Note) {
        if let Some((event, reason)) = meaning(note) {
            let names = self.names();
            let message = journal::sentence(names.name(model), note, &names);
            self.tell(model, event, reason, message);
        }
    }

    /// Tells of a child's end.
    pub(super) fn tell_death(&self, model: ModelId, phase: ChildPhase, death: &Death) {
        let event = match phase {
            ChildPhase::Ready => "crashed",
            ChildPhase::Spawn | ChildPhase::Starting => "load_failed",
        };
        let message = death.what_follows(self.names().name(model));
        self.tell(model, event, Some(death.class.as_str()), message);
    }

    /// Tells that a model's files are such that no child is started.
    pub(super) fn tell_unloadable(&self, model: ModelId, failure: &Failure) {
        let message = format!("{} is not loaded: {failure}", self.names().name(model));
        self.tell(model, "load_failed", Some(failure.class.as_str()), message);
    }

    fn tell(
        &self,
        model: ModelId,
        event: &'static str,
        reason: Option<&'static str>,
        message: String,
    ) {
        let Some(entry) = self.entries.get(model.0) else {
            return;
        };
        self.world.lifecycle_sender.send(LifecycleEvent {
            at: SystemTime::now(),
            model: entry.config.id.as_str().into(),
            event: event.into(),
            reason: reason.map(Into::into),
            message,
        });
    }
}
