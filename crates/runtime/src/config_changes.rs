//! Finds the differences between two configurations, for a reload.

use paddock_config::{self as config, ApiKey, Config};

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
    pub(super) fn between(before: &[ApiKey], now: &[ApiKey]) -> Self {
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

/// The difference between a model's old and new configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ModelChange {
    /// The model's settings are the same.
    Unchanged,
    /// Settings that apply to the running instance too.
    Adjusted,
    /// Settings that need a new child process, such as its command line; or the files of a failed model, which are no
    /// longer at fault.
    Restarted,
}

impl ModelChange {
    /// Compares a model in two configurations. `has_failed` is true if the model cannot be loaded now.
    pub(super) fn between(
        (before, model_before): (&Config, &config::Model),
        (now, model_now): (&Config, &config::Model),
        has_failed: bool,
    ) -> Self {
        let is_repaired =
            has_failed && before.is_at_fault(model_before) && !now.is_at_fault(model_now);
        let needs_restart = is_repaired
            || before.command(model_before) != now.command(model_now)
            || before.engine.sandbox != now.engine.sandbox
            || model_before.path != model_now.path;
        match needs_restart {
            true => Self::Restarted,
            false if model_before == model_now => Self::Unchanged,
            false => Self::Adjusted,
        }
    }
}

/// Returns the differing configuration keys that need a restart to take effect.
pub(super) fn keys_requiring_restart(before: &Config, now: &Config) -> Vec<&'static str> {
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
        (
            "context_cache.dir",
            before.context_cache.dir != now.context_cache.dir,
        ),
        (
            "context_cache.encryption_key_file",
            before.context_cache.encryption_key_file != now.context_cache.encryption_key_file,
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

#[cfg(test)]
mod tests;
