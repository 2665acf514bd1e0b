//! Another configuration: what changed, and what that touches. A model whose section did not change
//! is not touched.

use super::actor::Runtime;
use super::repeats::Repeats;
use crate::rules;
use paddock_admission::model::{Capacity, Limits};
use paddock_config::{self as config, ApiKey, Config};
use paddock_scheduler::{Event, ModelId, ModelStatus};
use paddock_supervisor::Logs;
use serde_json::{Value, json};
use std::sync::Arc;

/// What a reload did, by models' names.
#[derive(Debug, Default)]
pub struct Reloaded {
    pub(crate) added: Vec<String>,
    pub(crate) changed: Vec<String>,
    pub(crate) removed: Vec<String>,
    pub(crate) api_keys: Changes,
    /// Keys that take effect only at the next start.
    pub(crate) at_next_start: Vec<&'static str>,
}

/// What became of things that have names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    added: Vec<String>,
    changed: Vec<String>,
    removed: Vec<String>,
}

impl Changes {
    /// Of API keys.
    fn of(before: &[ApiKey], now: &[ApiKey]) -> Self {
        let named = |keys: &[ApiKey], name: &str| keys.iter().find(|key| key.name == name).cloned();
        let mut changes = Self::default();
        for key in now {
            match named(before, &key.name) {
                None => changes.added.push(key.name.clone()),
                Some(known) if known != *key => changes.changed.push(key.name.clone()),
                Some(_) => {}
            }
        }
        let gone = before.iter().filter(|key| named(now, &key.name).is_none());
        changes.removed = gone.map(|key| key.name.clone()).collect();
        changes
    }
}

impl Reloaded {
    pub fn json(&self) -> Value {
        json!({
            "added": self.added,
            "changed": self.changed,
            "removed": self.removed,
            "keys": {
                "added": self.api_keys.added,
                "changed": self.api_keys.changed,
                "removed": self.api_keys.removed,
            },
            "at_next_start": self.at_next_start,
        })
    }
}

impl Runtime {
    pub(super) fn reload(&mut self, config: Config) -> Reloaded {
        let before = Arc::clone(&self.world.config);
        let config = Arc::new(config);
        self.world.config = Arc::clone(&config);
        let mut reloaded = Reloaded {
            at_next_start: at_next_start(&before, &config),
            api_keys: Changes::of(&before.api_keys, &config.api_keys),
            ..Reloaded::default()
        };
        if let Some(engine) = &self.world.engine {
            let budget = rules::budget(&config, engine.host, &engine.devices);
            let policy = rules::policy(&config);
            self.handle(Event::Rules { policy, budget });
        }
        for at in 0..self.entries.len() {
            let entry = &self.entries[at];
            if entry.removed {
                continue;
            }
            match config
                .models
                .iter()
                .find(|model| model.id == entry.config.id)
            {
                Some(model) => self.change(ModelId(at), model, &before, &mut reloaded),
                None => self.forget(ModelId(at), &mut reloaded),
            }
        }
        for model in &config.models {
            let known =
                |entry: &&super::entry::Entry| !entry.removed && entry.config.id == model.id;
            if self.entries.iter().find(known).is_none() {
                let id = self.add(Arc::new(model.clone()));
                reloaded.added.push(model.id.clone());
                if model.preload {
                    self.handle(Event::Load { model: id });
                }
            }
        }
        self.inspect_faults();
        self.publish_catalog();
        reloaded
    }

    fn change(
        &mut self,
        id: ModelId,
        model: &config::Model,
        before: &Config,
        reloaded: &mut Reloaded,
    ) {
        let config = Arc::clone(&self.world.config);
        let repaired = self.is_repaired(id, model, before);
        let entry = &mut self.entries[id.0];
        let restart = repaired
            || before.command(&entry.config) != config.command(model)
            || before.engine.sandbox != config.engine.sandbox
            || entry.config.path != model.path;
        if *entry.config == *model && !restart {
            return;
        }
        entry.config = Arc::new(model.clone());
        let limits = Limits::of(model);
        entry.model = Arc::new(entry.model.with(Capacity::of(model, config.mode), limits));
        if restart {
            entry.failed = None;
            entry.repeats = Repeats::default();
            entry.inspections += 1;
        }
        reloaded.changed.push(model.id.clone());
        self.handle(Event::Change {
            model: id,
            spec: rules::spec(&config, model),
            restart,
        });
    }

    /// Returns whether a model that had failed for its files has others now.
    fn is_repaired(&self, id: ModelId, model: &config::Model, before: &Config) -> bool {
        let look = self.scheduler.snapshot(id);
        look.is_some_and(|look| look.status == ModelStatus::Failed)
            && before.is_at_fault(&self.entries[id.0].config)
            && !self.world.config.is_at_fault(model)
    }

    fn forget(&mut self, id: ModelId, reloaded: &mut Reloaded) {
        let entry = &mut self.entries[id.0];
        entry.removed = true;
        // Who follows its output sees that it ends with its last child.
        entry.logs = Logs::new();
        reloaded.removed.push(entry.config.id.clone());
        self.handle(Event::Remove { model: id });
    }
}

/// The keys that differ and take effect only at the next start.
fn at_next_start(before: &Config, now: &Config) -> Vec<&'static str> {
    let url = |config: &Config| config.events.as_ref().map(|events| events.url.clone());
    let token_file = |config: &Config| {
        config
            .events
            .as_ref()
            .map(|events| events.token_file.clone())
    };
    [
        ("server.listen", before.server.listen != now.server.listen),
        ("server.admin", before.server.admin != now.server.admin),
        (
            "server.state_dir",
            before.server.state_dir != now.server.state_dir,
        ),
        (
            "server.runtime_dir",
            before.server.runtime_dir != now.server.runtime_dir,
        ),
        (
            "server.body_limit",
            before.server.body_limit != now.server.body_limit,
        ),
        (
            "server.max_connections",
            before.server.max_connections != now.server.max_connections,
        ),
        (
            "server.max_connections_per_address",
            before.server.max_connections_per_address != now.server.max_connections_per_address,
        ),
        (
            "engine.command",
            before.engine.program != now.engine.program,
        ),
        ("telemetry.log", before.log != now.log),
        ("telemetry.events_url", url(before) != url(now)),
        (
            "telemetry.events_token_file",
            token_file(before) != token_file(now),
        ),
    ]
    .into_iter()
    .filter_map(|(key, differs)| differs.then_some(key))
    .collect()
}
