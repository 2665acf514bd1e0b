//! Describes faults: configured files and directories that are unusable now. A fault affects only its own models.

use std::path::PathBuf;

use super::problem::Problem;
use super::{Config, Model};

/// A model's file, or a directory of models, that is unusable now.
///
/// The configuration is still valid: the file may be mounted or downloaded later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileFault {
    /// The file or directory, as the configuration names it.
    pub path: PathBuf,
    /// The problem, with the span of the path.
    pub problem: Problem,
}

impl Model {
    /// Returns whether the model uses this file.
    fn uses(&self, fault: &FileFault) -> bool {
        let files = [&self.path, &self.mmproj, &self.draft];
        files.into_iter().flatten().any(|path| *path == fault.path)
    }
}

impl Config {
    /// Returns whether a model's files had a fault when the configuration was read.
    pub fn is_at_fault(&self, model: &Model) -> bool {
        self.faults.iter().any(|fault| model.uses(fault))
    }

    /// Returns the models that cannot be served because of a fault.
    pub fn models_affected_by(&self, fault: &FileFault) -> impl Iterator<Item = &Model> {
        self.models.iter().filter(|model| model.uses(fault))
    }
}
