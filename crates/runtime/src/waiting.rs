//! Requests that wait: how they come, and are granted, refused or given up.

use super::actor::Runtime;
use super::journal::{self, Ended, Explained, Waited};
use super::retry::{Outlook, retry_after};
use paddock_admission::admission::{AdmissionMessage, GrantedLease, LeaseRequest};
use paddock_admission::error::ProxyError;
use paddock_admission::model::Lease;
use paddock_scheduler::{Event, Generation, ModelId, Refusal, RequestId};
use std::time::SystemTime;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// Who waits for what.
#[derive(Debug)]
pub(super) struct Waiting {
    reply: oneshot::Sender<Result<GrantedLease, ProxyError>>,
    waited: Waited,
}

impl Runtime {
    pub(super) fn admission(&mut self, message: AdmissionMessage) {
        match message {
            AdmissionMessage::Acquire { id, request, reply } => self.acquire(id, request, reply),
            AdmissionMessage::Observe(model, reply) => {
                // A client that has left drops its lease here.
                let _ = reply.send(self.observe(model));
            }
            AdmissionMessage::Leave(id) => self.client_left(id),
        }
    }

    fn acquire(
        &mut self,
        id: RequestId,
        request: LeaseRequest,
        reply: oneshot::Sender<Result<GrantedLease, ProxyError>>,
    ) {
        let model = request.model.id;
        let waited = Waited {
            name: request.name,
            model,
            arrived: SystemTime::now(),
            since: Instant::now(),
            ended: None,
        };
        self.waiting.insert(id, Waiting { reply, waited });
        self.handle(Event::Request {
            id,
            model,
            client: request.client,
            takes_slot: request.takes_slot,
        });
    }

    /// Returns a lease for a request that does not count as use of the model. The journal does not mention it:
    /// those who watch a model ask all the time.
    pub(super) fn observe(&self, model: ModelId) -> Result<Lease, ProxyError> {
        let Some(entry) = self.entries.get(model.0) else {
            return Err(ProxyError::ShuttingDown);
        };
        match self.scheduler.observe(model) {
            Some(generation) => Ok(entry.model.lease(generation).without_use()),
            None => Err(ProxyError::NotLoaded {
                model: entry.config.id.clone(),
            }),
        }
    }

    pub(super) fn grant(&mut self, id: RequestId, model: ModelId, generation: Generation) {
        let Some(entry) = self.entries.get(model.0) else {
            return;
        };
        // A client that has left drops its lease here, which is told like any release.
        let lease = entry.model.lease(generation);
        if let Some(waiting) = self.waiting.remove(&id) {
            let load = entry.load_since(waiting.waited.since);
            let granted = waiting.reply.send(Ok(GrantedLease { lease, load })).is_ok();
            let ended = if granted { Ended::Granted } else { Ended::Left };
            self.ended(waiting.waited, ended);
        }
    }

    pub(super) fn clients_left(&mut self) {
        let left = self.waiting.iter();
        let left = left.filter(|(_, waiting)| waiting.reply.is_closed());
        let left: Vec<RequestId> = left.map(|(id, _)| *id).collect();
        for id in left {
            self.client_left(id);
        }
    }

    pub(super) fn client_left(&mut self, id: RequestId) {
        if let Some(waiting) = self.waiting.remove(&id) {
            self.ended(waiting.waited, Ended::Left);
            self.handle(Event::Cancel { id });
        }
    }

    pub(super) fn refuse(&mut self, id: RequestId, model: ModelId, refusal: Refusal) {
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

    fn ended(&mut self, mut waited: Waited, ended: Ended) {
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
        let retry_after = self.scheduler.snapshot(at).and_then(|look| {
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
            Refusal::Removed => self.gone(&model),
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
            Refusal::OutOfMemory { needs, free } => ProxyError::RanOut {
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

    pub(super) fn explain_request(&self, name: &str) -> Option<Explained> {
        let waiting = self.waiting.values().map(|waiting| &waiting.waited);
        let waited = waiting
            .filter(|waited| waited.name == name)
            .max_by_key(|waited| waited.since)
            .or_else(|| self.journal.request(name))?;
        Some(self.journal.explain(waited, &self.names()))
    }
}
