//! Serves the line of models that wait for memory: decides which model is next, which models are evicted for it, and
//! when it starts.
//!
//! A claim is memory that is reserved for a model until the models evicted for it have left memory.

mod claims;
mod headroom;
mod victims;

use super::{Scheduler, ServicePhase};
use crate::eviction::choose_victims;
use crate::model::{Residency, ScheduledModel};
use crate::{Action, Memory, ModelId, Note, Refusal};
use headroom::Headroom;
use std::time::Instant;

/// The result of considering a model in line.
enum LineOutcome {
    /// The model has left the line.
    Leaves,
    /// The model keeps waiting; models behind it may still be served.
    Waits,
    /// The model keeps waiting, and no model behind it is served.
    Blocks,
}

impl Scheduler {
    /// Distributes the free memory after an event that may have changed the supply or the demand:
    /// 1. models with a claim start as soon as their memory is free; claims that can never be met are revoked;
    /// 2. models in line get memory that is free, or that idle models free;
    /// 3. a model that has waited `max_wait` gets memory that busy models free, and is not overtaken.
    pub(super) fn settle(&mut self, now: Instant) {
        self.settled_at = Some(now);
        if self.phase != ServicePhase::Serving {
            return;
        }
        self.evict_over_budget(now);
        // 1.
        if self.is_overpromised() {
            self.revoke_claims();
        }
        self.start_claims(now);
        while !self.line.is_empty() {
            self.notify_when_idle(true);
            self.serve_line(now);
            if !self.start_claims(now) {
                break;
            }
        }
        if self.line.is_empty() {
            self.notify_when_idle(false);
        }
    }

    /// Considers the models in line, the first one first. Stops when no later model can be served: when less is
    /// available than any model needs and the next one still has time, or when a model blocks the line.
    fn serve_line(&mut self, now: Instant) {
        let mut headroom = self.headroom(now);
        let newcomers = std::mem::take(&mut self.newcomers);
        for model_id in &newcomers {
            if !self.refuse_hopeless(*model_id, &headroom, now) {
                self.try_first(*model_id, &headroom);
            }
        }
        let mut index = 0;
        while let Some(model_id) = self.line.get(index).copied() {
            let Residency::Waiting { since, .. } = self.models[model_id.0].residency else {
                break;
            };
            if now < since + self.policy.max_wait
                && !self.smallest_need.fits(&headroom.available_now())
            {
                break;
            }
            match self.consider(model_id, &mut headroom, now) {
                LineOutcome::Leaves => {}
                LineOutcome::Waits => index += 1,
                LineOutcome::Blocks => break,
            }
        }
        for model_id in newcomers {
            self.note_waiting(model_id, headroom.unclaimed());
        }
    }

    /// Serves a model in line from free memory, from idle models or, after `max_wait`, from busy models.
    fn consider(
        &mut self,
        model_id: ModelId,
        headroom: &mut Headroom,
        now: Instant,
    ) -> LineOutcome {
        let Residency::Waiting { since, needs, .. } = self.models[model_id.0].residency else {
            return LineOutcome::Leaves;
        };
        if self.refuse_hopeless(model_id, headroom, now) {
            return LineOutcome::Leaves;
        }
        loop {
            let missing = headroom.missing(&needs);
            if missing == Memory::NONE {
                self.claim(model_id, Vec::new(), headroom);
                return LineOutcome::Leaves;
            }
            if self.try_first(model_id, headroom) {
                return LineOutcome::Leaves;
            }
            let Some(victims) = choose_victims(&headroom.idle, &missing) else {
                break;
            };
            if self.evict(model_id, &victims, headroom, now) {
                self.claim(model_id, victims, headroom);
                return LineOutcome::Leaves;
            }
        }
        if now < since + self.policy.max_wait {
            return LineOutcome::Waits;
        }
        let all = self.candidates(now, true);
        let Some(victims) = choose_victims(&all, &headroom.missing(&needs)) else {
            return LineOutcome::Blocks;
        };
        for victim in &victims {
            self.drain_for(victim.model, model_id, now.saturating_duration_since(since));
            headroom.taken = headroom.taken.minus(&victim.memory);
            headroom.idle.retain(|idle| idle.model != victim.model);
        }
        self.claim(model_id, victims, headroom);
        LineOutcome::Leaves
    }

    /// Refuses a model that could not be loaded even if every model were evicted that may be. Returns true if
    /// it did.
    fn refuse_hopeless(&mut self, model_id: ModelId, headroom: &Headroom, now: Instant) -> bool {
        let Residency::Waiting { needs, .. } = self.models[model_id.0].residency else {
            return false;
        };
        if needs.fits(&headroom.ceiling) {
            return false;
        }
        if self.models[model_id.0].ran_out_of_memory {
            self.give_up(model_id, headroom.ceiling, now);
        } else {
            self.refuse_too_large(model_id, needs, headroom.ceiling);
        }
        true
    }

    /// Starts a trial of files that the engine has never loaded, before another model leaves memory for them.
    /// Returns true if the model waits for the trial.
    fn try_first(&mut self, model_id: ModelId, headroom: &Headroom) -> bool {
        let model = &self.models[model_id.0];
        let Residency::Waiting { since, needs } = model.residency else {
            return false;
        };
        if model.demand.is_proven || headroom.missing(&needs) == Memory::NONE {
            return false;
        }
        self.transition(model_id, Residency::Inspecting { since });
        self.note(model_id, Note::Tries);
        self.actions.push(Action::Try { model: model_id });
        true
    }

    fn refuse_too_large(&mut self, model_id: ModelId, needs: Memory, available: Memory) {
        self.models[model_id.0].load_requested = false;
        self.transition(model_id, Residency::Cold);
        let in_the_way = match needs.fits(&self.budget) {
            true => self.resident_where(ScheduledModel::is_pinned_in_memory),
            false => Vec::new(),
        };
        let refusal = Refusal::DoesNotFit {
            needs,
            available,
            pinned: !in_the_way.is_empty(),
        };
        let note = Note::DoesNotFit {
            needs,
            available,
            pinned: in_the_way,
        };
        self.note(model_id, note);
        self.refuse_all(model_id, refusal);
    }

    fn note_waiting(&mut self, model_id: ModelId, free: Memory) {
        let Residency::Waiting { needs, .. } = self.models[model_id.0].residency else {
            return;
        };
        let note = Note::WaitsForRoom {
            needs,
            free,
            kept: self.resident_where(|model| model.is_loaded_or_loading() && !model.pinned),
            pinned: self.resident_where(ScheduledModel::is_pinned_in_memory),
        };
        self.note(model_id, note);
    }

    /// Returns the resident models that satisfy `which`.
    fn resident_where(&self, which: impl Fn(&ScheduledModel) -> bool) -> Vec<ModelId> {
        let resident = self.resident.iter().copied();
        resident
            .filter(|model_id| which(&self.models[model_id.0]))
            .collect()
    }

    /// Returns the latest moment at which the line must be served again: the first model's `max_wait`, or a
    /// moment at which a model becomes evictable without an event. Moments that were settled already are
    /// skipped; one that has passed since is not.
    pub(super) fn next_turn(&self, first: ModelId) -> Option<Instant> {
        let Residency::Waiting { since, .. } = self.models[first.0].residency else {
            return None;
        };
        let residencies = self.resident.iter().flat_map(|model_id| {
            let model = &self.models[model_id.0];
            let Residency::Warm { since, .. } = model.residency else {
                return [None, None];
            };
            let idle = since + self.policy.min_residency;
            [Some(idle), Some(idle.max(since + model.demand.load))]
        });
        std::iter::once(since + self.policy.max_wait)
            .chain(residencies.flatten())
            .filter(|moment| self.settled_at.is_none_or(|settled| *moment > settled))
            .min()
    }

    /// Sets whether the gates of resident models notify the scheduler when they fall idle.
    fn notify_when_idle(&mut self, notify: bool) {
        if self.notifies_idle != notify {
            self.notifies_idle = notify;
            for model_id in self.resident.clone() {
                self.update_gate(model_id);
            }
        }
    }

    /// Updates whether a model's gate notifies the scheduler when it falls idle.
    pub(super) fn update_gate(&self, model_id: ModelId) {
        let model = &self.models[model_id.0];
        let brief = model
            .spec
            .keep_alive
            .is_some_and(|keep| keep < super::SHORT_KEEP_ALIVE);
        model.gate.set_notify_idle(self.notifies_idle || brief);
        model.gate.set_memory_wanted(self.notifies_idle);
    }
}
