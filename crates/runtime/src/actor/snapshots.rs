//! Takes snapshots of all models and their memory, for people.

use super::Runtime;
use crate::sandbox::{self, Machine, SandboxExemptions};
use crate::snapshot::{ModelDetails, ModelFacts, RuntimeSnapshot, add_earlier_counts};
use paddock_scheduler::ModelId;
use paddock_supervisor::State;
use std::sync::Arc;

impl Runtime {
    /// Takes a snapshot of the configured models. Counts of removed models of the same name are included.
    pub(super) fn snapshot(&self) -> RuntimeSnapshot {
        let models = self
            .entries
            .iter()
            .enumerate()
            .filter(|(_, entry)| !entry.removed);
        let mut models: Vec<ModelDetails> = models
            .filter_map(|(index, _)| self.model_details(ModelId(index)))
            .collect();
        let removed = self.entries.iter().filter(|entry| entry.removed);
        let removed = removed.map(|entry| (entry.config.id.as_str(), &entry.counters));
        let counters = models.iter_mut();
        let counters = counters.map(|model| (model.config.id.as_str(), &mut model.counters));
        add_earlier_counts(counters, removed);
        RuntimeSnapshot {
            models,
            usage: self.scheduler.usage(),
            devices: self.devices(),
        }
    }

    /// Takes a snapshot of one model.
    fn model_details(&self, id: ModelId) -> Option<ModelDetails> {
        let entry = self.entries.get(id.0)?;
        let running = entry.running.as_ref();
        let inspection = entry.knowledge.inspection.as_deref();
        let scheduling = self.scheduler.snapshot(id)?;
        let state = running.map(|running| running.instance.watch().borrow().clone());
        let since = match &state {
            Some(State::Starting { since, .. } | State::Ready { since, .. }) => {
                Some(since.elapsed())
            }
            _ => None,
        };
        let exemptions =
            SandboxExemptions::from_config(&self.context.config, &entry.config, Machine::THIS);
        let parts = sandbox::effective_support(
            self.context.sandbox_support,
            &self.context.config,
            &exemptions,
        );
        Some(ModelDetails {
            id,
            sandbox: (parts, exemptions),
            config: Arc::clone(&entry.config),
            scheduling,
            waiting_in_engine: entry.model.waiting_in_engine(),
            state,
            failed: entry.knowledge.failed.clone(),
            facts: inspection.and_then(ModelFacts::from_inspection),
            predicted: inspection.map(|inspection| inspection.predicted),
            prompt_cache: inspection.map(|inspection| inspection.prompt_cache),
            measured: running.and_then(|running| running.measured),
            generations: entry.generations,
            since,
            counters: entry.counters.clone(),
            contexts: entry.contexts.clone(),
        })
    }
}
