//! Builds snapshots of all models and their memory for people.

use super::actor::Runtime;
use super::inspection::{ModelInspection, PromptCache};
use super::model_counters::ModelCounters;
use super::model_entry::FailedLoad;
use crate::sandbox::{self, SandboxExemptions};
use paddock_admission::slot_queue::WaitingInEngine;
use paddock_config as config;
use paddock_scheduler::{Memory, MemoryUsage, ModelId, ModelSnapshot};
use paddock_supervisor::State;
use paddock_supervisor::sandbox::SandboxSupport;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// A snapshot of all models. Advisory: no decision depends on it.
#[derive(Debug)]
pub struct RuntimeSnapshot {
    /// The models, in the order of the configuration.
    pub models: Vec<ModelDetails>,
    /// Memory in use and its limits.
    pub usage: MemoryUsage,
    /// Names of the devices, in the order of [`Memory`]'s.
    pub devices: Vec<String>,
}

/// A snapshot of one model.
#[derive(Debug)]
pub struct ModelDetails {
    /// Index of the model.
    pub id: ModelId,
    /// Configuration of the model.
    pub config: Arc<config::Model>,
    /// The model's state in the scheduler.
    pub scheduling: ModelSnapshot,
    /// Requests that wait inside the child for a slot, estimated; `None` if its slots are unknown.
    pub waiting_in_engine: Option<WaitingInEngine>,
    /// State of the instance, if one exists.
    pub state: Option<State>,
    /// The last failure, if the model cannot be loaded or its child ended.
    pub failed: Option<FailedLoad>,
    /// Facts from the model's header.
    pub facts: Option<ModelFacts>,
    /// Memory predicted from the header alone, including the prompt cache.
    pub predicted: Option<Memory>,
    /// The prompt cache, part of the counted memory.
    pub prompt_cache: Option<PromptCache>,
    /// Measured memory.
    pub measured: Option<Memory>,
    /// Restrictions that apply to the child, and the exemptions from them.
    pub sandbox: (SandboxSupport, SandboxExemptions),
    /// Number of children started so far.
    pub generations: u64,
    /// Time in the current state, while loading or ready.
    pub since: Option<Duration>,
    /// Counts since paddock started.
    pub counters: ModelCounters,
}

/// Facts from a model's header.
#[derive(Debug)]
pub struct ModelFacts {
    pub architecture: Option<String>,
    /// Trained context in tokens.
    pub context: Option<u64>,
    pub parameters: u64,
    /// Bytes of all part files.
    pub size: u64,
}

impl ModelFacts {
    fn from_inspection(inspection: &ModelInspection) -> Option<Self> {
        let headers = &inspection.headers.as_ref()?.model;
        let first = headers.first()?;
        Some(Self {
            architecture: first.architecture().map(str::to_owned),
            context: first.trained_context(),
            parameters: headers.iter().map(paddock_gguf::Header::parameters).sum(),
            size: headers.iter().map(|header| header.file_len).sum(),
        })
    }
}

impl Runtime {
    pub(super) fn snapshot(&self) -> RuntimeSnapshot {
        let models = self
            .entries
            .iter()
            .enumerate()
            .filter(|(_, entry)| !entry.removed);
        let mut models: Vec<ModelDetails> = models
            .filter_map(|(index, _)| self.model_details(ModelId(index)))
            .collect();
        self.add_earlier_counts(&mut models);
        RuntimeSnapshot {
            models,
            usage: self.scheduler.usage(),
            devices: self.devices(),
        }
    }

    /// Adds the counters of removed models of the same name: a counter reset to zero would look like a restart of
    /// paddock.
    fn add_earlier_counts(&self, models: &mut [ModelDetails]) {
        let removed = self.entries.iter().filter(|entry| entry.removed);
        let mut earlier: HashMap<&str, ModelCounters> = HashMap::new();
        for entry in removed {
            let counters = earlier.entry(&entry.config.id).or_default();
            counters.merge(&entry.counters);
        }
        for model in models {
            if let Some(earlier) = earlier.get(model.config.id.as_str()) {
                model.counters.merge(earlier);
            }
        }
    }

    fn model_details(&self, id: ModelId) -> Option<ModelDetails> {
        let entry = self.entries.get(id.0)?;
        let running = entry.running.as_ref();
        let scheduling = self.scheduler.snapshot(id)?;
        let state = running.map(|running| running.instance.watch().borrow().clone());
        let since = match &state {
            Some(State::Starting { since, .. } | State::Ready { since, .. }) => {
                Some(since.elapsed())
            }
            _ => None,
        };
        let exemptions = SandboxExemptions::from_config(&self.context.config, &entry.config);
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
            failed: entry.failed.clone(),
            facts: entry
                .inspection
                .as_deref()
                .and_then(ModelFacts::from_inspection),
            predicted: entry
                .inspection
                .as_ref()
                .map(|inspection| inspection.predicted),
            prompt_cache: entry
                .inspection
                .as_ref()
                .map(|inspection| inspection.prompt_cache),
            measured: running.and_then(|running| running.measured),
            generations: entry.generations,
            since,
            counters: entry.counters.clone(),
        })
    }
}
