//! Unloads models: for another model, after their keep-alive, for the operator or a configuration change, at shutdown.
//!
//! Keep-alive is the time that an unused model stays in memory. A model drains: its gate admits no new request, and
//! those in flight finish.

use super::{SHORT_KEEP_ALIVE, Scheduler, ServicePhase};
use crate::model::{Residency, UnloadReason};
use crate::{Action, ModelId, ModelSpec, Note, PinnedBy, Refusal, WantedBy};
use std::time::{Duration, Instant};

impl Scheduler {
    /// Shuts a model's gate, and stops the model when no request is in flight, which may be now.
    fn begin_unload(&mut self, model_id: ModelId, reason: UnloadReason) {
        // The memory it holds can be promised from here on.
        self.needs_settling = true;
        let model = &mut self.models[model_id.0];
        let in_flight = model.gate.shut();
        match model.residency {
            Residency::Warm { since, generation }
            | Residency::Draining {
                since, generation, ..
            }
            // A child that answers while it loads is stopped only after its answers are complete.
            | Residency::Loading {
                since,
                listening: Some(generation),
            } if in_flight > 0 => {
                let draining = Residency::Draining {
                    since,
                    generation,
                    reason,
                };
                self.transition(model_id, draining);
            }
            Residency::Loading { .. } | Residency::Warm { .. } | Residency::Draining { .. } => {
                self.stop(model_id, reason);
            }
            Residency::Stopping { .. } => self.transition(model_id, Residency::Stopping { reason }),
            _ => {}
        }
    }

    /// Stops a model's instance. The memory stays counted until the child has exited.
    pub(super) fn stop(&mut self, model_id: ModelId, reason: UnloadReason) {
        self.transition(model_id, Residency::Stopping { reason });
        self.actions.push(Action::Stop { model: model_id });
        self.needs_settling = true;
    }

    /// Handles a child that has exited and released its memory.
    pub(super) fn handle_stopped(&mut self, model_id: ModelId, now: Instant) {
        let model = &mut self.models[model_id.0];
        let reason = match model.residency {
            Residency::Draining { reason, .. } | Residency::Stopping { reason } => reason,
            // An unrequested stop leaves the model as cold as a requested one.
            Residency::Loading { .. } | Residency::Warm { .. } => UnloadReason::Operator,
            _ => return,
        };
        model.gate.shut();
        let again = reason == UnloadReason::Reconfigured && model.spec.keep_loaded;
        model.load_requested |= again;
        let left = match reason {
            UnloadReason::Removed => Residency::Removed,
            _ => Residency::Cold,
        };
        self.transition(model_id, left);
        if self.phase == ServicePhase::Serving
            && reason != UnloadReason::Removed
            && self.models[model_id.0].is_wanted()
        {
            self.inspect(model_id, WantedBy::Queue, now);
        }
    }

    /// Drains a busy model for another one that has waited long enough. Requests in flight may finish; queued
    /// ones wait for the next load.
    pub(super) fn drain_for(&mut self, model_id: ModelId, to: ModelId, waited: Duration) {
        let in_flight = self.models[model_id.0].gate.in_flight();
        self.note(
            model_id,
            Note::DrainsFor {
                to,
                waited,
                in_flight,
            },
        );
        self.begin_unload(model_id, UnloadReason::MakesRoom { to });
    }

    /// Gives up a model that is no longer wanted. A load that has not begun is cancelled, and models that drain
    /// for it stay. A load that has begun continues, unless another model needs the memory before it is ready.
    pub(super) fn abandon(&mut self, model_id: ModelId) {
        match self.models[model_id.0].residency {
            Residency::Waiting { .. } | Residency::Claiming { .. } => {}
            Residency::Loading { .. } => {
                self.needs_settling = true;
                return;
            }
            _ => return,
        }
        self.transition(model_id, Residency::Cold);
        self.note(model_id, Note::Abandoned);
        self.needs_settling = true;
        if self.cancel_drains_for(model_id) {
            self.revoke_claims();
        }
    }

    /// Revokes all claims, because a model stays on whose memory they count: each claimant waits again in its
    /// old place, and other models make room if possible.
    pub(super) fn revoke_claims(&mut self) {
        for model_id in self.claims.clone() {
            let Residency::Claiming { since, needs, .. } = self.models[model_id.0].residency else {
                continue;
            };
            self.cancel_drains_for(model_id);
            self.wait_for_memory(model_id, needs, since);
        }
    }

    /// Cancels the drains of busy models for this one. Returns true if there were any.
    fn cancel_drains_for(&mut self, model_id: ModelId) -> bool {
        let mut any = false;
        for victim in self.resident.clone() {
            if let Residency::Draining {
                since,
                generation,
                reason: UnloadReason::MakesRoom { to },
            } = self.models[victim.0].residency
                && to == model_id
            {
                self.transition(victim, Residency::Warm { since, generation });
                self.note(victim, Note::DrainCancelled);
                self.grant_queued(victim);
                any = true;
            }
        }
        any
    }

    /// Unloads a model for the operator and refuses its queued requests.
    pub(super) fn unload(&mut self, model_id: ModelId, now: Instant) {
        if self.models.get(model_id.0).is_none() {
            return;
        }
        self.models[model_id.0].load_requested = false;
        self.refuse_all(model_id, Refusal::Draining);
        self.abandon(model_id);
        match self.models[model_id.0].residency {
            Residency::Loading { .. } | Residency::Warm { .. } | Residency::Draining { .. } => {
                self.note(model_id, Note::Unloaded);
                self.begin_unload(model_id, UnloadReason::Operator);
            }
            Residency::Failed { until } if until.is_some_and(|until| until > now) => {
                self.transition(model_id, Residency::Cold);
            }
            _ => {}
        }
    }

    /// Applies a changed configuration. Queued requests keep waiting. An operator's pin holds until the
    /// configuration's own value of `pinned` changes.
    pub(super) fn change(
        &mut self,
        model_id: ModelId,
        spec: ModelSpec,
        restart: bool,
        now: Instant,
    ) {
        let Some(model) = self.models.get_mut(model_id.0) else {
            return;
        };
        let before = std::mem::replace(&mut model.spec, spec);
        if spec.pinned != before.pinned {
            self.pin(model_id, spec.pinned, PinnedBy::Configuration);
        }
        self.update_gate(model_id);
        self.needs_settling = true;
        if !restart {
            return self.grant_queued(model_id);
        }
        match self.models[model_id.0].residency {
            Residency::Loading { .. } | Residency::Warm { .. } | Residency::Draining { .. } => {
                self.note(model_id, Note::Reconfigured);
                self.begin_unload(model_id, UnloadReason::Reconfigured);
            }
            Residency::Waiting { .. } | Residency::Claiming { .. } => {
                self.abandon(model_id);
                self.inspect(model_id, WantedBy::Queue, now);
            }
            // The last inspection saw the old files.
            Residency::Inspecting { .. } => self.actions.push(Action::Inspect { model: model_id }),
            Residency::Failed { .. } if spec.keep_loaded => self.load(model_id, now),
            Residency::Failed { .. } => self.transition(model_id, Residency::Cold),
            Residency::Cold | Residency::Stopping { .. } | Residency::Removed => {}
        }
    }

    /// Removes a model from the configuration. Requests in flight may finish.
    pub(super) fn remove(&mut self, model_id: ModelId, _now: Instant) {
        if self.models.get(model_id.0).is_none() {
            return;
        }
        self.models[model_id.0].load_requested = false;
        self.refuse_all(model_id, Refusal::Removed);
        self.abandon(model_id);
        if self.resident.contains(&model_id) {
            self.note(model_id, Note::Reconfigured);
            self.begin_unload(model_id, UnloadReason::Removed);
        } else {
            self.transition(model_id, Residency::Removed);
        }
    }

    /// Returns the earliest end of a model's keep-alive; `None` if no timer is needed.
    pub(super) fn keep_alive_deadline(&self, model_id: ModelId, now: Instant) -> Option<Instant> {
        let model = &self.models[model_id.0];
        let keep = model.spec.keep_alive.filter(|_| !model.pinned)?;
        let Residency::Warm { .. } = model.residency else {
            return None;
        };
        match self.idle_time(model_id, now) {
            Some(idle) => Some(now + keep.saturating_sub(idle)),
            // The gate notifies of its last lease.
            None if keep < SHORT_KEEP_ALIVE => None,
            None => Some(now + keep),
        }
    }

    pub(super) fn end_keep_alives(&mut self, now: Instant) {
        for model_id in self.resident.clone() {
            self.end_keep_alive(model_id, now);
        }
    }

    pub(super) fn end_keep_alive(&mut self, model_id: ModelId, now: Instant) {
        if self.phase != ServicePhase::Serving
            || self
                .keep_alive_deadline(model_id, now)
                .is_none_or(|end| end > now)
        {
            return;
        }
        let idle = self.idle_time(model_id, now).unwrap_or_default();
        if self.models[model_id.0].gate.shut_if_idle() {
            self.note(model_id, Note::KeepAliveExpired { idle });
            self.stop(model_id, UnloadReason::KeepAliveExpired);
        }
    }

    /// Shuts every gate and empties every queue, and stops idle models at once. A second call can only bring
    /// the deadline forward.
    pub(super) fn shutdown(&mut self, deadline: Instant) {
        if let ServicePhase::Draining { deadline: before } = self.phase {
            self.phase = ServicePhase::Draining {
                deadline: before.min(deadline),
            };
            return;
        }
        self.phase = ServicePhase::Draining { deadline };
        for model_id in (0..self.models.len()).map(ModelId) {
            self.models[model_id.0].load_requested = false;
            self.refuse_all(model_id, Refusal::ShuttingDown);
            if self.resident.contains(&model_id) {
                self.begin_unload(model_id, UnloadReason::Shutdown);
            } else if self.models[model_id.0].residency != Residency::Removed {
                self.transition(model_id, Residency::Cold);
            }
        }
    }

    /// Cuts off the requests in flight, because the deadline has passed.
    pub(super) fn cut_requests(&mut self) {
        for model_id in self.resident.clone() {
            if let Residency::Draining { reason, .. } = self.models[model_id.0].residency {
                self.actions.push(Action::Cut { model: model_id });
                self.stop(model_id, reason);
            }
        }
    }
}
