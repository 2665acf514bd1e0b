//! How a model leaves memory.

use super::{SHORT_KEEP_ALIVE, Scheduler, ServicePhase};
use crate::model::{Residency, UnloadReason};
use crate::{Action, ModelId, ModelSpec, Note, PinnedBy, Refusal, WantedBy};
use std::time::{Duration, Instant};

impl Scheduler {
    /// Lets nobody new in; it stops when nothing is in flight, which may be now.
    fn begin_unload(&mut self, model_id: ModelId, reason: UnloadReason) {
        // What it holds can be promised from here on.
        self.needs_settling = true;
        let model = &mut self.models[model_id.0];
        let in_flight = model.gate.shut();
        match model.residency {
            Residency::Warm { since, generation }
            | Residency::Draining {
                since, generation, ..
            }
            // A child that answers while it loads is only let go when its answers are out.
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

    pub(super) fn stop(&mut self, model_id: ModelId, reason: UnloadReason) {
        self.transition(model_id, Residency::Stopping { reason });
        self.actions.push(Action::Stop { model: model_id });
        self.needs_settling = true;
    }

    /// Its child is gone, and its memory free.
    pub(super) fn handle_stopped(&mut self, model_id: ModelId, now: Instant) {
        let model = &mut self.models[model_id.0];
        let reason = match model.residency {
            Residency::Draining { reason, .. } | Residency::Stopping { reason } => reason,
            // Nobody asked for it: it is as cold as if somebody had.
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

    /// Busy, it makes room for one that has waited long enough: what is in flight may finish, what
    /// is queued waits for its next turn.
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

    /// Nobody wants it any more. What has not begun does not begin: who drains for it stays. A load
    /// that has begun is finished, unless another model needs the room, now or before it is ready.
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

    /// What is promised counts on a model that stays after all: those to whom it is promised wait
    /// again, each in its place, and room is made another way where there is one.
    pub(super) fn revoke_claims(&mut self) {
        for model_id in self.claims.clone() {
            let Residency::Claiming { since, needs, .. } = self.models[model_id.0].residency else {
                continue;
            };
            self.cancel_drains_for(model_id);
            self.wait_for_memory(model_id, needs, since);
        }
    }

    /// Those that are busy and go for this model do not go any more. Whether there were any.
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

    /// The operator wants it out of memory. Who waits for it is told so.
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

    /// Its configuration is another one. Who waits for it goes on waiting. A pin of the operator's holds
    /// until the configuration says something else of pins than before.
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
            // What was found before is of the files before.
            Residency::Inspecting { .. } => self.actions.push(Action::Inspect { model: model_id }),
            Residency::Failed { .. } if spec.keep_loaded => self.load(model_id, now),
            Residency::Failed { .. } => self.transition(model_id, Residency::Cold),
            Residency::Cold | Residency::Stopping { .. } | Residency::Removed => {}
        }
    }

    /// It is no longer configured. What is in flight may finish.
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

    /// When its keep-alive is over at the earliest; nothing where nobody has to look.
    pub(super) fn keep_alive_deadline(&self, model_id: ModelId, now: Instant) -> Option<Instant> {
        let model = &self.models[model_id.0];
        let keep = model.spec.keep_alive.filter(|_| !model.pinned)?;
        let Residency::Warm { .. } = model.residency else {
            return None;
        };
        match self.idle_time(model_id, now) {
            Some(idle) => Some(now + keep.saturating_sub(idle)),
            // A gate that tells of its last lease is looked at then.
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

    /// Shuts every gate and empties every queue; asked again, it can only bring the deadline
    /// forward. What is idle stops at once.
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

    /// The deadline has come: what is still in flight is ended.
    pub(super) fn cut_requests(&mut self) {
        for model_id in self.resident.clone() {
            if let Residency::Draining { reason, .. } = self.models[model_id.0].residency {
                self.actions.push(Action::Cut { model: model_id });
                self.stop(model_id, reason);
            }
        }
    }
}
