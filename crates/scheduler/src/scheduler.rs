//! Holds the state of the scheduler, and dispatches each event to its handler.

#[cfg(debug_assertions)]
mod invariants;
mod load;
mod memory_line;
mod pins;
mod requests;
mod transition;
mod unload;

use crate::model::{Residency, ScheduledModel};
use crate::{
    Action, ClientId, Epoch, Event, Gate, InstanceStatus, Memory, ModelId, ModelSnapshot,
    ModelSpec, Note, PinnedBy, Policy, RequestId,
};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The shortest keep-alive (the time an unused model stays in memory) that a timer enforces. For a shorter one, the
/// end of the last lease, the permission for one request, notifies the scheduler.
const SHORT_KEEP_ALIVE: Duration = Duration::from_secs(1);

/// Decides which models are in memory, which are evicted, and which requests wait or are refused.
#[derive(Debug)]
pub struct Scheduler {
    policy: Policy,
    /// The memory that all models together may hold.
    budget: Memory,
    epoch: Epoch,
    models: Vec<ScheduledModel>,
    /// The queued requests.
    queued: HashMap<RequestId, QueuedRequest>,
    /// The timeouts of queued requests, in order; requests that are no longer queued may be among them.
    timeouts: VecDeque<(Instant, RequestId)>,
    /// The models that wait for memory, by the time since which they wait.
    line: VecDeque<ModelId>,
    /// The models that joined the line since it was last served.
    newcomers: Vec<ModelId>,
    /// A lower bound of what each model in line needs.
    smallest_need: Memory,
    /// The models with a claim, in the order of the claims: memory is reserved for them until they can start.
    claims: Vec<ModelId>,
    /// The models that hold memory.
    resident: Vec<ModelId>,
    /// The failed models that are tried again after a time.
    retries: Vec<ModelId>,
    phase: ServicePhase,
    /// True if an event may have freed memory, or created a need for it.
    needs_settling: bool,
    /// The last time memory was given to the models in line.
    settled_at: Option<Instant>,
    /// True while gates notify the scheduler when they fall idle.
    notifies_idle: bool,
    actions: Vec<Action>,
}

/// A queued request.
#[derive(Debug, Clone, Copy)]
struct QueuedRequest {
    model: ModelId,
    client: ClientId,
}

/// The state of the service as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ServicePhase {
    /// Requests are accepted.
    Serving,
    /// New requests are refused. Each instance stops when no request is in flight to it, or at the deadline.
    Draining { deadline: Instant },
}

/// The memory that all models together hold, may hold, and have reserved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryUsage {
    /// The memory the models may hold.
    pub budget: Memory,
    /// The memory the models hold, as far as is known.
    pub used: Memory,
    /// The memory reserved for models that are about to start.
    pub claimed: Memory,
}

impl Scheduler {
    /// Makes a scheduler without models.
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
            smallest_need: Memory::NONE,
            claims: Vec::new(),
            resident: Vec::new(),
            retries: Vec::new(),
            phase: ServicePhase::Serving,
            needs_settling: false,
            settled_at: None,
            notifies_idle: false,
            actions: Vec::new(),
        }
    }

    /// Adds a cold model whose requests pass this gate.
    pub fn add(&mut self, spec: ModelSpec, gate: Arc<Gate>, now: Instant) -> ModelId {
        self.models.push(ScheduledModel::new(spec, gate, now));
        ModelId(self.models.len() - 1)
    }

    /// Handles an event and returns the actions to carry out, in order. An event about an unknown model changes
    /// nothing.
    pub fn handle(&mut self, event: Event, now: Instant) -> Vec<Action> {
        match event {
            Event::Request {
                id,
                model,
                client,
                takes_slot,
            } => self.handle_request(id, QueuedRequest { model, client }, takes_slot, now),
            Event::Cancel { id } => self.cancel(id),
            Event::Inspected { model, demand } => self.handle_inspected(model, demand, now),
            Event::Instance { model, status } => self.handle_instance_status(model, status, now),
            Event::Measured { model, memory } => self.handle_measured(model, memory),
            Event::Released { model } => self.handle_released(model, now),
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
                self.needs_settling = true;
                // A model that needs more than the new budget is refused at once.
                self.newcomers = self.line.iter().copied().collect();
            }
            Event::Shutdown { deadline } => self.shutdown(deadline),
            Event::Tick => self.tick(now),
        }
        if self.needs_settling {
            self.needs_settling = false;
            self.settle(now);
        }
        #[cfg(debug_assertions)]
        self.check_invariants();
        std::mem::take(&mut self.actions)
    }

    /// Returns the moment at which [`Event::Tick`] is due next, if any.
    pub fn next_deadline(&self, now: Instant) -> Option<Instant> {
        if let ServicePhase::Draining { deadline } = self.phase {
            let drains = |model_id: &&ModelId| {
                matches!(
                    self.models[model_id.0].residency,
                    Residency::Draining { .. }
                )
            };
            return self.resident.iter().find(drains).map(|_| deadline);
        }
        let queue = self.timeouts.front().map(|(until, _)| *until);
        let line = self.line.front().and_then(|first| self.next_turn(*first));
        let resident = self
            .resident
            .iter()
            .filter_map(|model_id| self.keep_alive_deadline(*model_id, now));
        let failed = self
            .retries
            .iter()
            .filter_map(|model_id| self.retry_time(*model_id));
        queue
            .into_iter()
            .chain(line)
            .chain(resident)
            .chain(failed)
            .min()
    }

    /// Returns a model's state for people.
    pub fn snapshot(&self, model: ModelId) -> Option<ModelSnapshot> {
        self.models.get(model.0).map(ScheduledModel::snapshot)
    }

    /// Returns the memory that all models together hold.
    pub fn usage(&self) -> MemoryUsage {
        MemoryUsage {
            budget: self.budget,
            used: self.sum_memory(|_| true),
            claimed: self.claimed_memory(),
        }
    }

    /// Returns true if no model holds memory, and none will.
    pub fn is_stopped(&self) -> bool {
        self.phase != ServicePhase::Serving && self.resident.is_empty()
    }

    fn tick(&mut self, now: Instant) {
        if let ServicePhase::Draining { deadline } = self.phase {
            if deadline <= now {
                self.cut_requests();
            }
            return;
        }
        self.expire_timeouts(now);
        self.end_keep_alives(now);
        for model_id in self.retries.clone() {
            if self.retry_time(model_id).is_some_and(|until| until <= now) {
                self.load(model_id, now);
            }
        }
        self.needs_settling |= !self.line.is_empty();
    }

    /// Returns the moment at which a failed model that is kept loaded is tried again.
    fn retry_time(&self, model_id: ModelId) -> Option<Instant> {
        match self.models[model_id.0].residency {
            Residency::Failed { until } => {
                until.filter(|_| self.models[model_id.0].spec.keep_loaded)
            }
            _ => None,
        }
    }

    fn note(&mut self, model: ModelId, note: Note) {
        self.actions.push(Action::Note { model, note });
    }

    /// Sums the memory of the resident models that satisfy `which`.
    fn sum_memory(&self, which: impl Fn(&ScheduledModel) -> bool) -> Memory {
        self.resident
            .iter()
            .map(|model_id| &self.models[model_id.0])
            .filter(|model| which(model))
            .fold(Memory::NONE, |sum, model| sum.plus(&model.memory))
    }

    /// Sums the memory reserved for models that are about to start.
    fn claimed_memory(&self) -> Memory {
        self.claims.iter().fold(Memory::NONE, |sum, model_id| {
            match &self.models[model_id.0].residency {
                Residency::Claiming { needs, .. } => sum.plus(needs),
                _ => sum,
            }
        })
    }

    /// Returns true if the model serves no request and none waits for it, whether it is ready or loading.
    fn is_unused(&self, model_id: ModelId, now: Instant) -> bool {
        let model = &self.models[model_id.0];
        match model.residency {
            Residency::Loading { .. } => !model.is_wanted() && model.gate.in_flight() == 0,
            _ => self.idle_time(model_id, now).is_some(),
        }
    }

    /// Returns the time since the last use of an idle model; `None` if the model is not idle.
    fn idle_time(&self, model_id: ModelId, now: Instant) -> Option<Duration> {
        let model = &self.models[model_id.0];
        let Residency::Warm { since, .. } = model.residency else {
            return None;
        };
        if !model.queue.is_empty() || model.gate.in_flight() > 0 {
            return None;
        }
        let used = self.epoch.moment(model.gate.last_release());
        Some(now.saturating_duration_since(used.max(since)))
    }
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests;
