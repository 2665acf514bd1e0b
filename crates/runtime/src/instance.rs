//! Starts and stops children, and turns the states of an instance into scheduler events.

use super::actor::{Runtime, RuntimeMessage};
use super::child_failure::{ChildFailure, RestartDecision};
use super::inspection::part_paths;
use super::model_entry::{FailedLoad, RunningInstance};
use crate::inference_probes;
use crate::runtime_dir::RUN_VARIABLE;
use crate::sandbox::{self, SandboxExemptions};
use paddock_admission::error::LoadFailure;
use paddock_admission::model::{ChildExit, Endpoint, Model};
use paddock_admission::phase::ServicePhase;
use paddock_config::{self as config, Mode};
use paddock_scheduler::{Event, Generation, InstanceStatus, ModelId};
use paddock_supervisor::blocking;
use paddock_supervisor::{
    Failure, FailureClass, Instance, InstanceSpec, Listener, LivenessPolicy, RestartPolicy,
    Sandbox, State, StopPolicy, Transport, env,
};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// Grace periods of a child that has no in-flight requests.
const STOP_POLICY: StopPolicy = StopPolicy {
    first_grace: Duration::from_millis(750),
    second_grace: Duration::from_millis(750),
};

/// Longest wait for the driver to release an ended process's memory.
const FREE_TIMEOUT: Duration = Duration::from_secs(5);

/// Interval between queries of the driver.
const FREE_POLL_INTERVAL: Duration = Duration::from_millis(10);

impl Runtime {
    /// Starts an instance of the model.
    pub fn start(&mut self, id: ModelId) {
        let Some(spec) = self.spec(id) else {
            return;
        };
        let instance = Instance::start(spec, &self.context.spawner, &self.tasks);
        self.last_serial += 1;
        let serial = self.last_serial;
        let forward = forward_states(id, serial, instance.watch(), self.messages_sender.clone());
        self.tasks.spawn(forward);
        let entry = &mut self.entries[id.0];
        if let Some(inspection) = &entry.inspection {
            self.journal.prompt_cache(id, inspection.prompt_cache);
        }
        entry.running = Some(RunningInstance {
            instance,
            serial,
            pid: 0,
            ready: None,
            measured: None,
        });
    }

    /// Describes the model's next child.
    pub(super) fn spec(&self, id: ModelId) -> Option<InstanceSpec> {
        let entry = self.entries.get(id.0)?;
        let config = &self.context.config;
        let mut command = config.command(&entry.config);
        if let Some(inspection) = &entry.inspection {
            command.args.extend(inspection.args.iter().cloned());
        }
        let env = self.environment(&command.env);
        let sandbox = self.sandbox(&entry.config, &env);
        let policy = RestartPolicy::default();
        let breaker_opened = entry
            .failed
            .as_ref()
            .is_some_and(|failed| failed.breaker_opened);
        Some(InstanceSpec {
            name: entry.config.id.clone(),
            program: command.program,
            args: command.args,
            env,
            sandbox,
            runtime_dir: self.context.runtime_dir.clone(),
            transport: Transport::Unix,
            address_variable: config.mode.is_launched(),
            ready_event: !matches!(config.mode, Mode::Wrap { router: true, .. }),
            startup_timeout: entry.config.startup_timeout,
            // An open breaker allows one attempt.
            restarts_used: if breaker_opened { policy.budget } else { 0 },
            restart: policy,
            generations: entry.generations,
            stop: STOP_POLICY,
            liveness: LivenessPolicy::default(),
            stalls: entry.model.stalls.clone(),
            inference: inference_probes::policy(config.mode),
            inference_errors: entry.model.inference_errors.clone(),
            oom: self.context.oom.clone(),
            logs: entry.logs.clone(),
        })
    }

    /// Returns the child's sandbox and logs any exemptions.
    fn sandbox(&self, model: &config::Model, env: &[(OsString, OsString)]) -> Option<Sandbox> {
        let config = &self.context.config;
        let exemptions = SandboxExemptions::from_config(config, model);
        if !exemptions.by.is_empty() {
            let holds =
                sandbox::effective_support(self.context.sandbox_support, config, &exemptions);
            tracing::info!(
                model = model.id,
                by = exemptions.by.join(", "),
                open = holds.missing().join(", "),
                "its flags need what the sandbox would deny, which is open to it"
            );
        }
        let own = [&model.path, &model.draft].into_iter().flatten();
        let own = own
            .flat_map(|path| part_paths(path))
            .chain(model.mmproj.clone());
        sandbox::child_sandbox(config, model, &own.collect::<Vec<_>>(), env)
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
        if let Some(running) = &entry.running {
            let instance = running.instance.clone();
            self.tasks.spawn(async move { instance.stop().await });
        }
    }

    /// Handles a state change of an instance.
    pub(super) fn on_state_change(&mut self, id: ModelId, serial: u64, state: &State) {
        let Some(entry) = self.entries.get_mut(id.0) else {
            return;
        };
        if entry
            .running
            .as_ref()
            .is_none_or(|running| running.serial != serial)
        {
            return;
        }
        if let (Some(running), Some(pid)) = (&mut entry.running, state.pid()) {
            running.pid = pid;
        }
        let status = match state {
            State::Starting {
                listening: Some(listener),
                generation,
                ..
            } => {
                entry.generations = *generation;
                InstanceStatus::Listening(publish_endpoint(&entry.model, *generation, listener))
            }
            State::Starting { generation, .. } => {
                entry.generations = *generation;
                InstanceStatus::Loading
            }
            State::Ready {
                listener,
                generation,
                ..
            } => {
                let running = entry.running.as_mut();
                if running
                    .is_some_and(|running| running.ready.replace(*generation) == Some(*generation))
                {
                    // Only the liveness of the same generation changed.
                    return self.notify_watchers();
                }
                entry.failed = None;
                entry.proven = entry
                    .inspection
                    .as_ref()
                    .and_then(|inspection| inspection.files.clone());
                self.command_end = None;
                InstanceStatus::Ready(publish_endpoint(&entry.model, *generation, listener))
            }
            State::Backoff { failure, .. } if self.report_command_end(id, failure) => {
                self.on_child_failed(id, failure, None)
            }
            State::Backoff {
                failure,
                attempt,
                left,
                until,
            } => self.on_child_backoff(id, failure, (*attempt, *left), *until),
            State::Failed { failure, retry_at } => {
                self.report_command_end(id, failure);
                self.on_child_failed(id, failure, *retry_at)
            }
            State::Stopping { .. } => return,
            State::Stopped => return self.on_instance_stopped(id, serial),
        };
        self.handle_event(Event::Instance { model: id, status });
        if let State::Backoff { failure, .. } | State::Failed { failure, .. } = state {
            self.publish_exit(id, failure);
        }
        if matches!(state, State::Ready { .. }) {
            self.measure(id);
        }
    }

    /// Publishes the exit of the newest child for requests whose connections broke with it. The gate is already
    /// closed, so requests that retry queue for the next child.
    fn publish_exit(&self, id: ModelId, failure: &Failure) {
        let Some(entry) = self.entries.get(id.0) else {
            return;
        };
        if failure.phase != paddock_supervisor::ChildPhase::Spawn {
            entry.model.exit.send_replace(Some(ChildExit {
                generation: generation_of(entry.generations),
                message: failure.message.as_str().into(),
            }));
        }
    }

    /// Handles a stopped instance: its RAM is free at once, its device memory when the driver says so.
    fn on_instance_stopped(&mut self, id: ModelId, serial: u64) {
        let Some(engine) = self
            .context
            .engine
            .clone()
            .filter(|engine| engine.nvml.is_some())
        else {
            return self.on_memory_freed(id, serial);
        };
        let running = self.entries[id.0].running.as_ref();
        let pid = running.map_or(0, |running| running.pid);
        let sender = self.messages_sender.clone();
        self.tasks.spawn(async move {
            let deadline = Instant::now() + FREE_TIMEOUT;
            loop {
                let engine = Arc::clone(&engine);
                let holds = blocking::run(move || engine.has_device_memory(pid)).await;
                if !holds.unwrap_or(false) {
                    break;
                }
                if Instant::now() > deadline {
                    tracing::warn!(
                        pid,
                        "the driver still counts memory of a process that is gone"
                    );
                    break;
                }
                tokio::time::sleep(FREE_POLL_INTERVAL).await;
            }
            // Sending fails only if the actor has ended.
            let _ = sender
                .send(RuntimeMessage::MemoryFreed { model: id, serial })
                .await;
        });
    }

    /// Removes an instance whose memory is free.
    pub(super) fn on_memory_freed(&mut self, id: ModelId, serial: u64) {
        let Some(entry) = self.entries.get_mut(id.0) else {
            return;
        };
        if entry
            .running
            .as_ref()
            .is_some_and(|running| running.serial == serial)
        {
            entry.running = None;
            self.handle_event(Event::Instance {
                model: id,
                status: InstanceStatus::Stopped,
            });
        }
    }

    /// Handles a failed child that its instance would restart. If it ran out of memory, the scheduler decides
    /// instead.
    fn on_child_backoff(
        &mut self,
        id: ModelId,
        failure: &Arc<Failure>,
        (attempt, left): (u32, u32),
        until: Instant,
    ) -> InstanceStatus {
        let out_of_memory = self.is_out_of_memory(failure);
        let at = to_system_time(until);
        let load_failure = LoadFailure {
            cause: Arc::clone(failure),
            retry_at: (!out_of_memory).then_some(at),
            restarts_left: left,
        };
        self.store_failure(id, load_failure, None, false);
        // The restart budget was full: this is the first restart, or a free one.
        let decision = match out_of_memory {
            true => RestartDecision::SchedulerDecides,
            false => RestartDecision::Restart { at, left },
        };
        self.record_failure(id, failure, attempt <= 1, decision);
        if out_of_memory {
            self.stop_childless(id);
            return InstanceStatus::OutOfMemory;
        }
        InstanceStatus::Restarting {
            at: until.into_std(),
        }
    }

    fn on_child_failed(
        &mut self,
        id: ModelId,
        failure: &Arc<Failure>,
        until: Option<Instant>,
    ) -> InstanceStatus {
        let out_of_memory = self.is_out_of_memory(failure);
        let at = until.filter(|_| !out_of_memory).map(to_system_time);
        let load_failure = LoadFailure {
            cause: Arc::clone(failure),
            retry_at: at,
            restarts_left: 0,
        };
        self.store_failure(id, load_failure, until, until.is_some());
        let decision = match at {
            _ if out_of_memory => RestartDecision::SchedulerDecides,
            Some(until) => RestartDecision::BreakerOpen { until },
            None => RestartDecision::GiveUp,
        };
        self.record_failure(id, failure, false, decision);
        self.stop_childless(id);
        if out_of_memory {
            return InstanceStatus::OutOfMemory;
        }
        InstanceStatus::Failed {
            until: until.map(Instant::into_std),
        }
    }

    fn is_out_of_memory(&self, failure: &Failure) -> bool {
        failure.class == FailureClass::OutOfMemory
            && failure.phase != paddock_supervisor::ChildPhase::Ready
            && self.context.config.mode == Mode::Serve
    }

    /// Counts and records a child's failure with the decision that follows.
    fn record_failure(
        &mut self,
        id: ModelId,
        failure: &Failure,
        is_first: bool,
        decision: RestartDecision,
    ) {
        let child_failure = ChildFailure {
            class: failure.class,
            message: failure.message.clone(),
            streak: self.entries[id.0]
                .failure_streak
                .add(is_first, Instant::now()),
            decision,
        };
        self.entries[id.0]
            .counters
            .count_failure(child_failure.class, failure.phase, decision);
        self.record_child_failure(id, failure.phase, &child_failure);
        self.journal.child_failed(id, child_failure);
    }

    fn store_failure(
        &mut self,
        id: ModelId,
        failure: LoadFailure,
        until: Option<Instant>,
        breaker_opened: bool,
    ) {
        let entry = &mut self.entries[id.0];
        let files = entry
            .inspection
            .as_ref()
            .and_then(|inspection| inspection.files.clone());
        let breaker_opened = breaker_opened
            || entry
                .failed
                .as_ref()
                .is_some_and(|failed| failed.breaker_opened);
        entry.failure_dedup.record_failure(&failure.cause);
        entry.failed = Some(FailedLoad {
            until,
            files: files.filter(|_| !failure.cause.class.is_retryable()),
            failure,
            breaker_opened,
        });
    }

    /// Stops an instance that has no child.
    fn stop_childless(&mut self, id: ModelId) {
        if let Some(running) = self.entries[id.0].running.take() {
            self.tasks
                .spawn(async move { running.instance.stop().await });
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

/// Converts a monotonic time to wall-clock time.
fn to_system_time(at: Instant) -> SystemTime {
    SystemTime::now() + at.saturating_duration_since(Instant::now())
}

fn generation_of(count: u64) -> Generation {
    Generation(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Publishes the generation's address before any lease names it.
fn publish_endpoint(model: &Model, generation: u64, listener: &Listener) -> Generation {
    let generation = generation_of(generation);
    let endpoint = Endpoint {
        generation,
        address: listener.address.clone(),
        processes: Some(listener.processes.clone()),
    };
    model.endpoint.send_if_modified(|now| {
        let changed = now.as_ref() != Some(&endpoint);
        *now = Some(endpoint);
        changed
    });
    generation
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
