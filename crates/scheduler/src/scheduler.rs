#[cfg(debug_assertions)]
mod invariants;
mod leaving;
mod loads;
mod pins;
mod requests;
mod room;
mod transition;

use crate::model::{Model, Residency};
use crate::{
    Action, ClientId, Epoch, Event, Gate, InstanceIs, Look, Memory, ModelId, ModelSpec, Note,
    PinnedBy, Policy, RequestId,
};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A keep-alive shorter than this is watched by being told of each last lease's end.
const BRIEF: Duration = Duration::from_secs(1);

/// Decides who is in memory, who goes, who waits and who is refused.
#[derive(Debug)]
pub struct Scheduler {
    policy: Policy,
    budget: Memory,
    epoch: Epoch,
    models: Vec<Model>,
    /// The queued requests.
    queued: HashMap<RequestId, Queued>,
    /// When they have waited long enough; those that are no longer queued among them.
    timeouts: VecDeque<(Instant, RequestId)>,
    /// The models that wait for room, in the order in which they began to.
    line: VecDeque<ModelId>,
    /// Those of them that have not been considered yet.
    newcomers: Vec<ModelId>,
    /// No more than any of them needs.
    least: Memory,
    /// The models for which room is being made, in the order in which it was claimed.
    claims: Vec<ModelId>,
    /// The models that hold memory.
    resident: Vec<ModelId>,
    /// The failed models that may be tried again at some time.
    retries: Vec<ModelId>,
    phase: Phase,
    /// Something happened that may have made room, or have made it needed.
    unsettled: bool,
    /// When those who wait were last given what there was.
    settled: Option<Instant>,
    /// The gates tell when they fall idle.
    telling: bool,
    out: Vec<Action>,
}

/// A queued request.
#[derive(Debug, Clone, Copy)]
struct Queued {
    model: ModelId,
    client: ClientId,
}

/// What is going on as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Requests are served.
    Serving,
    /// Nothing new is let in. Each instance stops when nothing is in flight to it, or at the
    /// deadline.
    Draining { deadline: Instant },
}

/// What all models together hold, may hold, and are promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// What they may hold.
    pub budget: Memory,
    /// What they hold, as far as is known.
    pub used: Memory,
    /// What is kept for models that are about to start.
    pub claimed: Memory,
}

impl Scheduler {
    /// A scheduler without models.
    pub fn new(policy: Policy, budget: Memory, epoch: Epoch) -> Self {
        Self {
            policy,
            budget,
            epoch,
            models: Vec::new(),
            queued: HashMap::new(),
            timeouts: VecDeque::new(),
            line: VecDeque::new(),
            newcomers: Vec::new(),
            least: Memory::NONE,
            claims: Vec::new(),
            resident: Vec::new(),
            retries: Vec::new(),
            phase: Phase::Serving,
            unsettled: false,
            settled: None,
            telling: false,
            out: Vec::new(),
        }
    }

    /// Takes another model in, cold, whose requests pass this gate.
    pub fn add(&mut self, spec: ModelSpec, gate: Arc<Gate>, now: Instant) -> ModelId {
        self.models.push(Model::new(spec, gate, now));
        ModelId(self.models.len() - 1)
    }

    /// Takes an event into account and says what is to be done, in order. An event about an
    /// unknown model changes nothing.
    pub fn handle(&mut self, event: Event, now: Instant) -> Vec<Action> {
        match event {
            Event::Request {
                id,
                model,
                client,
                takes_slot,
            } => self.request(id, Queued { model, client }, takes_slot, now),
            Event::Cancel { id } => self.cancel(id),
            Event::Inspected { model, demand } => self.inspected(model, demand, now),
            Event::Instance { model, is } => self.instance(model, is, now),
            Event::Measured { model, memory } => self.measured(model, memory),
            Event::Released { model } => self.released(model, now),
            Event::Load { model } => self.load(model, now),
            Event::Unload { model } => self.unload(model, now),
            Event::Pin { model, pinned } => self.pin(model, pinned, PinnedBy::Operator),
            Event::Change {
                model,
                spec,
                restart,
            } => self.change(model, spec, restart, now),
            Event::Remove { model } => self.remove(model, now),
            Event::Rules { policy, budget } => {
                self.policy = policy;
                self.budget = budget;
                self.unsettled = true;
                // Who needs more than there can be now is told so at once.
                self.newcomers = self.line.iter().copied().collect();
            }
            Event::Shutdown { deadline } => self.shutdown(deadline),
            Event::Tick => self.tick(now),
        }
        if self.unsettled {
            self.unsettled = false;
            self.settle(now);
        }
        #[cfg(debug_assertions)]
        self.check_invariants();
        std::mem::take(&mut self.out)
    }

    /// When [`Event::Tick`] is due next, if ever.
    pub fn next_deadline(&self, now: Instant) -> Option<Instant> {
        if let Phase::Draining { deadline } = self.phase {
            let drains =
                |at: &&ModelId| matches!(self.models[at.0].residency, Residency::Draining { .. });
            return self.resident.iter().find(drains).map(|_| deadline);
        }
        let queue = self.timeouts.front().map(|(until, _)| *until);
        let line = self.line.front().and_then(|first| self.turn(*first));
        let resident = self
            .resident
            .iter()
            .filter_map(|at| self.keep_alive_ends(*at, now));
        let failed = self.retries.iter().filter_map(|at| self.retry(*at));
        queue
            .into_iter()
            .chain(line)
            .chain(resident)
            .chain(failed)
            .min()
    }

    /// A model as people may see it.
    pub fn look(&self, model: ModelId) -> Option<Look> {
        self.models.get(model.0).map(Model::look)
    }

    /// What all models together hold.
    pub fn usage(&self) -> Usage {
        Usage {
            budget: self.budget,
            used: self.held(|_| true),
            claimed: self.claimed(),
        }
    }

    /// Whether nothing holds memory, and nothing will.
    pub fn is_stopped(&self) -> bool {
        self.phase != Phase::Serving && self.resident.is_empty()
    }

    fn tick(&mut self, now: Instant) {
        if let Phase::Draining { deadline } = self.phase {
            if deadline <= now {
                self.cut();
            }
            return;
        }
        self.time_out(now);
        self.end_keep_alives(now);
        for at in self.retries.clone() {
            if self.retry(at).is_some_and(|until| until <= now) {
                self.load(at, now);
            }
        }
        self.unsettled |= !self.line.is_empty();
    }

    /// When a failed model that is always wanted is tried again.
    fn retry(&self, at: ModelId) -> Option<Instant> {
        match self.models[at.0].residency {
            Residency::Failed { until } => until.filter(|_| self.models[at.0].spec.always),
            _ => None,
        }
    }

    fn note(&mut self, model: ModelId, note: Note) {
        self.out.push(Action::Note { model, note });
    }

    /// What the resident models hold of which this is true.
    fn held(&self, which: impl Fn(&Model) -> bool) -> Memory {
        self.resident
            .iter()
            .map(|at| &self.models[at.0])
            .filter(|model| which(model))
            .fold(Memory::NONE, |sum, model| sum.plus(&model.holds))
    }

    /// What is kept for models that are about to start.
    fn claimed(&self) -> Memory {
        self.claims
            .iter()
            .fold(Memory::NONE, |sum, at| match &self.models[at.0].residency {
                Residency::Claiming { needs, .. } => sum.plus(needs),
                _ => sum,
            })
    }

    /// Returns true if the model serves no request and none waits for it, whether it is ready or loads.
    fn is_unused(&self, at: ModelId, now: Instant) -> bool {
        let model = &self.models[at.0];
        match model.residency {
            Residency::Loading { .. } => !model.is_wanted() && model.gate.in_flight() == 0,
            _ => self.idle(at, now).is_some(),
        }
    }

    /// How long it has been idle; nothing while it is not.
    fn idle(&self, at: ModelId, now: Instant) -> Option<Duration> {
        let model = &self.models[at.0];
        let Residency::Warm { since, .. } = model.residency else {
            return None;
        };
        if !model.queue.is_empty() || model.gate.in_flight() > 0 {
            return None;
        }
        let used = self.epoch.moment(model.gate.used());
        Some(now.saturating_duration_since(used.max(since)))
    }
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests;
