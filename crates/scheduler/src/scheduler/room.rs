//! Room: who waits for it, who makes it, who gets it.

use super::{Phase, Scheduler};
use crate::model::{Leaving, Model, Residency};
use crate::victims::{Candidate, choose};
use crate::{Action, Memory, ModelId, Note, Refusal};
use std::time::{Duration, Instant};

/// What a load costs at the least, however fast it was: a swap is never free.
const LEAST_LOAD: Duration = Duration::from_millis(100);

/// What can be given away, while one model after the other is considered.
pub(super) struct Room {
    budget: Memory,
    /// What is held or promised, without models that are leaving.
    taken: Memory,
    /// What there would be if everything went that may.
    most: Memory,
    /// Who may go at once.
    pub(super) idle: Vec<Candidate>,
}

impl Room {
    /// What nobody holds or is promised.
    fn spare(&self) -> Memory {
        self.budget.minus(&self.taken)
    }

    /// Returns what has to be freed for a model that needs this much. Where more is taken than the budget
    /// allows, that has to be freed as well.
    pub(super) fn missing(&self, needs: &Memory) -> Memory {
        let over = self.taken.plus(needs).minus(&self.budget);
        over.masked_by(needs)
    }

    /// What could be given away now.
    fn to_give(&self) -> Memory {
        let idle = self.idle.iter();
        idle.fold(self.spare(), |sum, candidate| sum.plus(&candidate.holds))
    }
}

/// What became of a model that waits for room.
enum Turn {
    /// It has left the line.
    Over,
    /// It goes on waiting, and those behind it may be luckier.
    Waits,
    /// It goes on waiting, and nobody overtakes it any more.
    Blocks,
}

impl Scheduler {
    /// Gives the memory there is to those who wait for it, after each event that may have changed
    /// either:
    /// 1. what is promised is started as soon as it is free, and taken back if it never will be;
    /// 2. those in line get what is spare, or what idle models free;
    /// 3. who has waited `max_wait` gets what busy models free, and is not overtaken.
    pub(super) fn settle(&mut self, now: Instant) {
        self.settled = Some(now);
        if self.phase != Phase::Serving {
            return;
        }
        self.relieve(now);
        // 1.
        if self.is_overpromised() {
            self.take_claims_back();
        }
        self.start_claims(now);
        while !self.line.is_empty() {
            self.tell(true);
            self.serve_line(now);
            if !self.start_claims(now) {
                break;
            }
        }
        if self.line.is_empty() {
            self.tell(false);
        }
    }

    /// Considers those in line, the first one first. It ends where nobody further back can be given
    /// anything: when what there is is less than any of them needs, and who comes next still has
    /// time, or when somebody blocks.
    fn serve_line(&mut self, now: Instant) {
        let mut room = self.room(now);
        let newcomers = std::mem::take(&mut self.newcomers);
        for at in &newcomers {
            if self.refuse_hopeless(*at, &room, now) || self.tries_first(*at, &room) {
                self.line.retain(|other| other != at);
            }
        }
        let mut place = 0;
        while let Some(at) = self.line.get(place).copied() {
            let Residency::Waiting { since, .. } = self.models[at.0].residency else {
                self.line.remove(place);
                continue;
            };
            if now < since + self.policy.max_wait && !self.least.fits(&room.to_give()) {
                break;
            }
            match self.consider(at, &mut room, now) {
                Turn::Over => {
                    self.line.remove(place);
                }
                Turn::Waits => place += 1,
                Turn::Blocks => break,
            }
        }
        for at in newcomers {
            self.goes_on_waiting(at, room.spare());
        }
    }

    pub(super) fn room(&mut self, now: Instant) -> Room {
        let stays = self.held(Model::stays);
        let pinned = self.held(Model::stays_pinned);
        Room {
            budget: self.budget,
            taken: stays.plus(&self.claimed()),
            most: self.budget.minus(&pinned),
            idle: self.candidates(now, false),
        }
    }

    fn consider(&mut self, at: ModelId, room: &mut Room, now: Instant) -> Turn {
        let Residency::Waiting { since, needs, .. } = self.models[at.0].residency else {
            return Turn::Over;
        };
        if self.refuse_hopeless(at, room, now) {
            return Turn::Over;
        }
        loop {
            let missing = room.missing(&needs);
            if missing == Memory::NONE {
                self.claim(at, Vec::new(), room);
                return Turn::Over;
            }
            if self.tries_first(at, room) {
                return Turn::Over;
            }
            let Some(victims) = choose(&room.idle, &missing) else {
                break;
            };
            if self.evict(at, &victims, room, now) {
                self.claim(at, victims, room);
                return Turn::Over;
            }
        }
        if now < since + self.policy.max_wait {
            return Turn::Waits;
        }
        let all = self.candidates(now, true);
        let Some(victims) = choose(&all, &room.missing(&needs)) else {
            return Turn::Blocks;
        };
        for victim in &victims {
            self.yield_to(victim.model, at, now.saturating_duration_since(since));
            room.taken = room.taken.minus(&victim.holds);
            room.idle.retain(|idle| idle.model != victim.model);
        }
        self.claim(at, victims, room);
        Turn::Over
    }

    /// Refuses a model that could not be loaded even if all went that may. Whether it is refused.
    fn refuse_hopeless(&mut self, at: ModelId, room: &Room, now: Instant) -> bool {
        let Residency::Waiting { needs, .. } = self.models[at.0].residency else {
            return false;
        };
        if needs.fits(&room.most) {
            return false;
        }
        if self.models[at.0].ran_out {
            self.give_up(at, room.most, now);
        } else {
            self.does_not_fit(at, needs, room.most);
        }
        true
    }

    /// Has the files of a model tried that nobody has seen loaded, before another model goes for it. Returns
    /// true if the model waits for that now instead.
    fn tries_first(&mut self, at: ModelId, room: &Room) -> bool {
        let model = &mut self.models[at.0];
        let Residency::Waiting { since, needs } = model.residency else {
            return false;
        };
        if model.demand.is_proven || room.missing(&needs) == Memory::NONE {
            return false;
        }
        model.residency = Residency::Inspecting { since };
        self.note(at, Note::Tries);
        self.out.push(Action::Try { model: at });
        true
    }

    /// Sends idle models away. False if one of them was not idle after all: then it stays, and the
    /// choice is to be made again.
    fn evict(&mut self, by: ModelId, victims: &[Candidate], room: &mut Room, now: Instant) -> bool {
        for victim in victims {
            let at = victim.model;
            room.idle.retain(|idle| idle.model != at);
            let idle = self.idle(at, now).unwrap_or_default();
            if !self.models[at.0].gate.shut_if_idle() {
                return false;
            }
            self.note(
                at,
                Note::Evicted {
                    by,
                    idle,
                    worth: victim.worth,
                    frees: victim.holds,
                },
            );
            self.stop(at, Leaving::Evicted);
            room.taken = room.taken.minus(&victim.holds);
        }
        true
    }

    /// Keeps the room for the model until it can be started.
    fn claim(&mut self, at: ModelId, victims: Vec<Candidate>, room: &mut Room) {
        let Residency::Waiting { since, needs } = self.models[at.0].residency else {
            return;
        };
        room.taken = room.taken.plus(&needs);
        let after: Vec<ModelId> = victims.into_iter().map(|victim| victim.model).collect();
        if !after.is_empty() {
            let victims = after.clone();
            self.note(at, Note::MakesRoom { needs, victims });
            self.out.push(Action::Prefetch { model: at });
        }
        self.models[at.0].residency = Residency::Claiming {
            since,
            needs,
            after,
        };
        self.claims.push(at);
    }

    /// Returns true if a claim counts on memory that will not be there when everything that is leaving has
    /// left: a model was measured to hold more since, or the budget is smaller.
    fn is_overpromised(&self) -> bool {
        let taken = self.held(Model::stays).plus(&self.claimed());
        let over = taken.minus(&self.budget);
        self.claims
            .iter()
            .any(|at| match &self.models[at.0].residency {
                Residency::Claiming { needs, .. } => over.meets(needs),
                _ => false,
            })
    }

    /// Starts those whose room is free now, in the order in which they claimed it. Returns true if one of
    /// them left something of its claim to others: after a load that ran out of memory more is kept free than
    /// the model is thought to hold.
    fn start_claims(&mut self, now: Instant) -> bool {
        let mut leaves_some = false;
        let mut free = self.budget.minus(&self.held(|_| true));
        for at in std::mem::take(&mut self.claims) {
            let Residency::Claiming { needs, after, .. } = &self.models[at.0].residency else {
                continue;
            };
            let needs = *needs;
            let gone = !after.iter().any(|victim| self.resident.contains(victim));
            if gone && needs.fits(&free) {
                self.start(at, free, now);
                leaves_some |= !needs.fits(&self.models[at.0].holds);
            } else {
                self.claims.push(at);
            }
            free = free.minus(&needs);
        }
        leaves_some
    }

    fn does_not_fit(&mut self, at: ModelId, needs: Memory, available: Memory) {
        let model = &mut self.models[at.0];
        model.asked = false;
        model.residency = Residency::Cold;
        let in_the_way = match needs.fits(&self.budget) {
            true => self.who(Model::stays_pinned),
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
        self.note(at, note);
        self.refuse_all(at, refusal);
    }

    fn goes_on_waiting(&mut self, at: ModelId, free: Memory) {
        let Residency::Waiting { needs, .. } = self.models[at.0].residency else {
            return;
        };
        let note = Note::WaitsForRoom {
            needs,
            free,
            kept: self.who(|model| model.stays() && !model.pinned),
            pinned: self.who(Model::stays_pinned),
        };
        self.note(at, note);
    }

    /// The resident models of which this is true.
    fn who(&self, which: impl Fn(&Model) -> bool) -> Vec<ModelId> {
        let resident = self.resident.iter().copied();
        resident.filter(|at| which(&self.models[at.0])).collect()
    }

    /// The models that may go: those that are idle and have been ready for their minimum
    /// residency, and those that load though nobody waits for them any more. With the `busy` ones
    /// also those in use that have served for at least as long as their load took.
    pub(super) fn candidates(&mut self, now: Instant, busy: bool) -> Vec<Candidate> {
        let mut found = Vec::new();
        for at in self.resident.clone() {
            let unused = self.is_unused(at, now);
            let model = &mut self.models[at.0];
            let may_go = match model.residency {
                Residency::Loading { .. } => unused,
                Residency::Warm { since, .. } => {
                    let least = match unused {
                        true => self.policy.min_residency,
                        false => self.policy.min_residency.max(model.demand.load),
                    };
                    (unused || busy) && now >= since + least
                }
                _ => false,
            };
            if may_go && !model.pinned {
                let last = self.epoch.moment(model.gate.used());
                let lately = model.uses.update(model.gate.uses(), last, now);
                found.push(Candidate {
                    model: at,
                    holds: model.holds,
                    worth: lately * model.demand.load.max(LEAST_LOAD).as_secs_f64(),
                });
            }
        }
        found
    }

    /// When more was measured than was expected, idle models go until the budget is kept again.
    fn relieve(&mut self, now: Instant) {
        let over = self.held(Model::stays).minus(&self.budget);
        if over == Memory::NONE {
            return;
        }
        let mut idle = self.candidates(now, false);
        idle.sort_by(|a, b| a.worth.total_cmp(&b.worth));
        let mut freed = Memory::NONE;
        for candidate in idle {
            let at = candidate.model;
            if over.fits(&freed) {
                break;
            }
            let idle = self.idle(at, now).unwrap_or_default();
            if candidate.holds.meets(&over) && self.models[at.0].gate.shut_if_idle() {
                freed = freed.plus(&candidate.holds);
                self.note(at, Note::OverBudget { idle, over });
                self.stop(at, Leaving::Evicted);
            }
        }
    }

    /// When the turn of the first in line comes at the latest, or something may have become free
    /// for it of which nobody tells: the first such moment that has not been settled yet, even if it
    /// has passed since.
    pub(super) fn turn(&self, first: ModelId) -> Option<Instant> {
        let Residency::Waiting { since, .. } = self.models[first.0].residency else {
            return None;
        };
        let residencies = self.resident.iter().flat_map(|at| {
            let model = &self.models[at.0];
            let Residency::Warm { since, .. } = model.residency else {
                return [None, None];
            };
            let idle = since + self.policy.min_residency;
            [Some(idle), Some(idle.max(since + model.demand.load))]
        });
        std::iter::once(since + self.policy.max_wait)
            .chain(residencies.flatten())
            .filter(|at| self.settled.is_none_or(|settled| *at > settled))
            .min()
    }

    /// Asks the resident models' gates to tell, or not, when they fall idle.
    fn tell(&mut self, tell: bool) {
        if self.telling != tell {
            self.telling = tell;
            for at in self.resident.clone() {
                self.watch(at);
            }
        }
    }

    /// Asks a model's gate to tell when it falls idle, where that is worth knowing at once.
    pub(super) fn watch(&self, at: ModelId) {
        let model = &self.models[at.0];
        let brief = model
            .spec
            .keep_alive
            .is_some_and(|keep| keep < super::BRIEF);
        model.gate.tell(self.telling || brief);
        model.gate.set_wanted(self.telling);
    }
}
