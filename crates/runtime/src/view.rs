use super::actor::Runtime;
use super::entry::Failed;
use super::inspect::{Found, PromptCache};
use super::tally::Tally;
use crate::sandbox::{self, Opened};
use paddock_admission::slots::WaitingInEngine;
use paddock_config as config;
use paddock_scheduler::{Memory, MemoryUsage, ModelId, ModelSnapshot};
use paddock_supervisor::State;
use paddock_supervisor::sandbox::SandboxSupport;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Everything as people may see it. Reading it decides nothing.
#[derive(Debug)]
pub struct View {
    /// The models, in the order of the configuration.
    pub models: Vec<ModelView>,
    /// Memory in use and its limits.
    pub usage: MemoryUsage,
    /// What the devices are called, in the order of [`Memory`]'s.
    pub devices: Vec<String>,
}

/// A model as people may see it.
#[derive(Debug)]
pub struct ModelView {
    /// Index of the model.
    pub id: ModelId,
    /// Configuration of the model.
    pub config: Arc<config::Model>,
    /// State of the model as the scheduler sees it.
    pub look: ModelSnapshot,
    /// The requests that wait inside its child for a slot, by estimate; `None` if its slots are unknown.
    pub waiting_in_engine: Option<WaitingInEngine>,
    /// Its instance's state, where there is one.
    pub state: Option<State>,
    /// Why it does not load, or did not stay.
    pub failed: Option<Failed>,
    /// What its file says of it.
    pub facts: Option<Facts>,
    /// What it was expected to hold before anything was learned, its prompt cache included.
    pub predicted: Option<Memory>,
    /// The part of what it is counted as that is its prompt cache.
    pub prompt_cache: Option<PromptCache>,
    /// What it was seen to hold.
    pub measured: Option<Memory>,
    /// Which parts of the sandbox hold for its child, and what leaves others open.
    pub sandbox: (SandboxSupport, Opened),
    /// How many children it has had.
    pub generations: u64,
    /// Since when it loads, or is loaded.
    pub since: Option<Duration>,
    /// What has become of its loads and children, since paddock started.
    pub tally: Tally,
}

/// What a model's file says of it.
#[derive(Debug)]
pub struct Facts {
    pub architecture: Option<String>,
    /// The context it was trained with, in tokens.
    pub context: Option<u64>,
    pub parameters: u64,
    /// Bytes of all its parts.
    pub size: u64,
}

impl Facts {
    fn of(found: &Found) -> Option<Self> {
        let headers = &found.headers.as_ref()?.model;
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
    pub(super) fn view(&self) -> View {
        let models = self
            .entries
            .iter()
            .enumerate()
            .filter(|(_, entry)| !entry.removed);
        let mut models: Vec<ModelView> = models
            .filter_map(|(at, _)| self.model_view(ModelId(at)))
            .collect();
        self.add_earlier_counts(&mut models);
        View {
            models,
            usage: self.scheduler.usage(),
            devices: self.devices(),
        }
    }

    /// Adds what removed models of the same names have counted: a counter that began again would look like a restart
    /// of paddock.
    fn add_earlier_counts(&self, models: &mut [ModelView]) {
        let removed = self.entries.iter().filter(|entry| entry.removed);
        let mut earlier: HashMap<&str, Tally> = HashMap::new();
        for entry in removed {
            let tally = earlier.entry(&entry.config.id).or_default();
            tally.merge(&entry.tally);
        }
        for model in models {
            if let Some(earlier) = earlier.get(model.config.id.as_str()) {
                model.tally.merge(earlier);
            }
        }
    }

    fn model_view(&self, id: ModelId) -> Option<ModelView> {
        let entry = self.entries.get(id.0)?;
        let running = entry.running.as_ref();
        let look = self.scheduler.snapshot(id)?;
        let state = running.map(|running| running.instance.watch().borrow().clone());
        let since = match &state {
            Some(State::Starting { since, .. } | State::Ready { since, .. }) => {
                Some(since.elapsed())
            }
            _ => None,
        };
        let opened = Opened::of(&self.world.config, &entry.config);
        let parts = sandbox::parts(self.world.parts, &self.world.config, &opened);
        Some(ModelView {
            id,
            sandbox: (parts, opened),
            config: Arc::clone(&entry.config),
            look,
            waiting_in_engine: entry.model.waiting_in_engine(),
            state,
            failed: entry.failed.clone(),
            facts: entry.found.as_deref().and_then(Facts::of),
            predicted: entry.found.as_ref().map(|found| found.predicted),
            prompt_cache: entry.found.as_ref().map(|found| found.prompt_cache),
            measured: running.and_then(|running| running.measured),
            generations: entry.generations,
            since,
            tally: entry.tally.clone(),
        })
    }
}
