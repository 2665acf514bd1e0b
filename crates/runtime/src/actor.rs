use super::command_end::CommandEnd;
use super::entry::Entry;
#[cfg(debug_assertions)]
use super::handle::Part;
use super::handle::{Command, RuntimeHandle, RuntimeReceiver};
use super::inspect::Inspected;
use super::journal::{Journal, Names};
use super::measure::Measured;
use super::trial::MAX_TRIALS;
use super::waiting::Waiting;
use crate::engine::Engine;
use crate::learned;
use crate::memory::host;
use crate::rules;
use crate::runtime_dir::Run;
use paddock_admission::admission::AdmissionReceiver;
use paddock_admission::browser_policy::BrowserPolicy;
use paddock_admission::catalog::Catalog;
use paddock_admission::error::ProxyError;
use paddock_admission::keys::Keys;
use paddock_admission::model::{Capacity, Limits, Model, Released};
use paddock_admission::phase::ServicePhase;
use paddock_config::{self as config, Config};
use paddock_scheduler::{Epoch, Event, Memory, ModelId, RequestId, Scheduler};
use paddock_supervisor::sandbox::SandboxSupport;
use paddock_supervisor::{OomCounters, Spawner, State};
use paddock_telemetry::LifecycleSender;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};
use tokio_util::task::TaskTracker;

/// How much news of instances and inspections may stand before it.
const NEWS: usize = 256;

/// What the actor is made of.
#[derive(Debug)]
pub struct Setup {
    /// The configuration.
    pub config: Arc<Config>,
    /// Requests that wait for a lease.
    pub requests: AdmissionReceiver,
    /// Thread that starts children.
    pub spawner: Spawner,
    /// Where children's sockets go.
    pub runtime_dir: PathBuf,
    /// What children's environments name, so that they are known again.
    pub run: Run,
    /// What of a sandbox this system has.
    pub parts: SandboxSupport,
    /// What earlier loads taught, where it can be kept.
    pub learned: Option<learned::Handle>,
    /// Who is told what happens to models.
    pub lifecycle_sender: LifecycleSender,
    /// Where the actor publishes the phase of the service.
    pub phase: watch::Sender<ServicePhase>,
    /// Changes when idle connections to a child are to be closed.
    pub hangups: watch::Sender<u64>,
    /// Where the actor publishes models, keys and rules for web pages.
    pub catalog: watch::Sender<Arc<Catalog>>,
    /// Where instances and errands run. They have ended when it is empty.
    pub tasks: TaskTracker,
    /// Hears of the end of a wrapped command that has never served.
    pub command_end: Option<oneshot::Sender<CommandEnd>>,
}

/// What the actor works with, and does not change by itself.
#[derive(Debug)]
pub(super) struct World {
    pub(super) config: Arc<Config>,
    pub(super) spawner: Spawner,
    pub(super) runtime_dir: PathBuf,
    pub(super) run: Run,
    pub(super) parts: SandboxSupport,
    /// Where the kernel counts the processes that it kills for want of memory.
    pub(super) oom: OomCounters,
    pub(super) learned: Option<learned::Handle>,
    pub(super) lifecycle_sender: LifecycleSender,
    /// What the engine is and can, once that is known.
    pub(super) engine: Option<Arc<Engine>>,
}

/// What has been found out meanwhile.
#[derive(Debug)]
pub enum News {
    /// What the engine is and can.
    Engine(Box<Engine>),
    /// An instance's state has changed.
    State {
        /// The model.
        model: ModelId,
        /// Serial number of the instance.
        serial: u64,
        /// The new state.
        state: State,
    },
    /// What an instance held is seen to be free.
    Freed {
        /// The model.
        model: ModelId,
        /// Serial number of the instance.
        serial: u64,
    },
    /// A model's files have been looked at.
    Inspected {
        /// The model.
        model: ModelId,
        /// Number of the inspection.
        inspection: u64,
        /// What the inspection found.
        found: Inspected,
    },
    /// A loaded model has been measured.
    Measured {
        /// The model.
        model: ModelId,
        /// Serial number of the instance.
        serial: u64,
        /// The measurement.
        measured: Measured,
    },
}

/// The actor. Everything it owns is changed by [`Runtime::run`] alone.
#[derive(Debug)]
pub struct Runtime {
    pub(super) world: World,
    pub(super) scheduler: Scheduler,
    pub(super) entries: Vec<Entry>,
    pub(super) waiting: HashMap<RequestId, Waiting>,
    pub(super) journal: Journal,
    pub(super) epoch: Epoch,
    pub(super) last_serial: u64,
    /// Models that are to be looked at as soon as the engine is known.
    pub(super) before_engine: Vec<ModelId>,
    /// Bounds how many files are tried at once.
    pub(super) trials: Arc<Semaphore>,
    commands: mpsc::Receiver<Command>,
    /// Nobody is left who could ask for anything.
    deserted: bool,
    released: mpsc::Receiver<ModelId>,
    pub(super) releases: mpsc::Sender<ModelId>,
    requests: AdmissionReceiver,
    news: mpsc::Receiver<News>,
    pub(super) tell: mpsc::Sender<News>,
    changes: watch::Sender<u64>,
    pub(super) phase: watch::Sender<ServicePhase>,
    pub(super) hangups: watch::Sender<u64>,
    pub(super) catalog: watch::Sender<Arc<Catalog>>,
    pub(super) tasks: TaskTracker,
    /// Nothing once the command has served.
    pub(super) command_end: Option<oneshot::Sender<CommandEnd>>,
}

impl Runtime {
    /// An actor for the models of a configuration, and a way to reach it.
    pub fn new(setup: Setup) -> (Self, RuntimeHandle) {
        let (handle, RuntimeReceiver { commands, changes }) = RuntimeHandle::new();
        let (releases, released) = mpsc::channel(MOST_MODELS);
        let (tell, news) = mpsc::channel(NEWS);
        let epoch = Epoch::new(Instant::now().into_std());
        let policy = rules::policy(&setup.config);
        let mut runtime = Self {
            scheduler: Scheduler::new(policy, Memory::NONE, epoch),
            world: World {
                config: Arc::clone(&setup.config),
                spawner: setup.spawner,
                runtime_dir: setup.runtime_dir,
                run: setup.run,
                parts: setup.parts,
                oom: host::oom_counters(),
                learned: setup.learned,
                lifecycle_sender: setup.lifecycle_sender,
                engine: None,
            },
            entries: Vec::new(),
            waiting: HashMap::new(),
            journal: Journal::default(),
            epoch,
            last_serial: 0,
            before_engine: Vec::new(),
            trials: Arc::new(Semaphore::new(MAX_TRIALS)),
            commands,
            deserted: false,
            released,
            releases,
            requests: setup.requests,
            news,
            tell,
            changes,
            phase: setup.phase,
            hangups: setup.hangups,
            catalog: setup.catalog,
            tasks: setup.tasks,
            command_end: setup.command_end,
        };
        for model in &setup.config.models {
            runtime.add(Arc::new(model.clone()));
        }
        runtime.publish_catalog();
        (runtime, handle)
    }

    /// Takes a model in.
    pub(super) fn add(&mut self, config: Arc<config::Model>) -> ModelId {
        let id = ModelId(self.entries.len());
        let released = Released::new(self.epoch, self.releases.clone());
        let limits = Limits::of(&config);
        let capacity = Capacity::of(&config, self.world.config.mode);
        let model = Model::new(id, config.id.clone(), capacity, limits, released);
        let spec = rules::spec(&self.world.config, &config);
        let now = Instant::now().into_std();
        let added = self.scheduler.add(spec, Arc::clone(&model.gate), now);
        debug_assert_eq!(added, id, "each model has one place in both lists");
        self.entries.push(Entry::new(config, Arc::new(model)));
        id
    }

    /// Runs until a shutdown is asked for and every instance has stopped.
    pub async fn run(mut self) {
        self.tasks.spawn(Engine::find(
            Arc::clone(&self.world.config),
            self.world.spawner.clone(),
            self.world.run.clone(),
            self.tell.clone(),
        ));
        for (at, entry) in self.entries.iter().enumerate() {
            if entry.config.preload {
                self.before_engine.push(ModelId(at));
            }
        }
        for model in std::mem::take(&mut self.before_engine) {
            self.handle(Event::Load { model });
        }
        self.inspect_faults();
        while !self.scheduler.is_stopped() {
            let now = Instant::now().into_std();
            let deadline = self.scheduler.next_deadline(now);
            tokio::select! {
                command = self.commands.recv(), if !self.deserted => self.command(command),
                Some(news) = self.news.recv() => self.learn_of(news),
                Some(model) = self.released.recv() => self.lease_released(model),
                Some(message) = self.requests.messages.recv() => {
                    // A client that has pinned a model, say, may rely on that in the request it sends then.
                    while let Ok(command) = self.commands.try_recv() {
                        self.command(Some(command));
                    }
                    self.admission(message);
                }
                () = self.requests.left.notified() => self.clients_left(),
                () = sleep_until(deadline.map_or_else(far_away, Instant::from_std)),
                    if deadline.is_some() => self.handle(Event::Tick),
            }
        }
        // Those who wait for news would wait for each other, and an engine that has not answered yet need
        // not any more.
        self.news.close();
        self.tasks.close();
        self.tasks.wait().await;
    }

    fn command(&mut self, command: Option<Command>) {
        match command {
            Some(Command::Load(model)) => self.handle(Event::Load { model }),
            Some(Command::Unload(model)) => self.handle(Event::Unload { model }),
            Some(Command::Pin(model, pinned)) => self.handle(Event::Pin { model, pinned }),
            Some(Command::Look(reply)) => {
                let _ = reply.send(self.view());
            }
            Some(Command::ExplainModel(model, reply)) => {
                let _ = reply.send(self.journal.told(model, &self.names()));
            }
            Some(Command::ExplainRequest(name, reply)) => {
                let _ = reply.send(self.explain_request(&name));
            }
            Some(Command::Logs(model, reply)) => {
                let entry = self.entries.get(model.0);
                let _ = reply.send(entry.map(|entry| entry.logs.reader()));
            }
            Some(Command::Reload(config, reply)) => {
                let _ = reply.send(self.reload(*config));
            }
            Some(Command::Shutdown(deadline)) => self.shutdown(deadline),
            Some(Command::ShutdownNow) => self.shutdown_now(),
            #[cfg(debug_assertions)]
            Some(Command::Panic(part)) => self.panic(part),
            // The service has gone without a word: nobody is left to drain for.
            None => {
                self.deserted = true;
                self.shutdown_now();
            }
        }
    }

    #[cfg(debug_assertions)]
    fn panic(&self, part: Part) {
        match part {
            Part::Runtime => panic!("the runtime was told to panic"),
            Part::Spawner => {
                let spawner = self.world.spawner.clone();
                self.tasks.spawn(async move { spawner.panic().await });
            }
        }
    }

    fn shutdown(&mut self, deadline: Instant) {
        self.phase.send_replace(ServicePhase::Draining);
        let deadline = deadline.into_std();
        self.handle(Event::Shutdown { deadline });
    }

    fn shutdown_now(&mut self) {
        let deadline = Instant::now().into_std();
        self.handle(Event::Shutdown { deadline });
        self.handle(Event::Tick);
        self.kill();
    }

    fn learn_of(&mut self, news: News) {
        match news {
            News::Engine(engine) => self.engine_found(*engine),
            News::State {
                model,
                serial,
                state,
            } => self.state_changed(model, serial, &state),
            News::Freed { model, serial } => self.freed(model, serial),
            News::Inspected {
                model,
                inspection,
                found,
            } => self.inspected(model, inspection, found),
            News::Measured {
                model,
                serial,
                measured,
            } => self.measured(model, serial, measured),
        }
    }

    fn lease_released(&mut self, model: ModelId) {
        // First the flag: a release from here on is told again.
        if let Some(entry) = self.entries.get(model.0) {
            entry.model.look();
        }
        self.handle(Event::Released { model });
    }

    /// Tells the scheduler what happened, and does what it says.
    pub(super) fn handle(&mut self, event: Event) {
        let now = Instant::now().into_std();
        for action in self.scheduler.handle(event, now) {
            tracing::trace!(?action, "scheduler");
            self.act(action);
        }
        self.changed();
    }

    /// Something that people may see has changed.
    pub(super) fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    pub(super) fn names(&self) -> Names {
        let models = self.entries.iter().map(|entry| entry.config.id.clone());
        Names {
            models: models.collect(),
            devices: self.devices(),
        }
    }

    pub(super) fn devices(&self) -> Vec<String> {
        let devices = self.world.engine.iter().flat_map(|engine| &engine.devices);
        devices.map(|device| device.name.clone()).collect()
    }

    /// Returns the error for a name that no model has any more, while the catalog with its model is still the
    /// published one.
    pub(super) fn gone(&self, name: &str) -> ProxyError {
        self.models_now().unknown(name)
    }

    /// Returns the models that are configured, without keys.
    fn models_now(&self) -> Catalog {
        let entries = self.entries.iter().filter(|entry| !entry.removed);
        let models = entries.map(|entry| {
            let aliases = entry.config.aliases.as_slice();
            (Arc::clone(&entry.model), aliases)
        });
        let default = self.world.config.server.default_model.as_deref();
        Catalog::new(models.collect(), default)
    }

    /// Says to the workers which models there are.
    pub(super) fn publish_catalog(&self) {
        let catalog = self.models_now();
        let place_of = |name: &str| catalog.named(name).map(|model| model.id);
        let before = Arc::clone(&self.catalog.borrow());
        let keys = Keys::new(&self.world.config.api_keys, place_of, before.keys());
        let entries = self.entries.iter().filter(|entry| !entry.removed);
        let configured = entries.map(|entry| (entry.model.id, entry.config.as_ref()));
        let browsers = BrowserPolicy::new(&self.world.config, configured);
        let catalog = catalog.with_keys(keys).with_browsers(browsers);
        let catalog = catalog.with_exact_names(self.world.config.discovers);
        self.catalog.send_replace(Arc::new(catalog));
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        // However it has ended: nothing is left that a request could go to.
        self.phase.send_replace(ServicePhase::Cut);
    }
}

/// The most models that tell of releases at once, over all reloads.
const MOST_MODELS: usize = 1 << 20;

fn far_away() -> Instant {
    Instant::now() + std::time::Duration::from_hours(24)
}
