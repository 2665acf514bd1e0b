use super::actor::Runtime;
use super::handle::Granted;
use super::journal::Ended;
use super::prefetch::prefetch;
use super::retry::{Outlook, retry_after};
use super::{Phase, journal};
use crate::error::ProxyError;
use paddock_scheduler::{Action, Event, ModelId, Note, Refusal, RequestId};
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
            } => {
                let Some(entry) = self.entries.get(model.0) else {
                    return;
                };
                // A client that has left drops its lease here, which is told like any release.
                let lease = entry.model.lease(generation);
                if let Some(waiting) = self.waiting.remove(&id) {
                    let load = entry.load_since(waiting.waited.since);
                    let granted = waiting.reply.send(Ok(Granted { lease, load })).is_ok();
                    let ended = if granted { Ended::Granted } else { Ended::Left };
                    self.ended(waiting.waited, ended);
                }
            }
            Action::Refuse { id, model, refusal } => self.refuse(id, model, refusal),
            Action::Inspect { model } => self.inspect(model),
            Action::Prefetch { model } => {
                let entry = self.entries.get(model.0);
                if let Some(path) = entry.and_then(|entry| entry.config.path.clone()) {
                    self.tasks.spawn_blocking(move || prefetch(&path));
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
                self.phase.send_replace(Phase::Cut);
            }
            Action::Note { model, note } => {
                let name = self
                    .entries
                    .get(model.0)
                    .map(|entry| entry.config.id.as_str());
                tracing::debug!(model = name, ?note, "decided");
                self.tried_again(model, &note);
                if let Some(entry) = self.entries.get_mut(model.0) {
                    entry.tally.noted(&note);
                    if let Note::Ready { took } = &note {
                        entry.last_load = Some((Instant::now(), *took));
                    }
                }
                self.tell_decision(model, &note);
                self.journal.note(model, note);
            }
        }
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

    pub(super) fn client_left(&mut self, id: RequestId) {
        if let Some(waiting) = self.waiting.remove(&id) {
            self.ended(waiting.waited, Ended::Left);
            self.handle(Event::Cancel { id });
        }
    }

    fn refuse(&mut self, id: RequestId, model: ModelId, refusal: Refusal) {
        let Some(waiting) = self.waiting.remove(&id) else {
            return;
        };
        let error = self.error(model, refusal);
        let ended = Ended::Refused {
            kind: error.kind(),
            words: error.to_string(),
        };
        let _ = waiting.reply.send(Err(error));
        self.ended(waiting.waited, ended);
    }

    fn ended(&mut self, mut waited: journal::Waited, ended: Ended) {
        waited.ended = Some((waited.since.elapsed(), ended));
        self.journal.ended(waited);
    }

    /// What a refused request is told.
    fn error(&self, at: ModelId, refusal: Refusal) -> ProxyError {
        let Some(entry) = self.entries.get(at.0) else {
            return ProxyError::ShuttingDown;
        };
        let model = entry.config.id.clone();
        let words = |memory| journal::memory_words(memory, &self.devices());
        let retry_after = self.scheduler.look(at).and_then(|look| {
            let outlook = Outlook::of(entry, &look, Instant::now());
            retry_after(outlook, look.load)
        });
        match refusal {
            Refusal::QueueFull => ProxyError::QueueFull { model, retry_after },
            Refusal::TimedOut => ProxyError::QueueTimeout { model, retry_after },
            Refusal::NoRoom => ProxyError::NoRoom { model, retry_after },
            Refusal::StillLoading => ProxyError::Loading { model, retry_after },
            Refusal::ShuttingDown => ProxyError::ShuttingDown,
            Refusal::Draining => ProxyError::Draining { model, retry_after },
            Refusal::Gone => self.catalog.borrow().unknown(&model),
            Refusal::DoesNotFit {
                needs,
                available,
                pinned,
            } => ProxyError::DoesNotFit {
                model,
                needs: words(&needs),
                available: words(&available),
                pinned,
            },
            Refusal::RanOut { needs, free } => ProxyError::RanOut {
                model,
                needs: words(&needs),
                free: words(&free),
                failure: entry.failed.as_ref().map(|failed| failed.failure.clone()),
                retry_after,
            },
            Refusal::LoadFailed => match &entry.failed {
                Some(failed) => ProxyError::LoadFailed {
                    model,
                    failure: failed.failure.clone(),
                    retry_after,
                },
                None => ProxyError::Loading { model, retry_after },
            },
        }
    }
}
