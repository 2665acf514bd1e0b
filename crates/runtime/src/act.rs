use super::actor::Runtime;
use super::prefetch::prefetch;
use paddock_admission::phase::ServicePhase;
use paddock_scheduler::{Action, ModelId, Note};
use paddock_supervisor::blocking;
use std::time::SystemTime;
use tokio::time::Instant;

impl Runtime {
    /// Carries an action out.
    pub(super) fn act(&mut self, action: Action) {
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
                            tracing::debug!(%error, "a model's file is not read ahead");
                        }
                    });
                }
            }
            Action::Start { model } => self.start(model),
            Action::Stop { model } => {
                if let Some(entry) = self.entries.get_mut(model.0) {
                    entry.tally.goes();
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
                tracing::debug!(model = name, ?note, "decided");
                self.noted(model, note);
            }
        }
    }

    /// Counts, lists and tells what was decided. A refusal like the one before is none of that.
    fn noted(&mut self, model: ModelId, note: Note) {
        self.tried_again(model, &note);
        if let Some(entry) = self.entries.get_mut(model.0) {
            if entry.repeats.is_repeat(&note) {
                return self.journal.refused_again(model);
            }
            entry.tally.noted(&note);
            if let Note::Ready { took } = &note {
                entry.last_load = Some((Instant::now(), *took));
            }
        }
        self.tell_decision(model, &note);
        self.journal.note(model, note);
    }

    /// The scheduler has decided when a model is tried again that ran out of memory.
    fn tried_again(&mut self, model: ModelId, note: &Note) {
        let Note::Failed { retry: Some(after) } = note else {
            return;
        };
        let entry = self.entries.get_mut(model.0);
        if let Some(failed) = entry.and_then(|entry| entry.failed.as_mut()) {
            let at = SystemTime::now() + *after;
            failed.failure.retry_at.get_or_insert(at);
        }
    }
}
