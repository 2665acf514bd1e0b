//! Queues, grants, refuses and cancels requests that were not admitted by their model's gate (`gate.rs`).

use super::{QueuedRequest, Scheduler, ServicePhase};
use crate::model::{Residency, UnloadReason};
use crate::{Action, Generation, ModelId, Refusal, RequestId, WantedBy};
use std::time::Instant;

/// The number by which timeouts of requests that are no longer queued may exceed those of queued ones. Beyond it they
/// are removed, in one pass.
const MAX_STALE_TIMEOUTS: usize = 64;

impl Scheduler {
    /// Handles a request that could not pass the gate:
    /// 1. refused during shutdown, or if the model is removed, failed or being unloaded by the operator;
    /// 2. granted at once if it takes none of llama-server's slots and the model serves;
    /// 3. refused if the queue is full;
    /// 4. queued otherwise: the files of a cold or failed model are inspected, and a model that serves grants queued
    ///    requests while fewer than `cap` are in flight.
    pub(super) fn handle_request(
        &mut self,
        id: RequestId,
        queued: QueuedRequest,
        takes_slot: bool,
        now: Instant,
    ) {
        let model_id = queued.model;
        let Some(model) = self.models.get_mut(model_id.0) else {
            return;
        };
        let refusal = match model.residency {
            // 1.
            _ if self.phase != ServicePhase::Serving => Some(Refusal::ShuttingDown),
            Residency::Failed { until: Some(until) } if until > now => Some(Refusal::LoadFailed),
            Residency::Draining {
                reason: UnloadReason::Operator,
                ..
            } => Some(Refusal::Draining),
            Residency::Removed
            | Residency::Draining {
                reason: UnloadReason::Removed,
                ..
            }
            | Residency::Stopping {
                reason: UnloadReason::Removed,
            } => Some(Refusal::Removed),
            // 2.
            _ if !takes_slot && model.routable_generation().is_some() => {
                let generation = model.gate.grant();
                self.actions.push(Action::Grant {
                    id,
                    model: model_id,
                    generation,
                });
                return;
            }
            // 3.
            _ if model.queue.len() >= self.policy.queue_limit => Some(Refusal::QueueFull),
            _ => None,
        };
        if let Some(refusal) = refusal {
            self.refuse(id, model_id, refusal);
            return;
        }
        // 4.
        model.queue.push(queued.client, id);
        self.queued.insert(id, queued);
        self.timeouts
            .push_back((now + self.policy.queue_timeout, id));
        self.prune_timeouts();
        match self.models[model_id.0].residency {
            Residency::Cold | Residency::Failed { .. } => {
                self.inspect(model_id, WantedBy::Request(id), now);
            }
            _ => self.grant_queued(model_id),
        }
    }

    /// Takes a lease for a request that does not count as use of its model, if the model serves. Such a request does
    /// not wait, causes no load, and takes no slot.
    pub fn observe(&self, model: ModelId) -> Option<Generation> {
        let model = self.models.get(model.0)?;
        let serves = self.phase == ServicePhase::Serving && model.routable_generation().is_some();
        serves.then(|| model.gate.grant())
    }

    /// Removes the request of a client that left, and abandons a load that is no longer wanted.
    pub(super) fn cancel(&mut self, id: RequestId) {
        let Some(gone) = self.queued.remove(&id) else {
            return;
        };
        let live = &self.queued;
        let model = &mut self.models[gone.model.0];
        model.queue.cancel(gone.client, |id| live.contains_key(&id));
        self.prune_timeouts();
        self.grant_queued(gone.model);
        if !self.models[gone.model.0].is_wanted() {
            self.abandon(gone.model);
        }
    }

    /// Handles the end of a lease of which the gate notified.
    pub(super) fn handle_released(&mut self, model_id: ModelId, now: Instant) {
        let Some(model) = self.models.get(model_id.0) else {
            return;
        };
        match model.residency {
            Residency::Draining { reason, .. } if model.gate.in_flight() == 0 => {
                self.stop(model_id, reason);
            }
            Residency::Draining { .. } => {}
            _ => self.grant_queued(model_id),
        }
        self.end_keep_alive(model_id, now);
        self.needs_settling |= !self.line.is_empty() && self.is_unused(model_id, now);
    }

    /// Grants queued requests while leases are free. The gate is open only while the queue is empty.
    pub(super) fn grant_queued(&mut self, model_id: ModelId) {
        let model = &mut self.models[model_id.0];
        if self.phase != ServicePhase::Serving || model.routable_generation().is_none() {
            return;
        }
        if !model.queue.is_empty() {
            // The gate notifies of leases that end from here on.
            let mut in_flight = model.gate.shut();
            while in_flight < model.spec.cap {
                let live = &self.queued;
                let Some(id) = model.queue.pop(|id| live.contains_key(&id)) else {
                    break;
                };
                self.queued.remove(&id);
                let generation = model.gate.grant();
                self.actions.push(Action::Grant {
                    id,
                    model: model_id,
                    generation,
                });
                in_flight += 1;
            }
        }
        if model.queue.is_empty() {
            model.gate.open();
        }
    }

    pub(super) fn refuse(&mut self, id: RequestId, model: ModelId, refusal: Refusal) {
        self.actions.push(Action::Refuse { id, model, refusal });
    }

    /// Refuses all queued requests of a model.
    pub(super) fn refuse_all(&mut self, model_id: ModelId, refusal: Refusal) {
        let queued = &mut self.queued;
        let queue = &mut self.models[model_id.0].queue;
        while let Some(id) = queue.pop(|id| queued.contains_key(&id)) {
            queued.remove(&id);
            self.actions.push(Action::Refuse {
                id,
                model: model_id,
                refusal,
            });
        }
    }

    /// Refuses requests that have waited for the queue timeout.
    pub(super) fn expire_timeouts(&mut self, now: Instant) {
        while let Some((until, id)) = self.timeouts.front().copied() {
            let live = self.queued.get(&id).map(|queued| queued.model);
            if live.is_some() && until > now {
                break;
            }
            self.timeouts.pop_front();
            if let Some(model) = live {
                let refusal = self.models[model.0].timeout_refusal();
                self.refuse(id, model, refusal);
                self.cancel(id);
            }
        }
    }

    /// Removes the timeouts of requests that are gone once there are too many.
    fn prune_timeouts(&mut self) {
        if self.timeouts.len() > 2 * self.queued.len() + MAX_STALE_TIMEOUTS {
            let live = &self.queued;
            self.timeouts.retain(|(_, id)| live.contains_key(id));
        }
    }
}
