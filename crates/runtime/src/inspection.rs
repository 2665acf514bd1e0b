//! Inspects a model's files before each load, so that a missing, damaged or too large file evicts no other model,
//! and a failed file is not tried again until it changes.

mod extra_flags;
mod file_fault;
mod prompt_cache;

use self::file_fault::FileFault;
use super::actor::{Runtime, RuntimeMessage};
use super::model_entry::FailedLoad;
use super::placement::{Placement, PlacementInput, compute_placement};
use crate::engine_probe::Engine;
use crate::load_history::{
    ArgumentsHash, FileIdentity, LoadHistoryHandle, LoadKey, LoadMeasurement,
};
use crate::scheduler_policy;
use paddock_config::{self as config, Config, Mode};
use paddock_gguf as gguf;
use paddock_scheduler::{Demand, Event, Memory, ModelId, ModelStatus};
use paddock_supervisor::blocking;
pub(crate) use prompt_cache::PromptCache;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Assumed read speed, to estimate the duration of a first load.
const READ_BYTES_PER_SECOND: u64 = 1 << 30;

/// A finished inspection, or the reason why the model cannot be loaded.
pub(super) type InspectionResult = Result<Arc<ModelInspection>, FailedLoad>;

/// Facts about a model's files and the load that follows from them.
#[derive(Debug, Clone)]
pub struct ModelInspection {
    /// Identity of the files; `None` for a wrapped command.
    pub(super) files: Option<FileIdentity>,
    /// Memory predicted from the header alone, including the prompt cache.
    pub(super) predicted: Memory,
    /// Memory and load time by all that is known, including the prompt cache.
    pub(super) demand: Demand,
    pub(super) prompt_cache: PromptCache,
    /// Additional arguments of the child.
    pub(super) args: Vec<OsString>,
    /// Key of the model's load measurements.
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
struct Inspection {
    config: Arc<Config>,
    model: Arc<config::Model>,
    engine: Arc<Engine>,
    load_history: Option<LoadHistoryHandle>,
    budget: Memory,
    before: Option<Arc<ModelInspection>>,
    failed: Option<FailedLoad>,
    proven: Option<FileIdentity>,
}

impl Runtime {
    /// Stores the probed engine, sets the budget, and starts the inspections that waited for it.
    pub(super) fn on_engine_probed(&mut self, engine: Engine) {
        let config = &self.context.config;
        let budget = scheduler_policy::budget(config, engine.host, &engine.devices);
        if config.mode == Mode::Serve {
            let names: Vec<String> = engine
                .devices
                .iter()
                .map(|device| device.name.clone())
                .collect();
            let memory = super::journal::format_memory(&budget, &names);
            tracing::info!(%memory, "models may use");
        }
        let policy = scheduler_policy::policy(config);
        self.context.engine = Some(Arc::new(engine));
        self.handle_event(Event::Rules { policy, budget });
        for model in std::mem::take(&mut self.waiting_for_engine) {
            self.inspect(model);
        }
    }

    pub(super) fn inspect(&mut self, id: ModelId) {
        let Some(engine) = self.context.engine.clone() else {
            self.waiting_for_engine.push(id);
            return;
        };
        let budget = self.scheduler.usage().budget;
        let entry = &mut self.entries[id.0];
        entry.last_inspection_id += 1;
        let inspection_id = entry.last_inspection_id;
        let task = Inspection {
            config: Arc::clone(&self.context.config),
            model: Arc::clone(&entry.config),
            engine,
            load_history: self.context.load_history.clone(),
            budget,
            before: entry.inspection.clone(),
            failed: entry.failed.clone(),
            proven: entry.proven.clone(),
        };
        let sender = self.messages_sender.clone();
        self.tasks.spawn(async move {
            let inspection = task.run().await;
            // Sending fails only if the actor has ended.
            let _ = sender
                .send(RuntimeMessage::Inspected {
                    model: id,
                    inspection_id,
                    inspection,
                })
                .await;
        });
    }

    /// Inspects the models whose files were at fault when the configuration was read, so that a snapshot shows them
    /// as failed before the first request.
    pub(super) fn inspect_faults(&mut self) {
        let config = Arc::clone(&self.context.config);
        if config.faults.is_empty() {
            return;
        }
        for index in 0..self.entries.len() {
            let entry = &self.entries[index];
            let snapshot = self.scheduler.snapshot(ModelId(index));
            let idle = snapshot.is_some_and(|snapshot| snapshot.status == ModelStatus::Unloaded);
            if idle && !entry.removed && config.is_at_fault(&entry.config) {
                self.inspect(ModelId(index));
            }
        }
    }

    pub(super) fn on_inspected(
        &mut self,
        id: ModelId,
        inspection_id: u64,
        inspection: InspectionResult,
    ) {
        let Some(entry) = self.entries.get_mut(id.0) else {
            return;
        };
        // The configuration has changed since: a newer inspection is running.
        if entry.last_inspection_id != inspection_id {
            return;
        }
        let demand = match inspection {
            Ok(inspection) => {
                // A failure of other files no longer counts.
                if entry
                    .failed
                    .as_ref()
                    .is_some_and(|failed| failed.files.is_some())
                {
                    entry.failed = None;
                }
                let demand = inspection.demand;
                if demand.is_proven {
                    entry.proven.clone_from(&inspection.files);
                }
                entry.inspection = Some(inspection);
                Some(demand)
            }
            Err(failed) => {
                let cause = Arc::clone(&failed.failure.cause);
                entry.failed = Some(failed);
                if entry.failure_dedup.is_new_cause(&cause) {
                    tracing::warn!(model = entry.config.id, failure = %cause, "not loaded");
                    self.record_unloadable(id, &cause);
                    self.journal.unloadable(id, cause);
                } else {
                    tracing::debug!(model = entry.config.id, failure = %cause, "still not loaded");
                }
                None
            }
        };
        self.handle_event(Event::Inspected { model: id, demand });
    }
}

impl Inspection {
    async fn run(mut self) -> InspectionResult {
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
        let key = self.load_key(&files, &placement);
        let measurement = match (&self.load_history, &key) {
            (Some(history), Some(key)) => history.lookup(key.clone()).await,
            _ => None,
        };
        Ok(Arc::new(self.assemble(
            files,
            headers,
            placement,
            key,
            measurement.as_ref(),
        )))
    }

    /// Returns the files' identity and their headers, read again only if the files changed.
    fn read_files(&self, path: &Path) -> Result<(FileIdentity, Arc<ModelHeaders>), FailedLoad> {
        let parts = part_paths(path);
        let extra = [&self.model.mmproj, &self.model.draft];
        let all: Vec<PathBuf> = parts
            .into_iter()
            .chain(extra.into_iter().flatten().cloned())
            .collect();
        let files = FileIdentity::from_paths(&all)
            .map_err(|error| FileFault::from_stat_error(&all, &error).into_failed_load(None))?;
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
        let headers = self
            .read_headers(path)
            .and_then(|headers| self.check_loadable(path, headers))
            .map_err(|fault| fault.into_failed_load(Some(files.clone())))?;
        Ok((files, Arc::new(headers)))
    }

    fn read_headers(&self, path: &Path) -> Result<ModelHeaders, FileFault> {
        let projector = self.model.mmproj.as_deref();
        let projector = projector.map(|path| {
            let read = gguf::inspect(path);
            read.map_err(|error| FileFault::from_gguf_error(path, &error))
        });
        let parts = |path: &Path| {
            let read = gguf::inspect_parts(path);
            read.map_err(|error| FileFault::from_gguf_error(&error.path, &error.error))
        };
        let draft = self.model.draft.as_deref().map(parts);
        Ok(ModelHeaders {
            model: parts(path)?,
            projector: projector.transpose()?,
            draft: draft.transpose()?,
        })
    }

    /// Rejects a model that cannot be loaded before another one is evicted for it. A configured size asserts that
    /// this engine loads a model whose header lacks data.
    fn check_loadable(
        &self,
        path: &Path,
        headers: ModelHeaders,
    ) -> Result<ModelHeaders, FileFault> {
        match gguf::check_loadable(&headers.model) {
            Err(why) if why.is_missing_key() && self.model.memory.is_some() => Ok(headers),
            Err(why) => Err(FileFault::from_unloadable(path, &why)),
            Ok(()) => Ok(headers),
        }
    }

    /// Returns the key under which this load's measurement is stored.
    fn load_key(&self, files: &FileIdentity, placement: &Placement) -> Option<LoadKey> {
        let engine = self.engine.identity.clone()?;
        let mut args = self.config.command(&self.model).args;
        args.extend(placement.args.iter().cloned());
        Some(LoadKey {
            file: files.clone(),
            arguments: ArgumentsHash::from_args(&args),
            engine,
        })
    }

    fn assemble(
        &self,
        files: FileIdentity,
        headers: Arc<ModelHeaders>,
        placement: Placement,
        key: Option<LoadKey>,
        measurement: Option<&LoadMeasurement>,
    ) -> ModelInspection {
        let names = self
            .engine
            .devices
            .iter()
            .map(|device| device.name.as_str());
        let mut memory = placement.memory;
        let mut load =
            Duration::from_millis(placement.memory.bytes() / (READ_BYTES_PER_SECOND / 1000));
        let mut args = placement.args;
        match measurement {
            Some(measurement) => {
                load = measurement.load;
                if self.model.memory.is_none() {
                    memory = measured_memory(measurement, &placement.memory, names);
                }
            }
            None => args.extend(self.verbosity_flags()),
        }
        let is_proven = measurement.is_some()
            || self.proven.as_ref() == Some(&files)
            || !self.engine.supports_trials;
        args.extend(self.disable_fit_flags());
        args.extend(self.metrics_flags());
        // Not part of the key: the limit does not change the memory of a load.
        let prompt_cache = self.prompt_cache(&memory, placement.context);
        args.extend(prompt_cache.args());
        let with_cache = |memory: Memory| memory.with_host(prompt_cache.counted);
        ModelInspection {
            files: Some(files),
            predicted: with_cache(placement.memory),
            demand: Demand {
                memory: with_cache(memory),
                load,
                is_proven,
            },
            prompt_cache,
            args,
            key,
            headers: Some(headers),
        }
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

/// Converts measured memory to the current order of devices. Without the child's own report, the prediction is a
/// lower bound: the system does not show pages that were not touched yet.
fn measured_memory<'a>(
    measurement: &LoadMeasurement,
    predicted: &Memory,
    names: impl Iterator<Item = &'a str>,
) -> Memory {
    let known = measurement.memory();
    let least = |bytes: u64, predicted: u64| match measurement.reported {
        Some(_) => bytes,
        None => bytes.max(predicted),
    };
    names.enumerate().fold(
        Memory::needed(least(known.host, predicted.host())),
        |sum, (index, name)| {
            sum.with_device(
                index,
                least(
                    known.devices.get(name).copied().unwrap_or(0),
                    predicted.device(index),
                ),
            )
        },
    )
}

/// Returns all part files of a model, given the first.
pub(super) fn part_paths(path: &Path) -> Vec<PathBuf> {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let count = stem
        .rsplit_once("-of-")
        .and_then(|(_, count)| count.parse().ok());
    let parts = count.filter(|count| *count <= 1000).map(|count: u32| {
        let parts = (0..count).map_while(|index| gguf::part_path(path, index, count));
        parts.collect::<Vec<_>>()
    });
    parts
        .filter(|parts| !parts.is_empty())
        .unwrap_or_else(|| vec![path.to_owned()])
}
