//! Finds configured models by the names that clients send. The catalog also holds the API keys and the browser policy.

use crate::browser_policy::BrowserPolicy;
use crate::error::ProxyError;
use crate::keys::{Key, Keys};
use crate::model::Model;
use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::sync::Arc;

/// Maximum number of names that an error lists.
const MAX_LISTED_NAMES: usize = 20;

/// The configured models with their keys and browser policy. A reload replaces all of it at once.
#[derive(Debug, Default)]
pub struct Catalog {
    models: Vec<Arc<Model>>,
    /// Models by name and alias. The operator chooses these, so the hash function need not resist collisions.
    names: HashMap<String, Arc<Model>, RandomState>,
    /// The model for requests that name none.
    default: Option<Arc<Model>>,
    /// A single model answers only to its own names; see [`Self::with_exact_names`].
    exact_names: bool,
    keys: Keys,
    browser_policy: BrowserPolicy,
}

impl Catalog {
    /// Creates a catalog of models with their aliases; `default` is one of these names.
    pub fn new(models: Vec<(Arc<Model>, &[String])>, default: Option<&str>) -> Self {
        let mut catalog = Self::default();
        for (model, aliases) in models {
            for name in aliases.iter().chain([&model.name]) {
                catalog.names.insert(name.clone(), Arc::clone(&model));
            }
            catalog.models.push(model);
        }
        catalog.default = default.and_then(|name| catalog.names.get(name).cloned());
        catalog
    }

    /// Sets the API keys; if there are any, clients must present one.
    #[must_use]
    pub fn with_keys(mut self, keys: Keys) -> Self {
        self.keys = keys;
        self
    }

    /// Sets the rules for web pages.
    #[must_use]
    pub fn with_browser_policy(mut self, policy: BrowserPolicy) -> Self {
        self.browser_policy = policy;
        self
    }

    /// Sets whether a single model answers only to its own names, or, as llama-server does, to any name in a body.
    #[must_use]
    pub fn with_exact_names(mut self, exact: bool) -> Self {
        self.exact_names = exact;
        self
    }

    /// Returns the rules for requests that web pages send.
    pub fn browser_policy(&self) -> &BrowserPolicy {
        &self.browser_policy
    }

    /// Returns the API keys of clients and operators.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Returns an error if a key does not allow a model.
    pub fn check(&self, key: &Key, model: &Model) -> Result<(), ProxyError> {
        if key.is_for(model.id) {
            return Ok(());
        }
        Err(ProxyError::ForbiddenModel {
            key: key.name.to_string(),
            model: model.name.clone(),
            allowed: self.list_names_for(key),
        })
    }

    /// Removes models this key may not use from an error that lists models.
    pub fn hide_other_models(&self, key: &Key, mut error: ProxyError) -> ProxyError {
        if let ProxyError::UnknownModel { configured, .. } | ProxyError::NoModel { configured } =
            &mut error
            && !key.is_for_all()
        {
            *configured = self.list_names_for(key);
        }
        error
    }

    /// Returns all models, in the order of the configuration.
    pub fn models(&self) -> &[Arc<Model>] {
        &self.models
    }

    /// Returns the model if exactly one is configured.
    fn only_model(&self) -> Option<&Arc<Model>> {
        match self.models.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }

    /// Returns the model that every request uses unless its path, query or header names one; `None` if bodies count.
    pub fn answers_to_any_name(&self) -> Option<&Arc<Model>> {
        self.only_model().filter(|_| !self.exact_names)
    }

    /// Returns the model of a name or an alias.
    pub fn get(&self, name: &str) -> Option<&Arc<Model>> {
        self.names.get(name)
    }

    /// Returns the model of a name, or an error that lists similar names.
    pub fn find(&self, name: &str) -> Result<Arc<Model>, ProxyError> {
        self.get(name)
            .cloned()
            .ok_or_else(|| self.unknown_model(name))
    }

    /// Returns the model of requests that name none.
    pub fn default_model(&self) -> Result<Arc<Model>, ProxyError> {
        let model = self.only_model().or(self.default.as_ref());
        model.cloned().ok_or_else(|| ProxyError::NoModel {
            configured: self.list_names(""),
        })
    }

    /// Returns the error for a name that no model has.
    pub fn unknown_model(&self, name: &str) -> ProxyError {
        ProxyError::UnknownModel {
            name: name.chars().take(200).collect(),
            configured: self.list_names(name),
        }
    }

    /// Lists the names of all models, similar ones first.
    fn list_names(&self, name: &str) -> String {
        let mut names: Vec<&str> = self
            .models
            .iter()
            .map(|model| model.name.as_str())
            .collect();
        if name.len() <= 100 {
            // The sort is stable: dissimilar names keep the order of the configuration.
            names.sort_by_key(|other| match strsim::damerau_levenshtein(name, other) {
                distance if distance <= 3 => distance,
                _ => usize::MAX,
            });
        }
        join_names(names)
    }

    /// Lists the names of the models that a key allows.
    fn list_names_for(&self, key: &Key) -> String {
        let models = self.models.iter().filter(|model| key.is_for(model.id));
        join_names(models.map(|model| model.name.as_str()).collect())
    }
}

fn join_names(mut names: Vec<&str>) -> String {
    if names.is_empty() {
        return "nothing".to_owned();
    }
    let more = names.len().saturating_sub(MAX_LISTED_NAMES);
    names.truncate(MAX_LISTED_NAMES);
    let listed = names.join(", ");
    match more {
        0 => listed,
        more => format!("{listed} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Capacity, ExchangeLimits, ReleaseNotifier};
    use paddock_scheduler::Epoch;
    use std::time::Duration;
    use tokio::sync::mpsc;
    use tokio::time::Instant;

    fn test_model(id: usize, name: &str) -> Arc<Model> {
        let limits = ExchangeLimits {
            first_byte: Duration::MAX,
            stream_idle: Duration::MAX,
            loading_heartbeat: false,
        };
        let epoch = Epoch::new(Instant::now().into_std());
        let released = ReleaseNotifier::new(epoch, mpsc::channel(1).0);
        let id = paddock_scheduler::ModelId(id);
        let capacity = Capacity {
            cap: 1,
            slots: None,
        };
        Arc::new(Model::new(id, name.into(), capacity, limits, released))
    }

    fn catalog(names: &[&str], default: Option<&str>) -> Catalog {
        let models = names
            .iter()
            .enumerate()
            .map(|(id, name)| (test_model(id, name), &[][..]));
        Catalog::new(models.collect(), default)
    }

    #[test]
    fn what_is_close_is_listed_first() {
        let catalog = catalog(&["alpha", "gemma-3", "gamma-3"], None);
        let error = catalog.find("gemma3").unwrap_err().to_string();
        assert!(error.contains("gemma-3, gamma-3, alpha"), "{error}");
    }

    #[test]
    fn a_long_list_is_cut() {
        let names: Vec<String> = (0..50).map(|number| format!("m{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let error = catalog(&names, None).find("x").unwrap_err().to_string();
        assert!(error.contains("and 30 more"), "{error}");
    }

    #[test]
    fn requests_without_a_name_go_to_the_only_or_the_default_model() {
        assert_eq!(catalog(&["a"], None).default_model().unwrap().name, "a");
        assert_eq!(
            catalog(&["a", "b"], Some("b"))
                .default_model()
                .unwrap()
                .name,
            "b"
        );
        let error = catalog(&["a", "b"], None).default_model().unwrap_err();
        assert_eq!((error.kind(), error.status()), ("no_model", 400));
    }

    #[test]
    fn a_single_model_answers_to_any_name_unless_directories_may_bring_more() {
        let one = || catalog(&["a"], None);
        assert!(one().answers_to_any_name().is_some());
        let found = one().with_exact_names(true);
        assert!(found.answers_to_any_name().is_none());
        assert_eq!(found.default_model().unwrap().name, "a");
        assert!(
            catalog(&["a", "b"], Some("a"))
                .answers_to_any_name()
                .is_none()
        );
    }
}
