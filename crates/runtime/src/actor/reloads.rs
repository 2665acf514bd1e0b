//! Applies another configuration: changes only the models whose settings differ.

use super::Runtime;
use crate::config_changes::{ApiKeyChanges, ModelChange, ReloadReport, keys_requiring_restart};
use crate::contexts::StoreLimits;
use crate::model_knowledge::ModelKnowledge;
use crate::scheduler_policy;
use paddock_admission::model::{Capacity, ExchangeLimits};
use paddock_config::{self as config, Config};
use paddock_scheduler::{Event, ModelId, ModelStatus};
use paddock_supervisor::Logs;
use std::sync::Arc;

impl Runtime {
    /// Applies another configuration and reports the differences.
    pub(super) fn reload(&mut self, mut config: Config) -> ReloadReport {
        let before = Arc::clone(&self.context.config);
        let at_next_start = keys_requiring_restart(&before, &config);
        // Devices and flags are known of the engine that was probed at the start, and of no other.
        config.engine.program.clone_from(&before.engine.program);
        let config = Arc::new(config);
        self.context.config = Arc::clone(&config);
        let mut report = ReloadReport {
            at_next_start,
            api_keys: ApiKeyChanges::between(&before.api_keys, &config.api_keys),
            ..ReloadReport::default()
        };
        if let Some(contexts) = &self.context.contexts {
            contexts.set_limits(StoreLimits::from_config(&config));
        }
        if let Some(engine) = &self.context.engine {
            let budget = scheduler_policy::budget(&config, engine.host, &engine.devices);
            let policy = scheduler_policy::policy(&config);
            self.handle_event(Event::Rules { policy, budget });
        }
        for index in 0..self.entries.len() {
            let entry = &self.entries[index];
            if entry.removed {
                continue;
            }
            let mut models = config.models.iter();
            match models.find(|model| model.id == entry.config.id) {
                Some(model) => self.change_model(ModelId(index), model, &before, &mut report),
                None => self.remove_model(ModelId(index), &mut report),
            }
        }
        for model in &config.models {
            if !self.has_model(&model.id) {
                let id = self.add(Arc::new(model.clone()));
                report.added.push(model.id.clone());
                if model.preload {
                    self.handle_event(Event::Load { model: id });
                }
            }
        }
        self.end_unwanted_keepers();
        self.inspect_faults();
        self.publish_catalog();
        report
    }

    /// Returns true if a model of this name is configured.
    fn has_model(&self, name: &str) -> bool {
        let mut models = self.entries.iter().filter(|entry| !entry.removed);
        models.any(|entry| entry.config.id == name)
    }

    /// Applies the new settings of a model, and reports the change if there is one.
    fn change_model(
        &mut self,
        id: ModelId,
        model: &config::Model,
        before: &Config,
        report: &mut ReloadReport,
    ) {
        let config = Arc::clone(&self.context.config);
        let snapshot = self.scheduler.snapshot(id);
        let has_failed = snapshot.is_some_and(|snapshot| snapshot.status == ModelStatus::Failed);
        let entry = &mut self.entries[id.0];
        let change = ModelChange::between((before, &entry.config), (&config, model), has_failed);
        if change == ModelChange::Unchanged {
            return;
        }
        entry.config = Arc::new(model.clone());
        let limits = ExchangeLimits::from_config(model);
        let capacity = Capacity::from_config(model, config.mode);
        entry.model = Arc::new(entry.model.with_limits(capacity, limits));
        let restart = change == ModelChange::Restarted;
        if restart {
            entry.knowledge.forget_failures();
            // Results of inspections that are running are stale.
            entry.last_inspection_id += 1;
        }
        report.changed.push(model.id.clone());
        self.handle_event(Event::Change {
            model: id,
            spec: scheduler_policy::spec(&config, model),
            restart,
        });
    }

    fn remove_model(&mut self, id: ModelId, report: &mut ReloadReport) {
        let entry = &mut self.entries[id.0];
        entry.removed = true;
        // The entry keeps its place, because ids are not reused. Release the headers, which may be large.
        entry.knowledge = ModelKnowledge::default();
        entry.last_inspection_id += 1;
        // A reader of the old logs sees their end when the last child ends.
        entry.logs = Logs::new();
        report.removed.push(entry.config.id.clone());
        self.handle_event(Event::Remove { model: id });
    }
}
