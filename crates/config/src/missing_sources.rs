//! Models that are configured by a source and not on disk yet.

use paddock_models::{ModelSource, StoreDirs, find};

use super::Config;

/// The sources of a configuration that are not on disk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MissingSources(Vec<ModelSource>);

impl MissingSources {
    /// Returns whether nothing is missing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns whether any of them is on disk now. Reads directories.
    pub fn has_arrived(&self) -> bool {
        let dirs = StoreDirs::current();
        dirs.is_some_and(|dirs| self.0.iter().any(|source| find(source, &dirs).is_ok()))
    }
}

impl Config {
    /// Returns the sources that were not on disk when the configuration was read.
    pub fn missing_sources(&self) -> MissingSources {
        let missing = self.models.iter().filter(|model| {
            let path = model.path.as_deref();
            self.is_at_fault(model) && path.is_some_and(|path| !path.exists())
        });
        MissingSources(missing.filter_map(|model| model.source.clone()).collect())
    }
}
