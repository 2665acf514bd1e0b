//! Loads: looked at, started, ready, failed.

use super::{InstanceIs, Phase, Scheduler};
use crate::model::Residency;
use crate::{Action, Demand, Generation, Memory, ModelId, Note, Refusal, Wanted};
use std::time::{Duration, Instant};

/// How long a model that got no memory, twice, is not tried again.
const NO_MEMORY: Duration = Duration::from_secs(15);

impl Scheduler {
    /// The operator, or the configuration, wants it.
    pub(super) fn load(&mut self, at: ModelId, now: Instant) {
        let Some(model) = self.models.get_mut(at.0) else {
            return;
        };
        if self.phase != Phase::Serving {
            return;
        }
        match model.residency {
            Residency::Cold | Residency::Failed { .. } => {
                model.asked = true;
                self.inspect(at, Wanted::Operator, now);
            }
            Residency::Inspecting { .. }
            | Residency::Waiting { .. }
            | Residency::Claiming { .. }
            | Residency::Loading { .. }
            | Residency::Draining { .. }
            | Residency::Stopping { .. } => model.asked = true,
            Residency::Warm { .. } | Residency::Gone => {}
        }
    }

    /// Its files are looked at before anything is done for it.
    pub(super) fn inspect(&mut self, at: ModelId, by: Wanted, now: Instant) {
        self.models[at.0].residency = Residency::Inspecting { since: now };
        self.note(at, Note::Wanted { by });
        self.out.push(Action::Inspect { model: at });
    }

    pub(super) fn inspected(&mut self, at: ModelId, demand: Option<Demand>, now: Instant) {
        let Some(model) = self.models.get_mut(at.0) else {
            return;
        };
        let since = match (&model.residency, demand) {
            (Residency::Inspecting { since }, _) => *since,
            // Its files were looked at before anybody wanted it.
            (Residency::Cold, None) => return self.fail(at, None, Refusal::LoadFailed, now),
            _ => return,
        };
        let Some(demand) = demand else {
            return self.fail(at, None, Refusal::LoadFailed, now);
        };
        model.demand = demand;
        model.ran_out = false;
        if !model.is_wanted() {
            model.residency = Residency::Cold;
            return self.note(at, Note::Abandoned);
        }
        self.wait(at, demand.memory, since);
    }

    /// It waits for room, in the place of one who has waited since then.
    pub(super) fn wait(&mut self, at: ModelId, needs: Memory, since: Instant) {
        self.models[at.0].residency = Residency::Waiting { since, needs };
        self.least = match self.line.is_empty() {
            true => needs,
            false => self.least.least(&needs),
        };
        self.newcomers.push(at);
        let place = self
            .line
            .iter()
            .position(|other| match self.models[other.0].residency {
                Residency::Waiting { since: theirs, .. } => theirs > since,
                _ => false,
            });
        self.line.insert(place.unwrap_or(self.line.len()), at);
        self.unsettled = true;
    }

    pub(super) fn start(&mut self, at: ModelId, free: Memory, now: Instant) {
        let model = &mut self.models[at.0];
        model.residency = Residency::Loading {
            since: now,
            listening: None,
        };
        model.holds = model.demand.memory;
        let needs = model.holds;
        self.resident.push(at);
        self.watch(at);
        self.note(at, Note::Starts { needs, free });
        self.out.push(Action::Start { model: at });
    }

    pub(super) fn instance(&mut self, at: ModelId, is: InstanceIs, now: Instant) {
        if self.models.get(at.0).is_none() {
            return;
        }
        match is {
            InstanceIs::Loading => self.loading(at, None, now),
            InstanceIs::Again { at: begins } => self.again(at, begins, now),
            InstanceIs::Listening(generation) => self.loading(at, Some(generation), now),
            InstanceIs::Ready(generation) => self.ready(at, generation, now),
            InstanceIs::OutOfMemory => self.ran_out(at, now),
            InstanceIs::Failed { until } => match self.models[at.0].residency {
                Residency::Loading { .. } | Residency::Warm { .. } => {
                    self.fail(at, until, Refusal::LoadFailed, now);
                }
                _ => self.stopped(at, now),
            },
            InstanceIs::Stopped => self.stopped(at, now),
        }
    }

    /// Its child loads, for the first time or once more. Its memory stays its own.
    fn loading(&mut self, at: ModelId, listening: Option<Generation>, now: Instant) {
        let model = &mut self.models[at.0];
        let since = match model.residency {
            Residency::Loading { since, .. } => since,
            Residency::Warm { .. } => now,
            _ => return,
        };
        model.gate.shut();
        model.residency = Residency::Loading { since, listening };
        if let Some(generation) = listening {
            model.gate.set_generation(generation);
        }
        self.advance(at);
        // A model that was in use a moment ago may be one now that loads and that nobody waits for.
        self.unsettled = true;
    }

    /// Its child has died, and another one is started then. What it waits for that is no part of its load.
    fn again(&mut self, at: ModelId, begins: Instant, now: Instant) {
        self.loading(at, None, now);
        if let Residency::Loading { since, .. } = &mut self.models[at.0].residency {
            *since = begins;
        }
    }

    fn ready(&mut self, at: ModelId, generation: Generation, now: Instant) {
        let model = &mut self.models[at.0];
        let Residency::Loading { since, .. } = model.residency else {
            return;
        };
        let took = now.saturating_duration_since(since);
        model.demand.load = took;
        model.asked = false;
        model.gate.set_generation(generation);
        model.residency = Residency::Warm {
            since: now,
            generation,
        };
        self.note(at, Note::Ready { took });
        self.watch(at);
        self.advance(at);
        self.unsettled = true;
    }

    pub(super) fn measured(&mut self, at: ModelId, memory: Memory) {
        let Some(model) = self.models.get_mut(at.0) else {
            return;
        };
        if self.resident.contains(&at) {
            model.holds = memory;
            model.demand.memory = memory;
            self.unsettled = true;
        }
    }

    /// It did not get the memory that was thought to be free:
    /// 1. the first time that much is known to be too little: somebody else must go for it, as for
    ///    any model that needs more than there is;
    /// 2. the second time it is refused, and not tried for a while.
    fn ran_out(&mut self, at: ModelId, now: Instant) {
        let Residency::Loading { since, .. } = self.models[at.0].residency else {
            return self.stopped(at, now);
        };
        let others = self.held(|_| true).minus(&self.models[at.0].holds);
        let free = self.budget.minus(&others);
        let model = &mut self.models[at.0];
        if model.ran_out {
            return self.give_up(at, free, now);
        }
        model.ran_out = true;
        // Its files have been read.
        model.demand.is_proven = true;
        model.gate.shut();
        let needs = model.holds.beyond(&free);
        self.leave_memory(at);
        if self.models[at.0].is_wanted() {
            self.note(at, Note::OutOfMemory { free });
            self.wait(at, needs, since);
        } else {
            self.models[at.0].residency = Residency::Cold;
            self.note(at, Note::Abandoned);
        }
    }

    /// It ran out of memory, and nobody is left who could make room.
    pub(super) fn give_up(&mut self, at: ModelId, free: Memory, now: Instant) {
        let needs = self.models[at.0].demand.memory;
        self.fail(
            at,
            Some(now + NO_MEMORY),
            Refusal::RanOut { needs, free },
            now,
        );
    }

    /// It does not load, or not stay. Who waits for it is told so.
    pub(super) fn fail(
        &mut self,
        at: ModelId,
        until: Option<Instant>,
        refusal: Refusal,
        now: Instant,
    ) {
        let model = &mut self.models[at.0];
        model.gate.shut();
        model.asked = false;
        model.residency = Residency::Failed { until };
        self.leave_memory(at);
        if self.models[at.0].spec.always && until.is_some() {
            self.retries.push(at);
        }
        let retry = until.map(|until| until.saturating_duration_since(now));
        self.note(at, Note::Failed { retry });
        self.refuse_all(at, refusal);
    }

    /// It holds nothing any more. Nobody waits for it to go, even if it is back before they start.
    pub(super) fn leave_memory(&mut self, at: ModelId) {
        self.models[at.0].holds = Memory::NONE;
        self.resident.retain(|resident| *resident != at);
        for claiming in &self.claims {
            if let Residency::Claiming { after, .. } = &mut self.models[claiming.0].residency {
                after.retain(|victim| *victim != at);
            }
        }
        self.unsettled = true;
    }
}
