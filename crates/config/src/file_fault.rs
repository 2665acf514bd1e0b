//! Faults of files and directories that a configuration names: they keep single models from being served.

use std::path::PathBuf;

use super::problem::Problem;
use super::{Config, Model};

/// A model's file, or a directory of models, that cannot be used as it is now.
///
/// The configuration is valid all the same: such a file may be mounted or downloaded later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileFault {
    /// The file or directory, as the configuration names it.
    pub path: PathBuf,
    /// The fault, and the place where the path is written.
    pub problem: Problem,
}

impl Model {
    /// Returns whether the model is made of this file.
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

    /// Returns the models that a fault keeps from being served.
    pub(super) fn kept_from(&self, fault: &FileFault) -> impl Iterator<Item = &Model> {
        self.models.iter().filter(|model| model.uses(fault))
    }
}
