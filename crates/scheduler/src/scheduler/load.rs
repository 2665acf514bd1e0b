//! Loads models: requests the inspection of their files, and handles its result, readiness and failures.

use super::{InstanceStatus, Scheduler, ServicePhase};
use crate::model::Residency;
use crate::{Action, Demand, Generation, Memory, ModelId, Note, Refusal, WantedBy};
use std::time::{Duration, Instant};

/// The time before another try of a model that failed twice to allocate memory.
const OUT_OF_MEMORY_PAUSE: Duration = Duration::from_secs(15);

impl Scheduler {
    /// Loads a model that the operator or the configuration wants.
    pub(super) fn load(&mut self, model_id: ModelId, now: Instant) {
        let Some(model) = self.models.get_mut(model_id.0) else {
            return;
        };
        if self.phase != ServicePhase::Serving {
            return;
        }
        match model.residency {
            Residency::Cold | Residency::Failed { .. } => {
                model.load_requested = true;
                self.inspect(model_id, WantedBy::Operator, now);
            }
            Residency::Inspecting { .. }
            | Residency::Waiting { .. }
            | Residency::Claiming { .. }
            | Residency::Loading { .. }
            | Residency::Draining { .. }
            | Residency::Stopping { .. } => model.load_requested = true,
            Residency::Warm { .. } | Residency::Removed => {}
        }
    }

    /// Starts the inspection of a model's files, which precedes every load.
    pub(super) fn inspect(&mut self, model_id: ModelId, by: WantedBy, now: Instant) {
        self.transition(model_id, Residency::Inspecting { since: now });
        self.note(model_id, Note::Wanted { by });
        self.actions.push(Action::Inspect { model: model_id });
    }

    /// Handles the result of an inspection or a trial load: `demand` is the expected cost of a load, `None` if the
    /// model cannot be loaded.
    pub(super) fn handle_inspected(
        &mut self,
        model_id: ModelId,
        demand: Option<Demand>,
        now: Instant,
    ) {
        let Some(model) = self.models.get_mut(model_id.0) else {
            return;
        };
        let since = match (&model.residency, demand) {
            (Residency::Inspecting { since }, _) => *since,
            // The files were inspected before the model was wanted.
            (Residency::Cold, None) => return self.fail(model_id, None, Refusal::LoadFailed, now),
            _ => return,
        };
        let Some(demand) = demand else {
            return self.fail(model_id, None, Refusal::LoadFailed, now);
        };
        model.demand = demand;
        model.ran_out_of_memory = false;
        if !model.is_wanted() {
            self.transition(model_id, Residency::Cold);
            return self.note(model_id, Note::Abandoned);
        }
        self.wait_for_memory(model_id, demand.memory, since);
    }

    /// Puts a model in line, behind the models that have waited since an earlier moment.
    pub(super) fn wait_for_memory(&mut self, model_id: ModelId, needs: Memory, since: Instant) {
        self.transition(model_id, Residency::Waiting { since, needs });
    }

    pub(super) fn start(&mut self, model_id: ModelId, free: Memory, now: Instant) {
        let loading = Residency::Loading {
            since: now,
            listening: None,
        };
        self.transition(model_id, loading);
        let model = &mut self.models[model_id.0];
        model.memory = model.demand.memory;
        let needs = model.memory;
        self.update_gate(model_id);
        self.note(model_id, Note::Starts { needs, free });
        self.actions.push(Action::Start { model: model_id });
    }

    pub(super) fn handle_instance_status(
        &mut self,
        model_id: ModelId,
        status: InstanceStatus,
        now: Instant,
    ) {
        if self.models.get(model_id.0).is_none() {
            return;
        }
        match status {
            InstanceStatus::Loading => self.handle_loading(model_id, None, now),
            InstanceStatus::Restarting { at: begins } => {
                self.handle_restarting(model_id, begins, now);
            }
            InstanceStatus::Listening(generation) => {
                self.handle_loading(model_id, Some(generation), now);
            }
            InstanceStatus::Ready(generation) => self.handle_ready(model_id, generation, now),
            InstanceStatus::OutOfMemory => self.handle_out_of_memory(model_id, now),
            InstanceStatus::Failed { until } => match self.models[model_id.0].residency {
                Residency::Loading { .. } | Residency::Warm { .. } => {
                    self.fail(model_id, until, Refusal::LoadFailed, now);
                }
                _ => self.handle_stopped(model_id, now),
            },
            InstanceStatus::Stopped => self.handle_stopped(model_id, now),
        }
    }

    /// Handles a child that loads, for the first time or after a restart. The model keeps its memory.
    fn handle_loading(&mut self, model_id: ModelId, listening: Option<Generation>, now: Instant) {
        let model = &mut self.models[model_id.0];
        let since = match model.residency {
            Residency::Loading { since, .. } => since,
            Residency::Warm { .. } => now,
            _ => return,
        };
        model.gate.shut();
        if let Some(generation) = listening {
            model.gate.set_generation(generation);
        }
        self.transition(model_id, Residency::Loading { since, listening });
        self.grant_queued(model_id);
        // A model that was in use until now may have become one that loads and is not wanted.
        self.needs_settling = true;
    }

    /// Handles a child that died and will be restarted at `begins`. The wait until then is not part of the
    /// load.
    fn handle_restarting(&mut self, model_id: ModelId, begins: Instant, now: Instant) {
        self.handle_loading(model_id, None, now);
        if let Residency::Loading { listening, .. } = self.models[model_id.0].residency {
            let since = begins;
            self.transition(model_id, Residency::Loading { since, listening });
        }
    }

    fn handle_ready(&mut self, model_id: ModelId, generation: Generation, now: Instant) {
        let model = &mut self.models[model_id.0];
        let Residency::Loading { since, .. } = model.residency else {
            return;
        };
        let took = now.saturating_duration_since(since);
        model.demand.load = took;
        model.load_requested = false;
        model.gate.set_generation(generation);
        let warm = Residency::Warm {
            since: now,
            generation,
        };
        self.transition(model_id, warm);
        self.note(model_id, Note::Ready { took });
        self.update_gate(model_id);
        self.grant_queued(model_id);
        self.needs_settling = true;
    }

    pub(super) fn handle_measured(&mut self, model_id: ModelId, memory: Memory) {
        let Some(model) = self.models.get_mut(model_id.0) else {
            return;
        };
        if self.resident.contains(&model_id) {
            model.memory = memory;
            model.demand.memory = memory;
            self.needs_settling = true;
        }
    }

    /// Handles a failed allocation:
    /// 1. the first time, what was free is known to be too little, so another model is evicted as for any model
    ///    that needs more than there is;
    /// 2. the second time, the model is refused, and not tried for a while.
    fn handle_out_of_memory(&mut self, model_id: ModelId, now: Instant) {
        let Residency::Loading { since, .. } = self.models[model_id.0].residency else {
            return self.handle_stopped(model_id, now);
        };
        let others = self
            .sum_memory(|_| true)
            .minus(&self.models[model_id.0].memory);
        let free = self.budget.minus(&others);
        let model = &mut self.models[model_id.0];
        if model.ran_out_of_memory {
            return self.give_up(model_id, free, now);
        }
        model.ran_out_of_memory = true;
        // The engine has read the files.
        model.demand.is_proven = true;
        model.gate.shut();
        let needs = model.memory.raised_above(&free);
        if model.is_wanted() {
            self.note(model_id, Note::OutOfMemory { free });
            self.wait_for_memory(model_id, needs, since);
        } else {
            self.transition(model_id, Residency::Cold);
            self.note(model_id, Note::Abandoned);
        }
    }

    /// Fails a model that ran out of memory when no other model can make room.
    pub(super) fn give_up(&mut self, model_id: ModelId, free: Memory, now: Instant) {
        let needs = self.models[model_id.0].demand.memory;
        self.fail(
            model_id,
            Some(now + OUT_OF_MEMORY_PAUSE),
            Refusal::OutOfMemory { needs, free },
            now,
        );
    }

    /// Marks a model as failed and refuses its queued requests.
    pub(super) fn fail(
        &mut self,
        model_id: ModelId,
        until: Option<Instant>,
        refusal: Refusal,
        now: Instant,
    ) {
        let model = &mut self.models[model_id.0];
        model.gate.shut();
        model.load_requested = false;
        self.transition(model_id, Residency::Failed { until });
        let retry = until.map(|until| until.saturating_duration_since(now));
        self.note(model_id, Note::Failed { retry });
        self.refuse_all(model_id, refusal);
    }
}
