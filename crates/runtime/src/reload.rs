//! Applies another configuration: finds the differences and changes only the models whose sections differ.

use super::actor::Runtime;
use super::failure_dedup::FailureDedup;
use crate::scheduler_policy;
use paddock_admission::model::{Capacity, ExchangeLimits};
use paddock_config::{self as config, ApiKey, Config};
use paddock_scheduler::{Event, ModelId, ModelStatus};
use paddock_supervisor::Logs;
use std::sync::Arc;

/// The result of a reload, by model name.
#[derive(Debug, Default)]
pub struct ReloadReport {
    /// Models that were added.
    pub added: Vec<String>,
    /// Models whose configuration changed.
    pub changed: Vec<String>,
    /// Models that were removed.
    pub removed: Vec<String>,
    /// API keys that changed.
    pub api_keys: ApiKeyChanges,
    /// Configuration keys that need a restart to take effect.
    pub at_next_start: Vec<&'static str>,
}

/// Differences between two sets of API keys, by name.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ApiKeyChanges {
    /// API keys that were added.
    pub added: Vec<String>,
    /// API keys whose settings changed.
    pub changed: Vec<String>,
    /// API keys that were removed.
    pub removed: Vec<String>,
}

impl ApiKeyChanges {
    /// Compares the API keys of two configurations.
    fn between(before: &[ApiKey], now: &[ApiKey]) -> Self {
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

impl Runtime {
    pub(super) fn reload(&mut self, config: Config) -> ReloadReport {
        let before = Arc::clone(&self.context.config);
        let config = Arc::new(config);
        self.context.config = Arc::clone(&config);
        let mut reloaded = ReloadReport {
            at_next_start: keys_requiring_restart(&before, &config),
            api_keys: ApiKeyChanges::between(&before.api_keys, &config.api_keys),
            ..ReloadReport::default()
        };
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
            match config
                .models
                .iter()
                .find(|model| model.id == entry.config.id)
            {
                Some(model) => self.change_model(ModelId(index), model, &before, &mut reloaded),
                None => self.remove_model(ModelId(index), &mut reloaded),
            }
        }
        for model in &config.models {
            let known = |entry: &&super::model_entry::ModelEntry| {
                !entry.removed && entry.config.id == model.id
            };
            if self.entries.iter().find(known).is_none() {
                let id = self.add(Arc::new(model.clone()));
                reloaded.added.push(model.id.clone());
                if model.preload {
                    self.handle_event(Event::Load { model: id });
                }
            }
        }
        self.inspect_faults();
        self.publish_catalog();
        reloaded
    }

    fn change_model(
        &mut self,
        id: ModelId,
        model: &config::Model,
        before: &Config,
        reloaded: &mut ReloadReport,
    ) {
        let config = Arc::clone(&self.context.config);
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
        let limits = ExchangeLimits::from_config(model);
        entry.model = Arc::new(
            entry
                .model
                .with_limits(Capacity::from_config(model, config.mode), limits),
        );
        if restart {
            entry.failed = None;
            entry.failure_dedup = FailureDedup::default();
            entry.last_inspection_id += 1;
        }
        reloaded.changed.push(model.id.clone());
        self.handle_event(Event::Change {
            model: id,
            spec: scheduler_policy::spec(&config, model),
            restart,
        });
    }

    /// Returns true if a model failed because of its files and those are no longer at fault.
    fn is_repaired(&self, id: ModelId, model: &config::Model, before: &Config) -> bool {
        let snapshot = self.scheduler.snapshot(id);
        snapshot.is_some_and(|snapshot| snapshot.status == ModelStatus::Failed)
            && before.is_at_fault(&self.entries[id.0].config)
            && !self.context.config.is_at_fault(model)
    }

    fn remove_model(&mut self, id: ModelId, reloaded: &mut ReloadReport) {
        let entry = &mut self.entries[id.0];
        entry.removed = true;
        // A reader of the old logs sees their end when the last child ends.
        entry.logs = Logs::new();
        reloaded.removed.push(entry.config.id.clone());
        self.handle_event(Event::Remove { model: id });
    }
}

/// Returns the differing configuration keys that need a restart to take effect.
fn keys_requiring_restart(before: &Config, now: &Config) -> Vec<&'static str> {
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
