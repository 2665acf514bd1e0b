//! Requests: in, granted, refused, gone.

use super::{Phase, Queued, Scheduler};
use crate::model::{Leaving, Residency};
use crate::{Action, Generation, ModelId, Refusal, RequestId, Wanted};
use std::time::Instant;

/// How many timeouts of requests that are gone are kept beyond as many as there are of others.
const STALE: usize = 64;

impl Scheduler {
    /// A request that could not pass the gate:
    /// 1. while stopping, or for a model that is gone, failed or being unloaded, it is refused;
    /// 2. one that takes no slot goes at once where the model serves;
    /// 3. when the queue is full, it is refused;
    /// 4. else it waits its turn, which may be now; a cold model is looked at.
    pub(super) fn request(
        &mut self,
        id: RequestId,
        queued: Queued,
        takes_slot: bool,
        now: Instant,
    ) {
        let at = queued.model;
        let Some(model) = self.models.get_mut(at.0) else {
            return;
        };
        let refusal = match model.residency {
            // 1.
            _ if self.phase != Phase::Serving => Some(Refusal::ShuttingDown),
            Residency::Failed { until: Some(until) } if until > now => Some(Refusal::LoadFailed),
            Residency::Draining {
                why: Leaving::Unloaded,
                ..
            } => Some(Refusal::Draining),
            Residency::Gone
            | Residency::Draining {
                why: Leaving::Removed,
                ..
            }
            | Residency::Stopping {
                why: Leaving::Removed,
            } => Some(Refusal::Gone),
            // 2.
            _ if !takes_slot && model.routable().is_some() => {
                let generation = model.gate.grant();
                self.out.push(Action::Grant {
                    id,
                    model: at,
                    generation,
                });
                return;
            }
            // 3.
            _ if model.queue.len() >= self.policy.queue_limit => Some(Refusal::QueueFull),
            _ => None,
        };
        if let Some(refusal) = refusal {
            self.refuse(id, at, refusal);
            return;
        }
        // 4.
        model.queue.push(queued.client, id);
        self.queued.insert(id, queued);
        self.timeouts
            .push_back((now + self.policy.queue_timeout, id));
        self.forget_timeouts();
        match self.models[at.0].residency {
            Residency::Cold | Residency::Failed { .. } => {
                self.inspect(at, Wanted::Request(id), now);
            }
            _ => self.advance(at),
        }
    }

    /// Takes a lease for a request that is no use of its model, if the model serves. Such a request neither waits
    /// nor has anything loaded, and takes no slot.
    pub fn observe(&self, model: ModelId) -> Option<Generation> {
        let model = self.models.get(model.0)?;
        let serves = self.phase == Phase::Serving && model.routable().is_some();
        serves.then(|| model.gate.grant())
    }

    /// A client that left: its request is gone at once, and a load nobody waits for any more is
    /// abandoned unless it has begun.
    pub(super) fn cancel(&mut self, id: RequestId) {
        let Some(gone) = self.queued.remove(&id) else {
            return;
        };
        let live = &self.queued;
        let model = &mut self.models[gone.model.0];
        model.queue.cancel(gone.client, |id| live.contains_key(&id));
        self.forget_timeouts();
        self.advance(gone.model);
        if !self.models[gone.model.0].is_wanted() {
            self.abandon(gone.model);
        }
    }

    /// A lease ended whose end somebody waits for.
    pub(super) fn released(&mut self, at: ModelId, now: Instant) {
        let Some(model) = self.models.get(at.0) else {
            return;
        };
        match model.residency {
            Residency::Draining { why, .. } if model.gate.in_flight() == 0 => self.stop(at, why),
            Residency::Draining { .. } => {}
            _ => self.advance(at),
        }
        self.end_keep_alive(at, now);
        self.unsettled |= !self.line.is_empty() && self.idle(at, now).is_some();
    }

    /// Grants as many queued requests as there is room for. The gate is open only while nobody is
    /// queued.
    pub(super) fn advance(&mut self, at: ModelId) {
        let model = &mut self.models[at.0];
        if self.phase != Phase::Serving || model.routable().is_none() {
            return;
        }
        if !model.queue.is_empty() {
            // Leases that end from here on are told of.
            let mut in_flight = model.gate.shut();
            while in_flight < model.spec.cap {
                let live = &self.queued;
                let Some(id) = model.queue.pop(|id| live.contains_key(&id)) else {
                    break;
                };
                self.queued.remove(&id);
                let generation = model.gate.grant();
                self.out.push(Action::Grant {
                    id,
                    model: at,
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
        self.out.push(Action::Refuse { id, model, refusal });
    }

    /// Refuses all who wait for the model.
    pub(super) fn refuse_all(&mut self, at: ModelId, refusal: Refusal) {
        let queued = &mut self.queued;
        let queue = &mut self.models[at.0].queue;
        while let Some(id) = queue.pop(|id| queued.contains_key(&id)) {
            queued.remove(&id);
            self.out.push(Action::Refuse {
                id,
                model: at,
                refusal,
            });
        }
    }

    /// Refuses those who have waited as long as they may.
    pub(super) fn time_out(&mut self, now: Instant) {
        while let Some((until, id)) = self.timeouts.front().copied() {
            let live = self.queued.get(&id).map(|queued| queued.model);
            if live.is_some() && until > now {
                break;
            }
            self.timeouts.pop_front();
            if let Some(model) = live {
                let refusal = self.models[model.0].too_long();
                self.refuse(id, model, refusal);
                self.cancel(id);
            }
        }
    }

    /// Keeps the timeouts of requests that are gone from piling up.
    fn forget_timeouts(&mut self) {
        if self.timeouts.len() > 2 * self.queued.len() + STALE {
            let live = &self.queued;
            self.timeouts.retain(|(_, id)| live.contains_key(id));
        }
    }
}
