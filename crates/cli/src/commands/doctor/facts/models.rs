//! The configured models and those on disk.

use std::path::Path;

use paddock_gguf::inspect_parts;
use paddock_gguf::memory::{MemoryOptions, predict};
use paddock_models::StoreDirs;
use paddock_server::config::{Config, Model};

use super::Advice;
use crate::model_pull::ASSUMED_CONTEXT;

/// A model of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct ConfiguredModel {
    pub(in super::super) name: String,
    /// The reason why its files are unusable.
    pub(in super::super) fault: Option<Advice>,
    /// Memory that the model needs in bytes, if known.
    pub(in super::super) needed: Option<u64>,
}

/// The models that `paddock models` lists.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in super::super) struct ModelsOnDisk {
    pub(in super::super) count: usize,
    pub(in super::super) bytes: u64,
}

impl ModelsOnDisk {
    pub(super) fn read() -> Self {
        let models = StoreDirs::current().map(|dirs| paddock_models::list(&dirs));
        let models = models.unwrap_or_default();
        Self {
            count: models.len(),
            bytes: models
                .iter()
                .map(|model| model.size)
                .fold(0, u64::saturating_add),
        }
    }
}

/// Describes the models of a configuration.
pub(super) fn configured(config: &Config) -> Vec<ConfiguredModel> {
    let describe = |model: &Model| {
        let mut faults = config.faults.iter().filter(|fault| {
            let mut affected = config.models_affected_by(fault);
            affected.any(|affected| affected.id == model.id)
        });
        let fault = faults.next().map(|fault| Advice::from(&fault.problem));
        let predicted = || predict_memory(model.path.as_deref()?, model);
        ConfiguredModel {
            name: model.id.clone(),
            needed: match &fault {
                Some(_) => None,
                None => model.memory.or_else(predicted),
            },
            fault,
        }
    };
    config.models.iter().map(describe).collect()
}

fn predict_memory(path: &Path, model: &Model) -> Option<u64> {
    let parts = inspect_parts(path).ok()?;
    let trained = parts.first()?.trained_context();
    let is_longer = trained.is_none_or(|trained| trained > u64::from(ASSUMED_CONTEXT));
    let options = MemoryOptions {
        context: match model.context {
            0 if is_longer => ASSUMED_CONTEXT,
            context => context,
        },
        parallel: model.parallel,
        ..MemoryOptions::default()
    };
    Some(predict(&parts, &options).ok()?.total())
}
