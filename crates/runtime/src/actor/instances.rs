//! Starts and stops instances, each of which supervises the llama-server processes (children) of one model, and
//! reports their states to the scheduler.

use super::Runtime;
use crate::child_failure::ChildFailure;
use crate::child_spec::{self, ChildFacts, ChildSurroundings};
use crate::clock::Clock;
use crate::command_end::CommandEnd;
use crate::contexts::{ChildContexts, ContextUse};
use crate::engine_probe::Engine;
use crate::instance_state::{FailureOutcome, InstanceFacts, StateChange, to_generation};
use crate::journal::JournalEvent;
use crate::message::RuntimeMessage;
use crate::model_entry::RunningInstance;
use crate::runtime_dir::RUN_VARIABLE;
use crate::sandbox::{self, Machine, SandboxExemptions};
use paddock_admission::model::{ChildExit, Endpoint, Model};
use paddock_admission::phase::ServicePhase;
use paddock_config::{self as config, Mode};
use paddock_scheduler::{Event, Generation, InstanceStatus, ModelId};
use paddock_supervisor::blocking;
use paddock_supervisor::sandbox::AccessRight;
use paddock_supervisor::{
    ChildPhase, Failure, Instance, InstanceSpec, Listener, Sandbox, State, env,
};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// Longest wait for the GPU driver to release an ended process's memory.
const FREE_TIMEOUT: Duration = Duration::from_secs(5);

/// Interval between queries of the driver during that wait.
const FREE_POLL_INTERVAL: Duration = Duration::from_millis(10);

impl Runtime {
    /// Starts an instance of the model.
    pub(super) fn start(&mut self, id: ModelId) {
        let serial = self.last_serial + 1;
        let contexts = self.prepare_contexts(id, serial);
        let Some(spec) = self.spec(id, contexts.as_ref()) else {
            return;
        };
        let instance = Instance::start(spec, &self.context.spawner, &self.tasks);
        self.last_serial = serial;
        let forward = forward_states(id, serial, instance.watch(), self.messages_sender.clone());
        self.tasks.spawn(forward);
        let entry = &mut self.entries[id.0];
        let inspection = entry.knowledge.inspection.as_ref();
        let prompt_cache = inspection.map(|inspection| inspection.prompt_cache);
        if let Some(cache) = prompt_cache.filter(|cache| cache.is_known()) {
            self.journal.record(id, JournalEvent::PromptCache(cache));
        }
        entry.running = Some(RunningInstance {
            instance,
            serial,
            pid: 0,
            ready: None,
            started: Instant::now(),
            contexts,
            keeper: None,
            save_deadline: None,
            context_use: ContextUse::None,
            restored_bytes: 0,
            measured: None,
        });
    }

    /// Returns the specification of the model's next child.
    pub(super) fn spec(
        &self,
        id: ModelId,
        contexts: Option<&ChildContexts>,
    ) -> Option<InstanceSpec> {
        let entry = self.entries.get(id.0)?;
        let config = &self.context.config;
        let env = self.environment(&config.command(&entry.config).env);
        let facts = ChildFacts {
            config,
            model: &entry.config,
            knowledge: &entry.knowledge,
            generations: entry.generations,
            contexts,
        };
        Some(facts.spec(ChildSurroundings {
            sandbox: self.sandbox(&entry.config, &env, contexts),
            env,
            runtime_dir: self.context.runtime_dir.clone(),
            stalls: entry.model.stalls.clone(),
            inference_errors: entry.model.inference_errors.clone(),
            oom: self.context.oom.clone(),
            logs: entry.logs.clone(),
        }))
    }

    /// Returns the child's sandbox and logs any exemptions.
    fn sandbox(
        &self,
        model: &config::Model,
        env: &[(OsString, OsString)],
        contexts: Option<&ChildContexts>,
    ) -> Option<Sandbox> {
        let config = &self.context.config;
        let exemptions = SandboxExemptions::from_config(config, model, Machine::THIS);
        if !exemptions.by.is_empty() {
            let holds =
                sandbox::effective_support(self.context.sandbox_support, config, &exemptions);
            tracing::info!(
                model = model.id,
                by = exemptions.by.join(", "),
                open = holds.missing().join(", "),
                "sandbox relaxed because of this model's flags"
            );
        }
        let files = child_spec::readable_files(model);
        let mut sandbox =
            sandbox::child_sandbox(config, model, &exemptions, &files, env, Machine::THIS)?;
        if let (Some(grants), Some(contexts)) = (&mut sandbox.files, contexts) {
            grants.push(AccessRight::Write.at(&contexts.staging));
        }
        Some(sandbox)
    }

    /// Returns the child's environment, including the run it belongs to.
    fn environment(&self, added: &BTreeMap<String, String>) -> Vec<(OsString, OsString)> {
        let mut env = match self.context.config.mode {
            Mode::Serve => env::build_child_env(std::env::vars_os(), added),
            // `added` is already part of it.
            Mode::Wrap { .. } => config::wrapped_environment(),
        };
        env.push((RUN_VARIABLE.into(), self.context.run.as_str().into()));
        env
    }

    /// Stops the model's instance. Closes idle connections first, because a child waits for them (llama.cpp b11434,
    /// httplib's `Server::stop`).
    pub(super) fn stop(&mut self, id: ModelId) {
        let Some(entry) = self.entries.get(id.0) else {
            return;
        };
        entry.model.endpoint.send_replace(None);
        self.hangups.send_modify(|count| *count += 1);
        self.save_and_stop(id);
    }

    /// Handles a state change of an instance. Ignores an instance that was replaced.
    pub(super) fn on_state_change(&mut self, id: ModelId, serial: u64, state: &State) {
        let awaits_command = self.command_end.is_some();
        let mode = self.context.config.mode;
        let Some(entry) = self.entries.get_mut(id.0) else {
            return;
        };
        let running = entry.running.as_mut();
        let Some(running) = running.filter(|running| running.serial == serial) else {
            return;
        };
        running.pid = state.pid().unwrap_or(running.pid);
        let facts = InstanceFacts {
            ready: running.ready,
            mode,
            awaits_command,
        };
        match StateChange::from_state(state, facts, Clock::now()) {
            StateChange::Loading {
                generation,
                listener,
            } => {
                if entry.generations != generation {
                    running.started = Instant::now();
                }
                entry.generations = generation;
                let keeps_contexts = running.contexts.is_some();
                let publish =
                    |listener| publish_endpoint(&entry.model, generation, listener, keeps_contexts);
                let status = listener.map_or(InstanceStatus::Loading, |listener| {
                    InstanceStatus::Listening(publish(listener))
                });
                self.handle_event(Event::Instance { model: id, status });
            }
            StateChange::Ready {
                generation,
                listener,
            } => {
                running.ready = Some(generation);
                if !self.restore_contexts(id, generation, listener) {
                    self.on_ready(id, generation, listener);
                }
            }
            StateChange::LivenessChanged => self.notify_watchers(),
            StateChange::Failed(outcome) => self.on_child_failed(id, &outcome),
            StateChange::Stopping => {}
            StateChange::Stopped => self.on_instance_stopped(id, serial),
        }
    }

    /// Admits requests to a child that is ready.
    pub(super) fn on_ready(&mut self, id: ModelId, generation: u64, listener: &Listener) {
        let entry = &mut self.entries[id.0];
        entry.knowledge.record_ready();
        let keeps_contexts = entry
            .running
            .as_ref()
            .is_some_and(|running| running.contexts.is_some());
        let generation = publish_endpoint(&entry.model, generation, listener, keeps_contexts);
        self.command_end = None;
        let status = InstanceStatus::Ready(generation);
        self.handle_event(Event::Instance { model: id, status });
        self.measure(id);
    }

    /// Records a child's failure and reports it to the scheduler, and then to requests whose connections broke.
    fn on_child_failed(&mut self, id: ModelId, outcome: &FailureOutcome) {
        let failure = Arc::clone(&outcome.failure.cause);
        if let Some(status) = outcome.command_status {
            self.report_command_end(id, status, &failure);
        }
        self.handle_context_crash(id, &failure);
        let entry = &mut self.entries[id.0];
        entry.knowledge.record_failure(outcome);
        let streak = &mut entry.failure_streak;
        let child_failure = ChildFailure {
            class: failure.class,
            message: failure.message.clone(),
            streak: streak.add(outcome.is_first, Instant::now()),
            decision: outcome.decision,
        };
        entry
            .counters
            .count_failure(failure.class, failure.phase, outcome.decision);
        self.record_child_failure(id, failure.phase, &child_failure);
        self.journal
            .record(id, JournalEvent::ChildFailed(child_failure));
        if outcome.ends_instance {
            self.stop_childless(id);
        }
        let status = outcome.status;
        self.handle_event(Event::Instance { model: id, status });
        self.publish_exit(id, &failure);
    }

    /// Reports the end of a wrapped command to the service.
    fn report_command_end(&mut self, id: ModelId, status: u8, failure: &Failure) {
        if let Some(sender) = self.command_end.take() {
            // The receiver is gone only if the service is already stopping.
            let _ = sender.send(CommandEnd {
                status,
                message: failure.message.clone(),
                lines: self.entries[id.0].logs.last_child_lines(),
            });
        }
    }

    /// Publishes the exit of the newest child for requests whose connections broke with it. The gate is already
    /// closed, so requests that retry queue for the next child.
    fn publish_exit(&self, id: ModelId, failure: &Failure) {
        if failure.phase == ChildPhase::Spawn {
            return;
        }
        if let Some(entry) = self.entries.get(id.0) {
            entry.model.exit.send_replace(Some(ChildExit {
                generation: to_generation(entry.generations),
                message: failure.message.as_str().into(),
            }));
        }
    }

    /// Handles a stopped instance: its RAM is free at once, its device memory when the driver says so.
    fn on_instance_stopped(&mut self, id: ModelId, serial: u64) {
        let engine = self.context.engine.clone();
        let Some(engine) = engine.filter(|engine| engine.nvml.is_some()) else {
            return self.on_memory_freed(id, serial);
        };
        let running = self.entries[id.0].running.as_ref();
        let pid = running.map_or(0, |running| running.pid);
        self.spawn_task(async move {
            wait_for_free_memory(engine, pid).await;
            Some(RuntimeMessage::MemoryFreed { model: id, serial })
        });
    }

    /// Removes an instance whose memory is free.
    pub(super) fn on_memory_freed(&mut self, id: ModelId, serial: u64) {
        let Some(entry) = self.entries.get_mut(id.0) else {
            return;
        };
        let ended = entry.running.take_if(|running| running.serial == serial);
        if let Some(ended) = ended {
            self.remove_staging(ended.contexts);
            let status = InstanceStatus::Stopped;
            self.handle_event(Event::Instance { model: id, status });
        }
    }

    /// Stops an instance that has no child.
    fn stop_childless(&mut self, id: ModelId) {
        if let Some(running) = self.entries[id.0].running.take() {
            self.remove_staging(running.contexts);
            let instance = running.instance;
            self.tasks.spawn(async move { instance.stop().await });
        }
    }

    /// Kills every child.
    pub(super) fn kill(&self) {
        self.phase.send_replace(ServicePhase::Cut);
        for running in self
            .entries
            .iter()
            .filter_map(|entry| entry.running.as_ref())
        {
            let instance = running.instance.clone();
            self.tasks.spawn(async move { instance.kill().await });
        }
    }
}

/// Publishes the generation's address before any lease names it.
fn publish_endpoint(
    model: &Model,
    generation: u64,
    listener: &Listener,
    keeps_contexts: bool,
) -> Generation {
    let generation = to_generation(generation);
    let endpoint = Endpoint {
        generation,
        address: listener.address.clone(),
        processes: Some(listener.processes.clone()),
        keeps_contexts,
    };
    model.endpoint.send_if_modified(|now| {
        let changed = now.as_ref() != Some(&endpoint);
        *now = Some(endpoint);
        changed
    });
    generation
}

/// Waits until the driver counts no device memory for an ended process.
async fn wait_for_free_memory(engine: Arc<Engine>, pid: u32) {
    let deadline = Instant::now() + FREE_TIMEOUT;
    loop {
        let engine = Arc::clone(&engine);
        let holds = blocking::run(move || engine.has_device_memory(pid)).await;
        if !holds.unwrap_or(false) {
            return;
        }
        if Instant::now() > deadline {
            tracing::warn!(
                pid,
                "the GPU driver still reports memory for a process that has exited"
            );
            return;
        }
        tokio::time::sleep(FREE_POLL_INTERVAL).await;
    }
}

/// Forwards an instance's states to the actor, starting with the current one, until it has stopped.
async fn forward_states(
    model: ModelId,
    serial: u64,
    mut states: watch::Receiver<State>,
    to: mpsc::Sender<RuntimeMessage>,
) {
    loop {
        let state = states.borrow_and_update().clone();
        let stopped = matches!(state, State::Stopped);
        let message = RuntimeMessage::StateChanged {
            model,
            serial,
            state,
        };
        if to.send(message).await.is_err() || stopped || states.changed().await.is_err() {
            return;
        }
    }
}
