//! The models there are, by the names that clients send.

use crate::browser_policy::BrowserPolicy;
use crate::error::ProxyError;
use crate::keys::{Key, Keys};
use crate::model::Model;
use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::sync::Arc;

/// How many names an error lists at most.
const LISTED: usize = 20;

/// The configured models. It is replaced as a whole.
#[derive(Debug, Default)]
pub struct Catalog {
    models: Vec<Arc<Model>>,
    /// Names and aliases. They are the configuration's, so nobody can choose them to collide.
    names: HashMap<String, Arc<Model>, RandomState>,
    default: Option<Arc<Model>>,
    /// The name in a body counts although there is only one model.
    exact_names: bool,
    keys: Keys,
    browsers: BrowserPolicy,
}

impl Catalog {
    /// Models in their order, each with its aliases; one of all these names is the default's.
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

    /// The same for those who show one of these keys, where there are some.
    #[must_use]
    pub fn with_keys(mut self, keys: Keys) -> Self {
        self.keys = keys;
        self
    }

    /// Returns the same models, where these web pages may ask for them.
    #[must_use]
    pub fn with_browsers(mut self, browsers: BrowserPolicy) -> Self {
        self.browsers = browsers;
        self
    }

    /// Returns the same models, of which even a single one answers to its own names alone, or, as llama-server
    /// does, to any name that a body has.
    #[must_use]
    pub fn with_exact_names(mut self, exact: bool) -> Self {
        self.exact_names = exact;
        self
    }

    /// The rules for requests that web pages send.
    pub fn browsers(&self) -> &BrowserPolicy {
        &self.browsers
    }

    /// The keys that clients and operators show.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Refuses a model that a key is not for.
    pub fn check(&self, key: &Key, model: &Model) -> Result<(), ProxyError> {
        if key.is_for(model.id) {
            return Ok(());
        }
        Err(ProxyError::ForbiddenModel {
            key: key.name.to_string(),
            model: model.name.clone(),
            allowed: self.listed_for(key),
        })
    }

    /// An error that lists models, as who has this key is told it: of those it is not for it says nothing.
    pub fn for_key(&self, key: &Key, mut error: ProxyError) -> ProxyError {
        if let ProxyError::UnknownModel { configured, .. } | ProxyError::NoModel { configured } =
            &mut error
            && !key.is_for_all()
        {
            *configured = self.listed_for(key);
        }
        error
    }

    /// All models, in the order of the configuration.
    pub fn models(&self) -> &[Arc<Model>] {
        &self.models
    }

    /// The one model, where there is one.
    fn only(&self) -> Option<&Arc<Model>> {
        match self.models.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }

    /// Returns the model of every request that names none beside its body, if that is certain.
    pub fn answers_to_any_name(&self) -> Option<&Arc<Model>> {
        self.only().filter(|_| !self.exact_names)
    }

    /// The model of a name or an alias.
    pub fn named(&self, name: &str) -> Option<&Arc<Model>> {
        self.names.get(name)
    }

    /// The model of a name, or an error that lists what is close.
    pub fn find(&self, name: &str) -> Result<Arc<Model>, ProxyError> {
        self.named(name).cloned().ok_or_else(|| self.unknown(name))
    }

    /// The model of requests that name none.
    pub fn unnamed(&self) -> Result<Arc<Model>, ProxyError> {
        let model = self.only().or(self.default.as_ref());
        model.cloned().ok_or_else(|| ProxyError::NoModel {
            configured: self.listed(""),
        })
    }

    /// What is said of a name that nothing has.
    pub fn unknown(&self, name: &str) -> ProxyError {
        ProxyError::UnknownModel {
            name: name.chars().take(200).collect(),
            configured: self.listed(name),
        }
    }

    /// The names of models, those that are close to this one first.
    fn listed(&self, name: &str) -> String {
        let mut names: Vec<&str> = self
            .models
            .iter()
            .map(|model| model.name.as_str())
            .collect();
        if name.len() <= 100 {
            // Far ones keep the order of the configuration: the sort is stable.
            names.sort_by_key(|other| match strsim::damerau_levenshtein(name, other) {
                distance if distance <= 3 => distance,
                _ => usize::MAX,
            });
        }
        joined(names)
    }

    /// The names of the models that a key is for.
    fn listed_for(&self, key: &Key) -> String {
        let models = self.models.iter().filter(|model| key.is_for(model.id));
        joined(models.map(|model| model.name.as_str()).collect())
    }
}

fn joined(mut names: Vec<&str>) -> String {
    if names.is_empty() {
        return "nothing".to_owned();
    }
    let more = names.len().saturating_sub(LISTED);
    names.truncate(LISTED);
    let listed = names.join(", ");
    match more {
        0 => listed,
        more => format!("{listed} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Capacity, Limits, Released};
    use paddock_scheduler::Epoch;
    use std::time::Duration;
    use tokio::sync::mpsc;
    use tokio::time::Instant;

    fn test_model(id: usize, name: &str) -> Arc<Model> {
        let limits = Limits {
            first_byte: Duration::MAX,
            stream_idle: Duration::MAX,
            loading_heartbeat: false,
        };
        let epoch = Epoch::new(Instant::now().into_std());
        let released = Released::new(epoch, mpsc::channel(1).0);
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
        assert_eq!(catalog(&["a"], None).unnamed().unwrap().name, "a");
        assert_eq!(catalog(&["a", "b"], Some("b")).unnamed().unwrap().name, "b");
        let error = catalog(&["a", "b"], None).unnamed().unwrap_err();
        assert_eq!((error.kind(), error.status()), ("no_model", 400));
    }

    #[test]
    fn a_single_model_answers_to_any_name_unless_directories_may_bring_more() {
        let one = || catalog(&["a"], None);
        assert!(one().answers_to_any_name().is_some());
        let found = one().with_exact_names(true);
        assert!(found.answers_to_any_name().is_none());
        assert_eq!(found.unnamed().unwrap().name, "a");
        assert!(
            catalog(&["a", "b"], Some("a"))
                .answers_to_any_name()
                .is_none()
        );
    }
}
