//! Handles requests that wait for a lease: arrival, grant, refusal and cancellation.
//!
//! A lease is the permission to send one request to a loaded model, which stays in memory until the lease is released.

use super::Runtime;
use crate::journal::{RequestExplanation, WaitOutcome, WaitRecord};
use crate::refusal_error::RefusedModel;
use crate::retry_after::{LoadOutlook, retry_after_seconds};
use paddock_admission::error::ProxyError;
use paddock_admission::lease_queue::{AdmissionMessage, GrantedLease, LeaseRequest};
use paddock_admission::model::Lease;
use paddock_scheduler::{Event, Generation, ModelId, Refusal, RequestId};
use std::time::SystemTime;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// A request that waits for a lease, and the channel for the result.
#[derive(Debug)]
pub(super) struct WaitingRequest {
    reply: oneshot::Sender<Result<GrantedLease, ProxyError>>,
    record: WaitRecord,
}

impl Runtime {
    /// Handles a message from the HTTP workers.
    pub(super) fn handle_admission(&mut self, message: AdmissionMessage) {
        match message {
            AdmissionMessage::Acquire { id, request, reply } => self.acquire(id, request, reply),
            AdmissionMessage::Observe(model, reply) => {
                // If the client has left, the lease is dropped here.
                let _ = reply.send(self.observe(model));
            }
            AdmissionMessage::Leave(id) => self.cancel_request(id),
        }
    }

    /// Passes a request to the scheduler, which grants, refuses or queues it.
    fn acquire(
        &mut self,
        id: RequestId,
        request: LeaseRequest,
        reply: oneshot::Sender<Result<GrantedLease, ProxyError>>,
    ) {
        let model = request.model.id;
        let record = WaitRecord {
            name: request.name,
            model,
            arrived: SystemTime::now(),
            since: Instant::now(),
            outcome: None,
        };
        self.waiting.insert(id, WaitingRequest { reply, record });
        self.hurry_saves();
        self.handle_event(Event::Request {
            id,
            model,
            client: request.client,
            takes_slot: request.takes_slot,
        });
    }

    /// Returns a lease that does not count as use of the model. The journal omits such requests, because monitoring
    /// sends them constantly.
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
        // If the client has left, the lease is dropped here and released as usual.
        let lease = entry.model.lease(generation);
        if let Some(waiting) = self.waiting.remove(&id) {
            let load = entry.load_since(waiting.record.since);
            let granted = waiting.reply.send(Ok(GrantedLease { lease, load })).is_ok();
            let outcome = if granted {
                WaitOutcome::Granted
            } else {
                WaitOutcome::Left
            };
            self.record_end(waiting.record, outcome);
        }
    }

    pub(super) fn cancel_abandoned(&mut self) {
        let left = self.waiting.iter();
        let left = left.filter(|(_, waiting)| waiting.reply.is_closed());
        let left: Vec<RequestId> = left.map(|(id, _)| *id).collect();
        for id in left {
            self.cancel_request(id);
        }
    }

    pub(super) fn cancel_request(&mut self, id: RequestId) {
        if let Some(waiting) = self.waiting.remove(&id) {
            self.record_end(waiting.record, WaitOutcome::Left);
            self.handle_event(Event::Cancel { id });
        }
    }

    pub(super) fn refuse(&mut self, id: RequestId, model: ModelId, refusal: Refusal) {
        let Some(waiting) = self.waiting.remove(&id) else {
            return;
        };
        let error = self.refusal_error(model, refusal);
        let outcome = WaitOutcome::Refused {
            kind: error.kind(),
            message: error.to_string(),
        };
        let _ = waiting.reply.send(Err(error));
        self.record_end(waiting.record, outcome);
    }

    fn record_end(&mut self, mut record: WaitRecord, outcome: WaitOutcome) {
        record.outcome = Some((record.since.elapsed(), outcome));
        self.journal.record_wait(record);
    }

    /// Converts a refusal to the error for the client.
    fn refusal_error(&self, id: ModelId, refusal: Refusal) -> ProxyError {
        let Some(entry) = self.entries.get(id.0) else {
            return ProxyError::ShuttingDown;
        };
        let name = &entry.config.id;
        if refusal == Refusal::Removed {
            return self.unknown_model_error(name);
        }
        let running = entry.running.as_ref();
        let state = running.map(|running| running.instance.watch().borrow().clone());
        let retry_after = self.scheduler.snapshot(id).and_then(|snapshot| {
            let retry_at = snapshot.retry_at.map(Instant::from_std);
            let (status, now) = (snapshot.status, Instant::now());
            let outlook = LoadOutlook::from_state(status, retry_at, state.as_ref(), now);
            retry_after_seconds(outlook, snapshot.load)
        });
        let failed = entry.knowledge.failed.as_ref();
        let model = RefusedModel {
            name,
            failure: failed.map(|failed| &failed.failure),
            retry_after,
            devices: &self.devices(),
        };
        model.error(refusal)
    }

    pub(super) fn explain_request(&self, name: &str) -> Option<RequestExplanation> {
        let waiting = self.waiting.values().map(|waiting| &waiting.record);
        let record = waiting
            .filter(|record| record.name == name)
            .max_by_key(|record| record.since)
            .or_else(|| self.journal.request(name))?;
        Some(self.journal.explain(record, &self.names(), Instant::now()))
    }
}
