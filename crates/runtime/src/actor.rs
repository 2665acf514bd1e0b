//! The runtime actor: one task that owns the scheduler and all models, and handles one event at a time.

mod catalog;
mod contexts;
mod first_difference;
mod inspections;
mod instances;
mod lifecycle_records;
mod measurements;
mod reloads;
mod scheduler_actions;
mod snapshots;
mod waiting_requests;

use self::waiting_requests::WaitingRequest;
use super::command_end::CommandEnd;
use super::handle::{RuntimeHandle, RuntimeReceiver};
use super::journal::{DisplayNames, Journal};
use super::message::{Command, RuntimeMessage};
use super::model_entry::ModelEntry;
use super::trial_load::MAX_TRIALS;
use crate::contexts::ContextsHandle;
use crate::engine_probe::Engine;
use crate::load_history;
use crate::memory::host;
use crate::runtime_dir::RunId;
use crate::scheduler_policy;
use paddock_admission::catalog::Catalog;
use paddock_admission::lease_queue::AdmissionReceiver;
use paddock_admission::model::{Capacity, ExchangeLimits, Model, ReleaseNotifier};
use paddock_admission::phase::ServicePhase;
use paddock_config::{self as config, Config};
use paddock_scheduler::{Epoch, Event, Memory, ModelId, RequestId, Scheduler};
use paddock_supervisor::sandbox::SandboxSupport;
use paddock_supervisor::{Failpoint, OomCounters, Spawner};
use paddock_telemetry::LifecycleSender;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Capacity of the channel for messages from instances and inspections. Senders beyond it wait.
const MAX_MESSAGES: usize = 256;

/// Everything that [`Runtime::new`] needs.
#[derive(Debug)]
pub struct RuntimeSetup {
    /// The configuration.
    pub config: Arc<Config>,
    /// Receives requests that wait for a lease, the permission to send one request to a loaded model.
    pub requests: AdmissionReceiver,
    /// Thread that starts children, the llama-server processes.
    pub spawner: Spawner,
    /// Directory of the children's sockets.
    pub runtime_dir: PathBuf,
    /// Identifier of this run of paddock. The children's environments name it, so that a later cleanup recognizes them.
    pub run: RunId,
    /// Restrictions that the children's sandbox can use on this system.
    pub sandbox_support: SandboxSupport,
    /// Measurements of earlier loads; `None` without a writable state directory.
    pub load_history: Option<load_history::LoadHistoryHandle>,
    /// Stores contexts; `None` with `paddock wrap` or if the store cannot be opened.
    pub contexts: Option<ContextsHandle>,
    /// Receives lifecycle events of models.
    pub lifecycle_sender: LifecycleSender,
    /// Publishes the phase of the service.
    pub phase: watch::Sender<ServicePhase>,
    /// Incremented when idle connections to a child must be closed.
    pub hangups: watch::Sender<u64>,
    /// Publishes models, keys and rules for web pages.
    pub catalog: watch::Sender<Arc<Catalog>>,
    /// Tracks instances and helper tasks. All have ended when it is empty.
    pub tasks: TaskTracker,
    /// Receives the end of a wrapped command that has never served.
    pub command_end: Option<oneshot::Sender<CommandEnd>>,
}

/// Configuration and services that the actor uses but does not own.
#[derive(Debug)]
pub(super) struct RuntimeContext {
    pub(super) config: Arc<Config>,
    pub(super) spawner: Spawner,
    pub(super) runtime_dir: PathBuf,
    pub(super) run: RunId,
    pub(super) sandbox_support: SandboxSupport,
    /// Kernel counters of processes killed for lack of memory.
    pub(super) oom: OomCounters,
    pub(super) load_history: Option<load_history::LoadHistoryHandle>,
    pub(super) contexts: Option<ContextsHandle>,
    pub(super) lifecycle_sender: LifecycleSender,
    /// The engine's identity, devices and flags, once known.
    pub(super) engine: Option<Arc<Engine>>,
}

/// The actor. Only [`Runtime::run`] changes its fields.
#[derive(Debug)]
pub struct Runtime {
    pub(super) context: RuntimeContext,
    pub(super) scheduler: Scheduler,
    pub(super) entries: Vec<ModelEntry>,
    waiting: HashMap<RequestId, WaitingRequest>,
    pub(super) journal: Journal,
    pub(super) epoch: Epoch,
    pub(super) last_serial: u64,
    /// Models to inspect as soon as the engine is known.
    pub(super) waiting_for_engine: Vec<ModelId>,
    /// Limits concurrent trial loads.
    pub(super) trials: Arc<Semaphore>,
    commands: mpsc::Receiver<Command>,
    /// All handles have been dropped, so no more commands can arrive.
    handles_dropped: bool,
    released: mpsc::Receiver<ModelId>,
    pub(super) releases: mpsc::Sender<ModelId>,
    requests: AdmissionReceiver,
    messages: mpsc::Receiver<RuntimeMessage>,
    pub(super) messages_sender: mpsc::Sender<RuntimeMessage>,
    changes: watch::Sender<u64>,
    pub(super) phase: watch::Sender<ServicePhase>,
    pub(super) hangups: watch::Sender<u64>,
    pub(super) catalog: watch::Sender<Arc<Catalog>>,
    pub(super) tasks: TaskTracker,
    /// Cancelled when the actor ends.
    pub(super) ended: CancellationToken,
    /// `None` once the command has served.
    pub(super) command_end: Option<oneshot::Sender<CommandEnd>>,
}

impl Runtime {
    /// Creates the actor for the models of a configuration, and its handle.
    pub fn new(setup: RuntimeSetup) -> (Self, RuntimeHandle) {
        let (handle, RuntimeReceiver { commands, changes }) = RuntimeHandle::new();
        let (releases, released) = mpsc::channel(MAX_PENDING_RELEASES);
        let (messages_sender, messages) = mpsc::channel(MAX_MESSAGES);
        let epoch = Epoch::new(Instant::now().into_std());
        let policy = scheduler_policy::policy(&setup.config);
        let mut runtime = Self {
            scheduler: Scheduler::new(policy, Memory::NONE, epoch),
            context: RuntimeContext {
                config: Arc::clone(&setup.config),
                spawner: setup.spawner,
                runtime_dir: setup.runtime_dir,
                run: setup.run,
                sandbox_support: setup.sandbox_support,
                oom: host::oom_counters(),
                load_history: setup.load_history,
                contexts: setup.contexts,
                lifecycle_sender: setup.lifecycle_sender,
                engine: None,
            },
            entries: Vec::new(),
            waiting: HashMap::new(),
            journal: Journal::default(),
            epoch,
            last_serial: 0,
            waiting_for_engine: Vec::new(),
            trials: Arc::new(Semaphore::new(MAX_TRIALS)),
            commands,
            handles_dropped: false,
            released,
            releases,
            requests: setup.requests,
            messages,
            messages_sender,
            changes,
            phase: setup.phase,
            hangups: setup.hangups,
            catalog: setup.catalog,
            tasks: setup.tasks,
            ended: CancellationToken::new(),
            command_end: setup.command_end,
        };
        for model in &setup.config.models {
            runtime.add(Arc::new(model.clone()));
        }
        runtime.publish_catalog();
        (runtime, handle)
    }

    /// Adds a model.
    pub(super) fn add(&mut self, config: Arc<config::Model>) -> ModelId {
        let id = ModelId(self.entries.len());
        let released = ReleaseNotifier::new(self.epoch, self.releases.clone());
        let limits = ExchangeLimits::from_config(&config);
        let capacity = Capacity::from_config(&config, self.context.config.mode);
        let model = Model::new(id, config.id.clone(), capacity, limits, released);
        let spec = scheduler_policy::spec(&self.context.config, &config);
        let now = Instant::now().into_std();
        let added = self.scheduler.add(spec, Arc::clone(&model.gate), now);
        debug_assert_eq!(added, id, "each model has one place in both lists");
        self.entries.push(ModelEntry::new(config, Arc::new(model)));
        id
    }

    /// Runs until shutdown was requested and every instance has stopped.
    pub async fn run(mut self) {
        let probe = Box::pin(Engine::probe(
            Arc::clone(&self.context.config),
            self.context.spawner.clone(),
            self.context.run.clone(),
            self.ended.clone(),
        ));
        self.spawn_task(async move {
            let engine = probe.await?;
            Some(RuntimeMessage::EngineProbed(Box::new(engine)))
        });
        self.query_store_usage();
        for (index, entry) in self.entries.iter().enumerate() {
            if entry.config.preload {
                self.waiting_for_engine.push(ModelId(index));
            }
        }
        for model in std::mem::take(&mut self.waiting_for_engine) {
            self.handle_event(Event::Load { model });
        }
        self.inspect_faults();
        while !self.scheduler.is_stopped() {
            let now = Instant::now().into_std();
            let deadline = self.scheduler.next_deadline(now);
            tokio::select! {
                command = self.commands.recv(), if !self.handles_dropped => self.handle_command(command),
                Some(message) = self.messages.recv() => self.handle_message(message),
                Some(model) = self.released.recv() => self.lease_released(model),
                Some(message) = self.requests.messages.recv() => {
                    // A client may pin a model and rely on that in its next request: run earlier commands first.
                    while let Ok(command) = self.commands.try_recv() {
                        self.handle_command(Some(command));
                    }
                    self.handle_admission(message);
                }
                () = self.requests.left.notified() => self.cancel_abandoned(),
                () = sleep_until(deadline.map_or_else(far_future, Instant::from_std)),
                    if deadline.is_some() => self.handle_event(Event::Tick),
            }
        }
        // Ends trials and an engine probe that are still running, and tasks that wait to send.
        self.ended.cancel();
        self.messages.close();
        self.tasks.close();
        self.tasks.wait().await;
    }

    fn handle_command(&mut self, command: Option<Command>) {
        Failpoint::Runtime.check();
        match command {
            Some(Command::Load(model)) => self.handle_event(Event::Load { model }),
            Some(Command::Unload(model)) => self.handle_event(Event::Unload { model }),
            Some(Command::Pin(model, pinned)) => self.handle_event(Event::Pin { model, pinned }),
            Some(Command::Snapshot(reply)) => {
                let _ = reply.send(self.snapshot());
            }
            Some(Command::ExplainModel(model, reply)) => {
                let _ = reply.send(self.journal.entries(model, &self.names()));
            }
            Some(Command::ExplainRequest(name, reply)) => {
                let _ = reply.send(self.explain_request(&name));
            }
            Some(Command::FindDifference(model, query)) => self.find_difference(model, query),
            Some(Command::Logs(model, reply)) => {
                let entry = self.entries.get(model.0);
                let _ = reply.send(entry.map(|entry| entry.logs.reader()));
            }
            Some(Command::Reload(config, reply)) => {
                let _ = reply.send(self.reload(*config));
            }
            Some(Command::Shutdown(deadline)) => self.shutdown(deadline),
            Some(Command::ShutdownNow) => self.shutdown_now(),
            // The service ended without a shutdown command: there is nothing to drain for.
            None => {
                self.handles_dropped = true;
                self.shutdown_now();
            }
        }
    }

    fn shutdown(&mut self, deadline: Instant) {
        self.phase.send_replace(ServicePhase::Draining);
        let deadline = deadline.into_std();
        self.handle_event(Event::Shutdown { deadline });
    }

    fn shutdown_now(&mut self) {
        let deadline = Instant::now().into_std();
        self.handle_event(Event::Shutdown { deadline });
        self.handle_event(Event::Tick);
        self.kill();
    }

    fn handle_message(&mut self, message: RuntimeMessage) {
        match message {
            RuntimeMessage::EngineProbed(engine) => self.on_engine_probed(*engine),
            RuntimeMessage::StateChanged {
                model,
                serial,
                state,
            } => self.on_state_change(model, serial, &state),
            RuntimeMessage::MemoryFreed { model, serial } => self.on_memory_freed(model, serial),
            RuntimeMessage::Inspected {
                model,
                inspection_id,
                result,
            } => self.on_inspected(model, inspection_id, result),
            RuntimeMessage::ContextsRestored {
                model,
                serial,
                generation,
                listener,
                report,
            } => self.on_contexts_restored(model, (serial, generation), &listener, report),
            RuntimeMessage::ContextsSaved {
                model,
                counts,
                costs,
            } => self.on_contexts_saved(model, &counts, costs),
            RuntimeMessage::ContextsStored(stored) => self.on_contexts_stored(stored),
            RuntimeMessage::Measured {
                model,
                serial,
                measured,
                prompt_cache,
            } => self.on_measured(model, serial, &measured, prompt_cache),
        }
    }

    fn lease_released(&mut self, model: ModelId) {
        // Clear the flag first: later releases then send a new message.
        if let Some(entry) = self.entries.get(model.0) {
            entry.model.rearm_release();
        }
        self.handle_event(Event::Released { model });
    }

    /// Passes an event to the scheduler and performs its actions.
    pub(super) fn handle_event(&mut self, event: Event) {
        let now = Instant::now().into_std();
        for action in self.scheduler.handle(event, now) {
            tracing::trace!(?action, "scheduler");
            self.perform(action);
        }
        self.notify_watchers();
    }

    /// Wakes watchers of [`RuntimeHandle::changes`].
    pub(super) fn notify_watchers(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// Runs a task and delivers its result to the actor.
    pub(super) fn spawn_task(
        &self,
        task: impl Future<Output = Option<RuntimeMessage>> + Send + 'static,
    ) {
        let sender = self.messages_sender.clone();
        self.tasks.spawn(async move {
            if let Some(message) = task.await {
                // Sending fails only if the actor has ended.
                let _ = sender.send(message).await;
            }
        });
    }

    /// Returns the names of all models and devices.
    pub(super) fn names(&self) -> DisplayNames {
        let models = self.entries.iter().map(|entry| entry.config.id.clone());
        DisplayNames {
            models: models.collect(),
            devices: self.devices(),
        }
    }

    /// Returns the names of the devices; none until the engine is known.
    pub(super) fn devices(&self) -> Vec<String> {
        let engine = self.context.engine.as_ref();
        engine.map_or_else(Vec::new, |engine| engine.device_names())
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        // However the actor ended, no child is left to serve requests.
        self.phase.send_replace(ServicePhase::Cut);
        self.ended.cancel();
    }
}

/// Capacity of the channel for released leases; exceeds the number of models over all reloads.
const MAX_PENDING_RELEASES: usize = 1 << 20;

fn far_future() -> Instant {
    Instant::now() + std::time::Duration::from_hours(24)
}
