//! How a model leaves memory.

use super::{BRIEF, Phase, Scheduler};
use crate::model::{Leaving, Residency};
use crate::{Action, ModelId, ModelSpec, Note, PinnedBy, Refusal, Wanted};
use std::time::{Duration, Instant};

impl Scheduler {
    /// Lets nobody new in; it stops when nothing is in flight, which may be now.
    fn leave(&mut self, at: ModelId, why: Leaving) {
        // What it holds can be promised from here on.
        self.unsettled = true;
        let model = &mut self.models[at.0];
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
                    why,
                };
                self.transition(at, draining);
            }
            Residency::Loading { .. } | Residency::Warm { .. } | Residency::Draining { .. } => {
                self.stop(at, why);
            }
            Residency::Stopping { .. } => self.transition(at, Residency::Stopping { why }),
            _ => {}
        }
    }

    pub(super) fn stop(&mut self, at: ModelId, why: Leaving) {
        self.transition(at, Residency::Stopping { why });
        self.out.push(Action::Stop { model: at });
        self.unsettled = true;
    }

    /// Its child is gone, and its memory free.
    pub(super) fn stopped(&mut self, at: ModelId, now: Instant) {
        let model = &mut self.models[at.0];
        let why = match model.residency {
            Residency::Draining { why, .. } | Residency::Stopping { why } => why,
            // Nobody asked for it: it is as cold as if somebody had.
            Residency::Loading { .. } | Residency::Warm { .. } => Leaving::Unloaded,
            _ => return,
        };
        model.gate.shut();
        let again = why == Leaving::Reconfigured && model.spec.always;
        model.asked |= again;
        let left = match why {
            Leaving::Removed => Residency::Gone,
            _ => Residency::Cold,
        };
        self.transition(at, left);
        if self.phase == Phase::Serving && why != Leaving::Removed && self.models[at.0].is_wanted()
        {
            self.inspect(at, Wanted::Queue, now);
        }
    }

    /// Busy, it makes room for one that has waited long enough: what is in flight may finish, what
    /// is queued waits for its next turn.
    pub(super) fn yield_to(&mut self, at: ModelId, to: ModelId, waited: Duration) {
        let in_flight = self.models[at.0].gate.in_flight();
        self.note(
            at,
            Note::Yields {
                to,
                waited,
                in_flight,
            },
        );
        self.leave(at, Leaving::Yields { to });
    }

    /// Nobody wants it any more. What has not begun does not begin: who drains for it stays. A load
    /// that has begun is finished, unless another model needs the room, now or before it is ready.
    pub(super) fn abandon(&mut self, at: ModelId) {
        match self.models[at.0].residency {
            Residency::Waiting { .. } | Residency::Claiming { .. } => {}
            Residency::Loading { .. } => {
                self.unsettled = true;
                return;
            }
            _ => return,
        }
        self.transition(at, Residency::Cold);
        self.note(at, Note::Abandoned);
        self.unsettled = true;
        if self.stay_for(at) {
            self.take_claims_back();
        }
    }

    /// What is promised counts on a model that stays after all: those to whom it is promised wait
    /// again, each in its place, and room is made another way where there is one.
    pub(super) fn take_claims_back(&mut self) {
        for at in self.claims.clone() {
            let Residency::Claiming { since, needs, .. } = self.models[at.0].residency else {
                continue;
            };
            self.stay_for(at);
            self.wait(at, needs, since);
        }
    }

    /// Those that are busy and go for this model do not go any more. Whether there were any.
    fn stay_for(&mut self, at: ModelId) -> bool {
        let mut any = false;
        for victim in self.resident.clone() {
            if let Residency::Draining {
                since,
                generation,
                why: Leaving::Yields { to },
            } = self.models[victim.0].residency
                && to == at
            {
                self.transition(victim, Residency::Warm { since, generation });
                self.note(victim, Note::Stays);
                self.advance(victim);
                any = true;
            }
        }
        any
    }

    /// The operator wants it out of memory. Who waits for it is told so.
    pub(super) fn unload(&mut self, at: ModelId, now: Instant) {
        if self.models.get(at.0).is_none() {
            return;
        }
        self.models[at.0].asked = false;
        self.refuse_all(at, Refusal::Draining);
        self.abandon(at);
        match self.models[at.0].residency {
            Residency::Loading { .. } | Residency::Warm { .. } | Residency::Draining { .. } => {
                self.note(at, Note::Unloaded);
                self.leave(at, Leaving::Unloaded);
            }
            Residency::Failed { until } if until.is_some_and(|until| until > now) => {
                self.transition(at, Residency::Cold);
            }
            _ => {}
        }
    }

    /// Its configuration is another one. Who waits for it goes on waiting. A pin of the operator's holds
    /// until the configuration says something else of pins than before.
    pub(super) fn change(&mut self, at: ModelId, spec: ModelSpec, restart: bool, now: Instant) {
        let Some(model) = self.models.get_mut(at.0) else {
            return;
        };
        let before = std::mem::replace(&mut model.spec, spec);
        if spec.pinned != before.pinned {
            self.pin(at, spec.pinned, PinnedBy::Configuration);
        }
        self.watch(at);
        self.unsettled = true;
        if !restart {
            return self.advance(at);
        }
        match self.models[at.0].residency {
            Residency::Loading { .. } | Residency::Warm { .. } | Residency::Draining { .. } => {
                self.note(at, Note::Reconfigured);
                self.leave(at, Leaving::Reconfigured);
            }
            Residency::Waiting { .. } | Residency::Claiming { .. } => {
                self.abandon(at);
                self.inspect(at, Wanted::Queue, now);
            }
            // What was found before is of the files before.
            Residency::Inspecting { .. } => self.out.push(Action::Inspect { model: at }),
            Residency::Failed { .. } if spec.always => self.load(at, now),
            Residency::Failed { .. } => self.transition(at, Residency::Cold),
            Residency::Cold | Residency::Stopping { .. } | Residency::Gone => {}
        }
    }

    /// It is no longer configured. What is in flight may finish.
    pub(super) fn remove(&mut self, at: ModelId, _now: Instant) {
        if self.models.get(at.0).is_none() {
            return;
        }
        self.models[at.0].asked = false;
        self.refuse_all(at, Refusal::Gone);
        self.abandon(at);
        if self.resident.contains(&at) {
            self.note(at, Note::Reconfigured);
            self.leave(at, Leaving::Removed);
        } else {
            self.transition(at, Residency::Gone);
        }
    }

    /// When its keep-alive is over at the earliest; nothing where nobody has to look.
    pub(super) fn keep_alive_ends(&self, at: ModelId, now: Instant) -> Option<Instant> {
        let model = &self.models[at.0];
        let keep = model.spec.keep_alive.filter(|_| !model.pinned)?;
        let Residency::Warm { .. } = model.residency else {
            return None;
        };
        match self.idle(at, now) {
            Some(idle) => Some(now + keep.saturating_sub(idle)),
            // A gate that tells of its last lease is looked at then.
            None if keep < BRIEF => None,
            None => Some(now + keep),
        }
    }

    pub(super) fn end_keep_alives(&mut self, now: Instant) {
        for at in self.resident.clone() {
            self.end_keep_alive(at, now);
        }
    }

    pub(super) fn end_keep_alive(&mut self, at: ModelId, now: Instant) {
        if self.phase != Phase::Serving || self.keep_alive_ends(at, now).is_none_or(|end| end > now)
        {
            return;
        }
        let idle = self.idle(at, now).unwrap_or_default();
        if self.models[at.0].gate.shut_if_idle() {
            self.note(at, Note::KeepAliveOver { idle });
            self.stop(at, Leaving::KeepAlive);
        }
    }

    /// Shuts every gate and empties every queue; asked again, it can only bring the deadline
    /// forward. What is idle stops at once.
    pub(super) fn shutdown(&mut self, deadline: Instant) {
        if let Phase::Draining { deadline: before } = self.phase {
            self.phase = Phase::Draining {
                deadline: before.min(deadline),
            };
            return;
        }
        self.phase = Phase::Draining { deadline };
        for at in (0..self.models.len()).map(ModelId) {
            self.models[at.0].asked = false;
            self.refuse_all(at, Refusal::ShuttingDown);
            if self.resident.contains(&at) {
                self.leave(at, Leaving::Shutdown);
            } else if self.models[at.0].residency != Residency::Gone {
                self.transition(at, Residency::Cold);
            }
        }
    }

    /// The deadline has come: what is still in flight is ended.
    pub(super) fn cut(&mut self) {
        for at in self.resident.clone() {
            if let Residency::Draining { why, .. } = self.models[at.0].residency {
                self.out.push(Action::Cut { model: at });
                self.stop(at, why);
            }
        }
    }
}
