//! Starts inspections (reading a model's file headers) and trial loads (the engine begins to load new files), and
//! records their results.

use super::Runtime;
use crate::engine_probe::Engine;
use crate::inspection::{Inspection, InspectionResult};
use crate::journal::{JournalEvent, format_memory};
use crate::message::RuntimeMessage;
use crate::model_knowledge::InspectionOutcome;
use crate::scheduler_policy;
use crate::trial_load::{TrialLoad, trial_spec};
use paddock_config::Mode;
use paddock_scheduler::{Event, ModelId, ModelStatus};
use std::sync::Arc;

impl Runtime {
    /// Stores the probed engine, sets the budget, and starts the inspections that waited for it.
    pub(super) fn on_engine_probed(&mut self, engine: Engine) {
        let config = &self.context.config;
        let budget = scheduler_policy::budget(config, engine.host, &engine.devices);
        if config.mode == Mode::Serve {
            let memory = format_memory(&budget, &engine.device_names());
            tracing::info!(%memory, "memory budget for all models");
        }
        let policy = scheduler_policy::policy(config);
        self.context.engine = Some(Arc::new(engine));
        self.handle_event(Event::Rules { policy, budget });
        for model in std::mem::take(&mut self.waiting_for_engine) {
            self.inspect(model);
        }
    }

    /// Starts an inspection of the model, once the engine is known.
    pub(super) fn inspect(&mut self, id: ModelId) {
        let Some(engine) = self.context.engine.clone() else {
            self.waiting_for_engine.push(id);
            return;
        };
        let budget = self.scheduler.usage().budget;
        let entry = &mut self.entries[id.0];
        entry.last_inspection_id += 1;
        let inspection_id = entry.last_inspection_id;
        let inspection = Inspection {
            config: Arc::clone(&self.context.config),
            model: Arc::clone(&entry.config),
            engine,
            load_history: self.context.load_history.clone(),
            budget,
            before: entry.knowledge.inspection.clone(),
            failed: entry.knowledge.failed.clone(),
            proven: entry.knowledge.proven.clone(),
        };
        self.spawn_task(async move {
            Some(RuntimeMessage::Inspected {
                model: id,
                inspection_id,
                result: inspection.run().await,
            })
        });
    }

    /// Inspects the models whose files were at fault when the configuration was read, so that a snapshot shows them
    /// as failed before the first request.
    pub(super) fn inspect_faults(&mut self) {
        let config = Arc::clone(&self.context.config);
        if config.faults.is_empty() {
            return;
        }
        for index in 0..self.entries.len() {
            let entry = &self.entries[index];
            let snapshot = self.scheduler.snapshot(ModelId(index));
            let idle = snapshot.is_some_and(|snapshot| snapshot.status == ModelStatus::Unloaded);
            if idle && !entry.removed && config.is_at_fault(&entry.config) {
                self.inspect(ModelId(index));
            }
        }
    }

    /// Starts a trial load of the model's files.
    pub(super) fn try_load(&mut self, id: ModelId) {
        let Some((inspection_id, trial)) = self.trial(id) else {
            // The scheduler waits for a result.
            self.handle_event(Event::Inspected {
                model: id,
                demand: None,
            });
            return;
        };
        self.spawn_task(async move {
            Some(RuntimeMessage::Inspected {
                model: id,
                inspection_id,
                result: trial.run().await,
            })
        });
    }

    fn trial(&mut self, id: ModelId) -> Option<(u64, TrialLoad)> {
        let (spec, engine) = (self.spec(id, None)?, self.context.engine.clone()?);
        let entry = self.entries.get_mut(id.0)?;
        let inspection = entry.knowledge.inspection.clone()?;
        entry.last_inspection_id += 1;
        let trial = TrialLoad {
            inspection,
            spec: trial_spec(spec, &engine, entry.last_inspection_id),
            spawner: self.context.spawner.clone(),
            tasks: self.tasks.clone(),
            permits: Arc::clone(&self.trials),
            cancelled: self.ended.clone(),
        };
        Some((entry.last_inspection_id, trial))
    }

    /// Records the result of an inspection or a trial and reports it to the scheduler. Ignores a result that is older
    /// than the configuration: a newer inspection is running.
    pub(super) fn on_inspected(&mut self, id: ModelId, number: u64, result: InspectionResult) {
        let Some(entry) = self.entries.get_mut(id.0) else {
            return;
        };
        if entry.last_inspection_id != number {
            return;
        }
        let name = &entry.config.id;
        let demand = match entry.knowledge.learn(result) {
            InspectionOutcome::Loadable(demand) => Some(demand),
            InspectionOutcome::Unloadable { cause, is_new } => {
                if is_new {
                    tracing::warn!(model = name, failure = %cause, "the model cannot be loaded");
                    self.record_unloadable(id, &cause);
                    self.journal.record(id, JournalEvent::Unloadable(cause));
                } else {
                    tracing::debug!(model = name, failure = %cause, "the model still cannot be loaded");
                }
                None
            }
        };
        self.handle_event(Event::Inspected { model: id, demand });
    }
}
