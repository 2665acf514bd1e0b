//! A model's files are looked at each time before anything is done for it: a file that is missing,
//! broken or too large costs no other model its place, and one that failed before is not tried again
//! until it is another.

mod fault;
mod flags;
mod prompt_cache;

use self::fault::Fault;
use super::actor::{News, Runtime};
use super::entry::Failed;
use super::place::{Place, Placing, place};
use crate::engine::Engine;
use crate::learned::{ArgumentsHash, FileIdentity, Handle, Key, Lesson};
use crate::rules;
use paddock_config::{self as config, Config, Mode};
use paddock_gguf as gguf;
use paddock_scheduler::{Demand, Event, Memory, ModelId, ModelStatus};
use paddock_supervisor::blocking;
pub(crate) use prompt_cache::PromptCache;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How long a load is thought to take before there has been one: so many bytes a second are read.
const READS: u64 = 1 << 30;

/// What was found, or why the model cannot be loaded.
pub(super) type Inspected = Result<Arc<Found>, Failed>;

/// What a model's files say.
#[derive(Debug, Clone)]
pub struct Found {
    /// Which files they are. Nothing for a wrapped command's.
    pub(super) files: Option<FileIdentity>,
    /// What it will take by its header alone, its prompt cache included.
    pub(super) predicted: Memory,
    /// What it will take by all that is known, its prompt cache included.
    pub(super) demand: Demand,
    pub(super) prompt_cache: PromptCache,
    /// What its child is told besides.
    pub(super) args: Vec<OsString>,
    /// What a lesson about it is kept under.
    pub(super) key: Option<Key>,
    /// The headers, so that the same files need not be read again.
    pub(super) headers: Option<Arc<Headers>>,
}

/// The headers of a model's files.
#[derive(Debug)]
pub(crate) struct Headers {
    pub(super) model: Vec<gguf::Header>,
    pub(super) projector: Option<gguf::Header>,
    pub(super) draft: Option<Vec<gguf::Header>>,
}

/// What an inspection works with.
struct Task {
    config: Arc<Config>,
    model: Arc<config::Model>,
    engine: Arc<Engine>,
    learned: Option<Handle>,
    budget: Memory,
    before: Option<Arc<Found>>,
    failed: Option<Failed>,
    proven: Option<FileIdentity>,
}

impl Runtime {
    /// The engine is known: models can be looked at, and their budget.
    pub(super) fn engine_found(&mut self, engine: Engine) {
        let config = &self.world.config;
        let budget = rules::budget(config, engine.host, &engine.devices);
        if config.mode == Mode::Serve {
            let names: Vec<String> = engine
                .devices
                .iter()
                .map(|device| device.name.clone())
                .collect();
            let memory = super::journal::memory_words(&budget, &names);
            tracing::info!(%memory, "models may use");
        }
        let policy = rules::policy(config);
        self.world.engine = Some(Arc::new(engine));
        self.handle(Event::Rules { policy, budget });
        for model in std::mem::take(&mut self.before_engine) {
            self.inspect(model);
        }
    }

    pub(super) fn inspect(&mut self, id: ModelId) {
        let Some(engine) = self.world.engine.clone() else {
            self.before_engine.push(id);
            return;
        };
        let budget = self.scheduler.usage().budget;
        let entry = &mut self.entries[id.0];
        entry.inspections += 1;
        let inspection = entry.inspections;
        let task = Task {
            config: Arc::clone(&self.world.config),
            model: Arc::clone(&entry.config),
            engine,
            learned: self.world.learned.clone(),
            budget,
            before: entry.found.clone(),
            failed: entry.failed.clone(),
            proven: entry.proven.clone(),
        };
        let tell = self.tell.clone();
        self.tasks.spawn(async move {
            let found = task.run().await;
            // The actor hears it unless it has ended.
            let _ = tell
                .send(News::Inspected {
                    model: id,
                    inspection,
                    found,
                })
                .await;
        });
    }

    /// Looks at the models whose files had a fault when the configuration was read, so that people see them as
    /// failed before anybody asks for one.
    pub(super) fn inspect_faults(&mut self) {
        let config = Arc::clone(&self.world.config);
        if config.faults.is_empty() {
            return;
        }
        for at in 0..self.entries.len() {
            let entry = &self.entries[at];
            let look = self.scheduler.snapshot(ModelId(at));
            let idle = look.is_some_and(|look| look.status == ModelStatus::Unloaded);
            if idle && !entry.removed && config.is_at_fault(&entry.config) {
                self.inspect(ModelId(at));
            }
        }
    }

    pub(super) fn inspected(&mut self, id: ModelId, inspection: u64, found: Inspected) {
        let Some(entry) = self.entries.get_mut(id.0) else {
            return;
        };
        // Its configuration has changed since: a newer inspection is on its way.
        if entry.inspections != inspection {
            return;
        }
        let demand = match found {
            Ok(found) => {
                // A failure is remembered only as long as its files are.
                if entry
                    .failed
                    .as_ref()
                    .is_some_and(|failed| failed.files.is_some())
                {
                    entry.failed = None;
                }
                let demand = found.demand;
                if demand.is_proven {
                    entry.proven.clone_from(&found.files);
                }
                entry.found = Some(found);
                Some(demand)
            }
            Err(failed) => {
                let cause = Arc::clone(&failed.failure.cause);
                entry.failed = Some(failed);
                if entry.repeats.is_news(&cause) {
                    tracing::warn!(model = entry.config.id, failure = %cause, "not loaded");
                    self.tell_unloadable(id, &cause);
                    self.journal.unloadable(id, cause);
                } else {
                    tracing::debug!(model = entry.config.id, failure = %cause, "still not loaded");
                }
                None
            }
        };
        self.handle(Event::Inspected { model: id, demand });
    }
}

impl Task {
    async fn run(mut self) -> Inspected {
        let Some(path) = self.model.path.clone() else {
            return Ok(Arc::new(Found::unknown()));
        };
        // Reading a header takes milliseconds of a worker's time, of many models together more.
        let reading = blocking::run(move || {
            let read = self.read(&path);
            (self, read)
        });
        let (task, read) = match reading.await {
            Ok(done) => done,
            Err(error) => return Err(Fault::task(&error).failed(None)),
        };
        self = task;
        let (files, headers) = match read {
            // A wrapped command says itself what is wrong with its file, if anything is.
            Err(_) if self.config.mode != Mode::Serve => return Ok(Arc::new(Found::unknown())),
            read => read?,
        };
        let placing = Placing {
            config: &self.config,
            model: &self.model,
            engine: &self.engine,
            budget: &self.budget,
        };
        let place = place(&placing, &headers);
        let key = self.key(&files, &place);
        let lesson = match (&self.learned, &key) {
            (Some(learned), Some(key)) => learned.recall(key.clone()).await,
            _ => None,
        };
        Ok(Arc::new(self.found(
            files,
            headers,
            place,
            key,
            lesson.as_ref(),
        )))
    }

    /// Which files they are, and what their headers say.
    fn read(&self, path: &Path) -> Result<(FileIdentity, Arc<Headers>), Failed> {
        let parts = parts(path);
        let extra = [&self.model.mmproj, &self.model.draft];
        let all: Vec<PathBuf> = parts
            .into_iter()
            .chain(extra.into_iter().flatten().cloned())
            .collect();
        let files =
            FileIdentity::of(&all).map_err(|error| Fault::stat(&all, &error).failed(None))?;
        let same = |failed: &&Failed| failed.files.as_ref() == Some(&files);
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
            .headers(path)
            .and_then(|headers| self.check(path, headers))
            .map_err(|fault| fault.failed(Some(files.clone())))?;
        Ok((files, Arc::new(headers)))
    }

    fn headers(&self, path: &Path) -> Result<Headers, Fault> {
        let projector = self.model.mmproj.as_deref();
        let projector = projector.map(|path| {
            let read = gguf::inspect(path);
            read.map_err(|error| Fault::header(path, &error))
        });
        let parts = |path: &Path| {
            let read = gguf::inspect_parts(path);
            read.map_err(|error| Fault::header(&error.path, &error.error))
        };
        let draft = self.model.draft.as_deref().map(parts);
        Ok(Headers {
            model: parts(path)?,
            projector: projector.transpose()?,
            draft: draft.transpose()?,
        })
    }

    /// Refuses a model that cannot be loaded before another one makes room for it. A configured size says that
    /// this engine loads what the header does not explain.
    fn check(&self, path: &Path, headers: Headers) -> Result<Headers, Fault> {
        match gguf::check_loadable(&headers.model) {
            Err(why) if why.is_missing_key() && self.model.memory.is_some() => Ok(headers),
            Err(why) => Err(Fault::unloadable(path, &why)),
            Ok(()) => Ok(headers),
        }
    }

    /// What a load of these files in this way is remembered by.
    fn key(&self, files: &FileIdentity, place: &Place) -> Option<Key> {
        let engine = self.engine.identity.clone()?;
        let mut args = self.config.command(&self.model).args;
        args.extend(place.args.iter().cloned());
        Some(Key {
            file: files.clone(),
            arguments: ArgumentsHash::of(&args),
            engine,
        })
    }

    fn found(
        &self,
        files: FileIdentity,
        headers: Arc<Headers>,
        place: Place,
        key: Option<Key>,
        lesson: Option<&Lesson>,
    ) -> Found {
        let names = self
            .engine
            .devices
            .iter()
            .map(|device| device.name.as_str());
        let mut memory = place.memory;
        let mut load = Duration::from_millis(place.memory.bytes() / (READS / 1000));
        let mut args = place.args;
        match lesson {
            Some(lesson) => {
                load = lesson.load;
                if self.model.memory.is_none() {
                    memory = learned(lesson, &place.memory, names);
                }
            }
            None => args.extend(self.say_more()),
        }
        let is_proven =
            lesson.is_some() || self.proven.as_ref() == Some(&files) || !self.engine.takes_trials;
        args.extend(self.fit_off());
        args.extend(self.metrics());
        // Not a part of the key: what a load takes does not depend on the limit.
        let prompt_cache = self.prompt_cache(&memory, place.context);
        args.extend(prompt_cache.args());
        let with_cache = |memory: Memory| memory.with_host(prompt_cache.counted);
        Found {
            files: Some(files),
            predicted: with_cache(place.memory),
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

impl Found {
    /// What is known of a wrapped command: nothing, and nothing is to be known.
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

/// A lesson's memory, in the places its devices have now. What the system showed alone is too
/// little: pages that were not touched yet are not seen. So without a report of the child's it is at
/// least what is predicted.
fn learned<'a>(
    lesson: &Lesson,
    predicted: &Memory,
    names: impl Iterator<Item = &'a str>,
) -> Memory {
    let known = lesson.memory();
    let least = |bytes: u64, predicted: u64| match lesson.reported {
        Some(_) => bytes,
        None => bytes.max(predicted),
    };
    names.enumerate().fold(
        Memory::needed(least(known.host, predicted.host())),
        |sum, (at, name)| {
            sum.with_device(
                at,
                least(
                    known.devices.get(name).copied().unwrap_or(0),
                    predicted.device(at),
                ),
            )
        },
    )
}

/// The files of a model, given its first.
pub(super) fn parts(path: &Path) -> Vec<PathBuf> {
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
