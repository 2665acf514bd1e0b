//! Resolves `[auth.keys]`: checks each API key and applies the defaults.

use std::collections::HashMap;

use super::super::api_key::{ApiKey, Scope, key_name_error};
use super::super::key_reader::Sourced;
use super::super::model::Model;
use super::super::raw::{List, RawApiKey};
use super::super::suggestions::closest_name;
use super::{Resolver, value_or};

/// Entry of `models` that allows every model.
const ALL_MODELS: &str = "*";

/// A key's name, and its section as written.
type NamedKey = (Sourced<String>, RawApiKey);

impl Resolver<'_> {
    /// Returns the keys that have a hash, after reporting all problems.
    pub(super) fn api_keys(&self, raw: Vec<NamedKey>, models: &[Model]) -> Vec<ApiKey> {
        let mut keys = Vec::new();
        let mut seen = HashMap::new();
        for (name, raw) in raw {
            if let Some(message) = key_name_error(&name.value) {
                self.report.push(name.problem(message));
            }
            let Some(hash) = raw.hash else {
                if !raw.hash_written {
                    let problem = name.problem("needs `hash`, the hash of its secret");
                    let help = "`paddock key new NAME` creates a secret and prints its hash";
                    self.report.push(problem.help(help));
                }
                continue;
            };
            if let Some(other) = seen.insert(hash.value, name.value.clone()) {
                let message = format!("`{other}` has the same hash, and therefore the same secret");
                let help = "each key needs its own secret: `paddock key new NAME` creates one";
                self.report.push(hash.problem(message).help(help));
            }
            keys.push(ApiKey {
                name: name.value,
                hash: hash.value,
                allow: self.scopes(raw.allow),
                models: raw
                    .models
                    .and_then(|list| self.allowed_models(list, models)),
                expires: raw.expires.and_then(|at| at.value),
                max_concurrent: value_or(raw.max_concurrent, 0),
                requests_per_minute: value_or(raw.requests_per_minute, 0),
                tokens_per_minute: value_or(raw.tokens_per_minute, 0),
            });
        }
        keys
    }

    /// Returns the scopes in `allow`; without it, only `inference`.
    fn scopes(&self, raw: Option<List<String>>) -> Vec<Scope> {
        let Some(list) = raw else {
            return vec![Scope::Inference];
        };
        if list.value.is_empty() {
            let help = "list what the key allows, such as [\"inference\"], or remove the API key";
            self.report
                .push(list.problem("must not be empty").help(help));
        }
        let parse = |at: Sourced<String>| match at.value.parse() {
            Ok(scope) => Some(scope),
            Err(message) => {
                self.report.push(at.problem(message));
                None
            }
        };
        list.value.into_iter().filter_map(parse).collect()
    }

    /// Returns the models of a list of names and aliases; `None` for all.
    fn allowed_models(&self, list: List<String>, models: &[Model]) -> Option<Vec<String>> {
        if list.value.iter().any(|at| at.value == ALL_MODELS) {
            return None;
        }
        let mut ids = Vec::new();
        for at in list.value {
            match models.iter().find(|model| model.has_name(&at.value)) {
                Some(model) if ids.contains(&model.id) => {}
                Some(model) => ids.push(model.id.clone()),
                // The name is no problem if there is no model at all, or if models may be missing.
                None if models.is_empty() || self.report.models_may_be_lost() => {}
                None => {
                    let names = models
                        .iter()
                        .flat_map(|model| [&model.id].into_iter().chain(&model.aliases));
                    let names: Vec<&str> = names.map(String::as_str).collect();
                    let shown = at.value.escape_debug();
                    let problem = at.problem(format!("there is no model `{shown}`"));
                    self.report
                        .push(problem.help(match closest_name(&at.value, &names) {
                            Some(name) => format!("did you mean `{name}`?"),
                            None => "list models or aliases, or \"*\" for all".to_owned(),
                        }));
                }
            }
        }
        Some(ids)
    }
}
