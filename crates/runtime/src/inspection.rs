//! Inspects a model's files before each load, so that a missing, damaged or too large file evicts no other model,
//! and a failed file is not tried again until it changes.
//!
//! An [`Inspection`] reads the files and the load history. Everything else is derived by pure functions: the
//! placement ([`crate::placement`]), the load that follows from all facts (`load_plan`), its flags (`extra_flags`)
//! and its prompt cache (`prompt_cache`).

mod extra_flags;
mod file_fault;
mod load_plan;
pub(crate) mod model_files;
mod prompt_cache;

use self::file_fault::FileFault;
use self::load_plan::LoadFacts;
use super::model_knowledge::FailedLoad;
use super::placement::{PlacementInput, compute_placement};
use crate::engine_probe::Engine;
use crate::load_history::{ArgumentsHash, FileIdentity, LoadHistoryHandle, LoadKey};
use paddock_config::{self as config, Config, Mode};
use paddock_gguf as gguf;
use paddock_scheduler::{Demand, Memory};
use paddock_supervisor::blocking;
pub(crate) use prompt_cache::PromptCache;
use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A finished inspection, or the reason why the model cannot be loaded.
pub(super) type InspectionResult = Result<Arc<ModelInspection>, FailedLoad>;

/// Facts about a model's files and the load that follows from them.
#[derive(Debug, Clone)]
pub(crate) struct ModelInspection {
    /// Identity of the files; `None` for a wrapped command.
    pub(super) files: Option<FileIdentity>,
    /// Memory predicted from the header alone, or the configured size; includes the prompt cache.
    pub(super) predicted: Memory,
    /// Expected memory (configured, measured or else predicted), including the prompt cache, and load time.
    pub(super) demand: Demand,
    pub(super) prompt_cache: PromptCache,
    /// Additional arguments of the child, the llama-server process.
    pub(super) args: Vec<OsString>,
    /// Key of the model's measurements in the load history.
    pub(super) key: Option<LoadKey>,
    /// Parsed headers, reused while the files do not change.
    pub(super) headers: Option<Arc<ModelHeaders>>,
}

/// The headers of a model's files.
#[derive(Debug)]
pub(crate) struct ModelHeaders {
    pub(super) model: Vec<gguf::Header>,
    pub(super) projector: Option<gguf::Header>,
    pub(super) draft: Option<Vec<gguf::Header>>,
}

/// The inputs of one inspection.
pub(super) struct Inspection {
    pub(super) config: Arc<Config>,
    pub(super) model: Arc<config::Model>,
    pub(super) engine: Arc<Engine>,
    pub(super) load_history: Option<LoadHistoryHandle>,
    pub(super) budget: Memory,
    /// Result of the previous inspection.
    pub(super) before: Option<Arc<ModelInspection>>,
    /// The last failure of the model.
    pub(super) failed: Option<FailedLoad>,
    /// Files that the engine has loaded before.
    pub(super) proven: Option<FileIdentity>,
}

impl Inspection {
    /// Reads the model's files and the measurement of earlier loads, and derives the load.
    pub(super) async fn run(mut self) -> InspectionResult {
        let Some(path) = self.model.path.clone() else {
            return Ok(Arc::new(ModelInspection::unknown()));
        };
        // Reading headers takes milliseconds each: use a blocking thread.
        let reading = blocking::run(move || {
            let read = self.read_files(&path);
            (self, read)
        });
        let (task, read) = match reading.await {
            Ok(done) => done,
            Err(error) => return Err(FileFault::from_task_error(&error).into_failed_load(None)),
        };
        self = task;
        let (files, headers) = match read {
            // A wrapped command reports a fault of its file itself.
            Err(_) if self.config.mode != Mode::Serve => {
                return Ok(Arc::new(ModelInspection::unknown()));
            }
            read => read?,
        };
        let input = PlacementInput {
            config: &self.config,
            model: &self.model,
            engine: &self.engine,
            budget: &self.budget,
        };
        let placement = compute_placement(&input, &headers);
        let key = self.load_key(&files, &placement.args);
        let measurement = match (&self.load_history, &key) {
            (Some(history), Some(key)) => history.lookup(key.clone()).await,
            _ => None,
        };
        let facts = LoadFacts {
            is_proven: self.proven.as_ref() == Some(&files),
            placement,
            measurement,
        };
        let plan = facts.plan(&input);
        Ok(Arc::new(ModelInspection {
            files: Some(files),
            predicted: plan.predicted,
            demand: plan.demand,
            prompt_cache: plan.prompt_cache,
            args: plan.args,
            key,
            headers: Some(headers),
        }))
    }

    /// Returns the files' identity and their headers, read again only if the files changed.
    fn read_files(&self, path: &Path) -> Result<(FileIdentity, Arc<ModelHeaders>), FailedLoad> {
        let mut all = model_files::part_paths(path);
        let extra = [&self.model.mmproj, &self.model.draft];
        all.extend(extra.into_iter().flatten().cloned());
        let files = FileIdentity::from_paths(&all).map_err(|error| {
            let fault = match &self.model.source {
                Some(source) if !path.exists() => {
                    FileFault::from_missing_source(&self.model.id, source)
                }
                _ => FileFault::from_stat_error(&all, &error),
            };
            fault.into_failed_load(None)
        })?;
        let same = |failed: &&FailedLoad| failed.files.as_ref() == Some(&files);
        if let Some(failed) = self.failed.as_ref().filter(same) {
            return Err(failed.clone());
        }
        let before = self.before.as_ref();
        if let Some(before) = before.filter(|before| before.files.as_ref() == Some(&files))
            && let Some(headers) = &before.headers
        {
            return Ok((files, Arc::clone(headers)));
        }
        let headers = model_files::read_headers(&self.model, path)
            .and_then(|headers| model_files::check_loadable(&self.model, path, headers))
            .map_err(|fault| fault.into_failed_load(Some(files.clone())))?;
        Ok((files, Arc::new(headers)))
    }

    /// Returns the key under which this load's measurement is stored.
    fn load_key(&self, files: &FileIdentity, placement_args: &[OsString]) -> Option<LoadKey> {
        let engine = self.engine.identity.clone()?;
        let mut args = self.config.command(&self.model).args;
        args.extend(placement_args.iter().cloned());
        Some(LoadKey {
            file: files.clone(),
            arguments: ArgumentsHash::from_args(&args),
            engine,
        })
    }
}

impl ModelInspection {
    /// Returns the inspection of a wrapped command, about which nothing is known.
    fn unknown() -> Self {
        Self {
            files: None,
            predicted: Memory::needed(0),
            demand: Demand {
                memory: Memory::needed(0),
                load: Duration::ZERO,
                is_proven: true,
            },
            prompt_cache: PromptCache::default(),
            args: Vec::new(),
            key: None,
            headers: None,
        }
    }
}
