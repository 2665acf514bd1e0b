//! Publishes the catalog to the workers, the threads that serve HTTP: the models, API keys and rules for requests from
//! web pages (CORS).

use super::Runtime;
use paddock_admission::browser_policy::BrowserPolicy;
use paddock_admission::catalog::Catalog;
use paddock_admission::error::ProxyError;
use paddock_admission::keys::Keys;
use std::sync::Arc;

impl Runtime {
    /// Returns the error for a removed model that the published catalog still contains.
    pub(super) fn unknown_model_error(&self, name: &str) -> ProxyError {
        self.build_catalog().unknown_model(name)
    }

    /// Builds a catalog of the configured models, without keys.
    fn build_catalog(&self) -> Catalog {
        let entries = self.entries.iter().filter(|entry| !entry.removed);
        let models = entries.map(|entry| {
            let aliases = entry.config.aliases.as_slice();
            (Arc::clone(&entry.model), aliases)
        });
        let default = self.context.config.server.default_model.as_deref();
        Catalog::new(models.collect(), default)
    }

    /// Publishes models, keys and rules for web pages to the workers.
    pub(super) fn publish_catalog(&self) {
        let catalog = self.build_catalog();
        let find_model = |name: &str| catalog.get(name).map(|model| model.id);
        let before = Arc::clone(&self.catalog.borrow());
        let keys = Keys::new(&self.context.config.api_keys, find_model, before.keys());
        let entries = self.entries.iter().filter(|entry| !entry.removed);
        let configured = entries.map(|entry| (entry.model.id, entry.config.as_ref()));
        let browsers = BrowserPolicy::new(&self.context.config, configured);
        let catalog = catalog.with_keys(keys).with_browser_policy(browsers);
        let catalog = catalog.with_exact_names(self.context.config.discovers);
        self.catalog.send_replace(Arc::new(catalog));
    }
}
