//! Performs the actions that the scheduler returns, such as to grant a request or to start or stop a model.

use super::Runtime;
use crate::journal::JournalEvent;
use crate::prefetch::prefetch;
use paddock_admission::phase::ServicePhase;
use paddock_scheduler::{Action, ModelId, Note};
use paddock_supervisor::blocking;
use std::time::SystemTime;
use tokio::time::Instant;

impl Runtime {
    /// Performs an action.
    pub(super) fn perform(&mut self, action: Action) {
        match action {
            Action::Grant {
                id,
                model,
                generation,
            } => self.grant(id, model, generation),
            Action::Refuse { id, model, refusal } => self.refuse(id, model, refusal),
            Action::Inspect { model } => self.inspect(model),
            Action::Try { model } => self.try_load(model),
            Action::Prefetch { model } => {
                let entry = self.entries.get(model.0);
                if let Some(path) = entry.and_then(|entry| entry.config.path.clone()) {
                    self.tasks.spawn(async move {
                        if let Err(error) = blocking::run(move || prefetch(&path)).await {
                            tracing::debug!(%error, "could not prefetch the model file");
                        }
                    });
                }
            }
            Action::Start { model } => self.start(model),
            Action::Stop { model } => {
                if let Some(entry) = self.entries.get_mut(model.0) {
                    entry.counters.count_eviction();
                }
                self.stop(model);
            }
            Action::Cut { .. } => {
                self.phase.send_replace(ServicePhase::Cut);
            }
            Action::Note { model, note } => {
                let name = self
                    .entries
                    .get(model.0)
                    .map(|entry| entry.config.id.as_str());
                tracing::debug!(model = name, ?note, "scheduler decision");
                self.record_note(model, note);
            }
        }
    }

    /// Counts a decision and records it in the journal and the activity database. Repeated refusals are only
    /// counted in the journal.
    fn record_note(&mut self, model: ModelId, note: Note) {
        self.set_retry_time(model, &note);
        if let Some(entry) = self.entries.get_mut(model.0) {
            if entry.knowledge.failure_dedup.is_repeat(&note) {
                return self.journal.refused_again(model);
            }
            entry.counters.count_note(&note);
            if let Note::Ready { took } = &note {
                entry.last_load = Some((Instant::now(), *took));
            }
        }
        self.record_decision(model, &note);
        self.journal.record(model, JournalEvent::Decided(note));
    }

    /// Stores when the scheduler retries a model that ran out of memory.
    fn set_retry_time(&mut self, model: ModelId, note: &Note) {
        let Note::Failed { retry: Some(after) } = note else {
            return;
        };
        if let Some(entry) = self.entries.get_mut(model.0) {
            entry.knowledge.record_retry(SystemTime::now() + *after);
        }
    }
}
