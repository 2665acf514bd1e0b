//! Warnings about valid settings that the operator may not intend.

use std::fmt;

use super::{Config, FileFault, Listen, Mode};
use crate::printable::printable_lines;

/// A warning about a valid setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The consequence.
    pub message: String,
    /// The remedy, and how to confirm that the setting is intended.
    pub help: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("warning: {}\n  = help: {}", self.message, self.help);
        f.write_str(&printable_lines(&text))
    }
}

/// Returns the warnings for a configuration and the addresses it listens on.
pub fn warnings(config: &Config, public: &[Listen], admin: &[Listen]) -> Vec<Warning> {
    let open = |at: &&Listen| at.reaches_other_machines();
    let clients = public.iter().find(open);
    let clients = clients.filter(|_| !config.public_may_be_open() && !config.clients_need_key());
    let operators = admin.iter().find(open);
    let operators = operators.filter(|_| !config.admin_may_be_open());
    let clients = clients.map(|at| public_warning(config, at));
    let operators = operators.map(|at| admin_warning(config, at));
    let pages = pages_warning(config);
    let faults = config
        .faults
        .iter()
        .map(|fault| fault_warning(config, fault));
    let open = clients.into_iter().chain(operators).chain(pages);
    open.chain(faults).collect()
}

/// Warns about an unusable file or directory: its models, and what makes them usable.
fn fault_warning(config: &Config, fault: &FileFault) -> Warning {
    let problem = &fault.problem;
    let key = problem.key.as_ref().map(|key| format!("{key}: "));
    let place = problem.span.as_ref();
    let place = place.map(|place| format!(" ({}:{})", place.file.display(), place.line));
    let models = config.models_affected_by(fault).map(|model| &*model.id);
    let models = models.collect::<Vec<_>>();
    let (consequence, remedy) = match models.as_slice() {
        [] => (
            "no model below this directory is served".to_owned(),
            "reload the configuration once the files exist",
        ),
        models => (
            format!(
                "requests for {} will fail with this error",
                models.join(", ")
            ),
            "paddock checks again at the next request",
        ),
    };
    let help = problem.help.as_ref().map(|help| format!("{help}; "));
    Warning {
        message: format!(
            "{}{}{}: {consequence}",
            key.unwrap_or_default(),
            problem.message,
            place.unwrap_or_default()
        ),
        help: format!("{}{remedy}", help.unwrap_or_default()),
    }
}

fn public_warning(config: &Config, at: &Listen) -> Warning {
    let wraps = matches!(config.mode, Mode::Wrap { .. });
    let key = match wraps {
        true => "add --api-key to the command",
        false => "require a key: `paddock key new NAME`",
    };
    Warning {
        message: format!("other machines can use {at} without an API key"),
        help: format!("listen on 127.0.0.1, or {key}; {}", confirm_help(config)),
    }
}

fn admin_warning(config: &Config, at: &Listen) -> Warning {
    let key = match config.mode {
        Mode::Wrap { .. } => "",
        Mode::Serve => ", or require a key: `paddock key new NAME --allow admin`",
    };
    Warning {
        message: format!(
            "other machines can control and monitor models at the admin address {at} without an API key"
        ),
        help: format!("listen on 127.0.0.1{key}; {}", confirm_help(config)),
    }
}

fn confirm_help(config: &Config) -> &'static str {
    match config.mode {
        Mode::Wrap { .. } => "if this is intended, pass --allow-public",
        Mode::Serve => {
            "if this is intended, set `allow_public = true` under [server], or pass --allow-public"
        }
    }
}

/// Warns if pages of every web site may use models without a key.
fn pages_warning(config: &Config) -> Option<Warning> {
    if config.clients_need_key() {
        return None;
    }
    let origins = config.allowed_origins();
    let any = origins.any_site_entry().map(ToString::to_string);
    let (found, pages) = match &any {
        Some(any) => (
            any.as_str(),
            "every web page that a browser on this network opens",
        ),
        None if origins.has_null() => ("null", "every web page in a sandboxed frame"),
        None => return None,
    };
    let (cause, help) = match config.mode {
        Mode::Serve => (
            format!("`server.allowed_origins` contains \"{found}\" and no API keys are configured"),
            "list the allowed origins, or require a key: `paddock key new NAME`",
        ),
        Mode::Wrap { .. } => (
            format!("the command has `--cors-origins {found}` and no `--api-key`"),
            "list the allowed origins, or add --api-key to the command",
        ),
    };
    Some(Warning {
        message: format!("{pages} can use the models: {cause}"),
        help: help.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::Overrides;
    use super::super::fixture::Fixture;
    use super::super::wrap_config;
    use super::*;
    use std::ffi::OsString;

    const MODEL: &str = "[models.m]\npath = \"model.gguf\"\n";

    fn of(config: &Config) -> Vec<String> {
        let found = warnings(config, &config.server.listen, &config.server.admin);
        found.into_iter().map(|warning| warning.message).collect()
    }

    #[test]
    fn addresses_that_other_machines_reach_are_warned_about_without_keys() {
        let clients = "other machines can use 192.0.2.1:80 without an API key".to_owned();
        let operators = "other machines can control and monitor models at the admin address 192.0.2.1:81 without an \
                         API key"
            .to_owned();
        let hash = "0".repeat(64);
        let key = format!("[auth.keys.k]\nhash = \"sha256:{hash}\"\n");
        let admin_key = format!("{key}allow = [\"admin\"]\n");
        let both = "listen = [\"192.0.2.1:80\"]\nadmin = [\"192.0.2.1:81\"]\n";
        let local =
            "listen = [\"127.0.0.1:80\", \"[::1]:80\", \"unix:/a\"]\nadmin = [\"127.0.0.2:81\"]\n";
        for (server, keys, expected) in [
            (both, "", vec![clients.clone(), operators.clone()]),
            (both, &*key, vec![operators]),
            (both, &*admin_key, vec![]),
            (&*format!("{both}allow_public = true\n"), "", vec![]),
            (local, "", vec![]),
        ] {
            let text = format!("[server]\n{server}{keys}{MODEL}");
            let config = Fixture::new().config(&text, &Overrides::default()).unwrap();
            assert_eq!(of(&config), expected, "{text}");
        }
    }

    #[test]
    fn a_wrapped_command_is_warned_about_unless_it_demands_keys() {
        let clients = "other machines can use 192.0.2.1:8080 without an API key".to_owned();
        let all = "other machines can use 0.0.0.0:8080 without an API key".to_owned();
        for (command, variables, expected) in [
            ("--host 192.0.2.1", vec![], vec![clients]),
            ("--host 0.0.0.0", vec![], vec![all]),
            ("--host 0.0.0.0 --api-key k", vec![], vec![]),
            ("--host 0.0.0.0", vec![("LLAMA_API_KEY", "k")], vec![]),
            ("--port 80", vec![], vec![]),
        ] {
            let fixture = Fixture::new();
            let words = format!(
                "llama-server -m {} {command}",
                fixture.path("model.gguf").display()
            );
            let words: Vec<OsString> = words.split(' ').map(OsString::from).collect();
            let variables = variables
                .iter()
                .map(|(name, value): &(&str, &str)| ((*name).into(), (*value).into()));
            let config = wrap_config::config(
                &words,
                variables,
                &Overrides::default(),
                &fixture.process_env(),
            );
            assert_eq!(of(&config.unwrap()), expected, "{command}");
        }
    }
}
