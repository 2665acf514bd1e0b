//! A child is started, and its states become events.

use super::actor::{News, Runtime};
use super::death::{Death, Then};
use super::entry::{Failed, Running};
use super::inspect::parts;
use crate::inference_probes;
use crate::runtime_dir::RUN_VARIABLE;
use crate::sandbox::{self, Opened};
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

/// How a child is stopped once nothing is in flight to it.
const STOP: StopPolicy = StopPolicy {
    first_grace: Duration::from_millis(750),
    second_grace: Duration::from_millis(750),
};

/// How long a driver may take to see that a process is gone.
const FREED: Duration = Duration::from_secs(5);

/// How often it is asked.
const LOOK: Duration = Duration::from_millis(10);

impl Runtime {
    /// Starts an instance of the model.
    pub fn start(&mut self, id: ModelId) {
        let Some(spec) = self.spec(id) else {
            return;
        };
        let instance = Instance::start(spec, &self.world.spawner, &self.tasks);
        self.last_serial += 1;
        let serial = self.last_serial;
        let forward = forward_states(id, serial, instance.watch(), self.tell.clone());
        self.tasks.spawn(forward);
        let entry = &mut self.entries[id.0];
        if let Some(found) = &entry.found {
            self.journal.caches(id, found.prompt_cache);
        }
        entry.running = Some(Running {
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
        let config = &self.world.config;
        let mut command = config.command(&entry.config);
        if let Some(found) = &entry.found {
            command.args.extend(found.args.iter().cloned());
        }
        let env = self.environment(&command.env);
        let sandbox = self.sandbox(&entry.config, &env);
        let policy = RestartPolicy::default();
        let broke = entry.failed.as_ref().is_some_and(|failed| failed.broke);
        Some(InstanceSpec {
            name: entry.config.id.clone(),
            program: command.program,
            args: command.args,
            env,
            sandbox,
            runtime_dir: self.world.runtime_dir.clone(),
            transport: Transport::Unix,
            address_variable: config.mode.is_launched(),
            ready_event: !matches!(config.mode, Mode::Wrap { router: true, .. }),
            startup_timeout: entry.config.startup_timeout,
            // After the breaker has opened one child is tried.
            restarts_used: if broke { policy.budget } else { 0 },
            restart: policy,
            generations: entry.generations,
            stop: STOP,
            liveness: LivenessPolicy::default(),
            stalls: entry.model.stalls.clone(),
            inference: inference_probes::policy(config.mode),
            inference_errors: entry.model.inference_errors.clone(),
            oom: self.world.oom.clone(),
            logs: entry.logs.clone(),
        })
    }

    /// What the child may do. What its configuration leaves open to it is said.
    fn sandbox(&self, model: &config::Model, env: &[(OsString, OsString)]) -> Option<Sandbox> {
        let config = &self.world.config;
        let opened = Opened::of(config, model);
        if !opened.by.is_empty() {
            let holds = sandbox::parts(self.world.parts, config, &opened);
            tracing::info!(
                model = model.id,
                by = opened.by.join(", "),
                open = holds.missing().join(", "),
                "its flags need what the sandbox would deny, which is open to it"
            );
        }
        let own = [&model.path, &model.draft].into_iter().flatten();
        let own = own.flat_map(|path| parts(path)).chain(model.mmproj.clone());
        sandbox::rules(config, model, &own.collect::<Vec<_>>(), env)
    }

    /// What the child may see, and the run it belongs to.
    fn environment(&self, added: &BTreeMap<String, String>) -> Vec<(OsString, OsString)> {
        let mut env = match self.world.config.mode {
            Mode::Serve => env::build_child_env(std::env::vars_os(), added),
            // All that `added` holds is in it.
            Mode::Wrap { .. } => config::wrapped_environment(),
        };
        env.push((RUN_VARIABLE.into(), self.world.run.as_str().into()));
        env
    }

    /// Stops the model's instance. Idle connections to it are closed, for a child waits for them
    /// (llama.cpp b11434, httplib's `Server::stop`).
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

    /// An instance's state has changed.
    pub(super) fn state_changed(&mut self, id: ModelId, serial: u64, state: &State) {
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
                InstanceStatus::Listening(publish(&entry.model, *generation, listener))
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
                    // What is thought of it has changed, and nothing else.
                    return self.changed();
                }
                entry.failed = None;
                entry.proven = entry.found.as_ref().and_then(|found| found.files.clone());
                self.command_end = None;
                InstanceStatus::Ready(publish(&entry.model, *generation, listener))
            }
            State::Backoff { failure, .. } if self.ends_command(id, failure) => {
                self.failed(id, failure, None)
            }
            State::Backoff {
                failure,
                attempt,
                left,
                until,
            } => self.hurt(id, failure, (*attempt, *left), *until),
            State::Failed { failure, retry_at } => {
                self.ends_command(id, failure);
                self.failed(id, failure, *retry_at)
            }
            State::Stopping { .. } => return,
            State::Stopped => return self.stopped(id, serial),
        };
        self.handle(Event::Instance { model: id, status });
        if let State::Backoff { failure, .. } | State::Failed { failure, .. } = state {
            self.publish_exit(id, failure);
        }
        if matches!(state, State::Ready { .. }) {
            self.measure(id);
        }
    }

    /// Publishes the exit of the newest child, for requests whose connections broke with it. Its gate is
    /// shut by now: requests that learn of the exit queue for the next child.
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

    /// A child is gone: what it held is free at once in the host's memory, and on devices when their
    /// driver says so.
    fn stopped(&mut self, id: ModelId, serial: u64) {
        let Some(engine) = self
            .world
            .engine
            .clone()
            .filter(|engine| engine.nvml.is_some())
        else {
            return self.freed(id, serial);
        };
        let running = self.entries[id.0].running.as_ref();
        let pid = running.map_or(0, |running| running.pid);
        let tell = self.tell.clone();
        self.tasks.spawn(async move {
            let deadline = Instant::now() + FREED;
            loop {
                let engine = Arc::clone(&engine);
                let holds = blocking::run(move || engine.still_holds(pid)).await;
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
                tokio::time::sleep(LOOK).await;
            }
            // The actor hears it unless it has ended.
            let _ = tell.send(News::Freed { model: id, serial }).await;
        });
    }

    /// What an instance held is free.
    pub(super) fn freed(&mut self, id: ModelId, serial: u64) {
        let Some(entry) = self.entries.get_mut(id.0) else {
            return;
        };
        if entry
            .running
            .as_ref()
            .is_some_and(|running| running.serial == serial)
        {
            entry.running = None;
            self.handle(Event::Instance {
                model: id,
                status: InstanceStatus::Stopped,
            });
        }
    }

    /// A child has died, and its instance would start another one. Where it had asked for more
    /// memory than there is that is the scheduler's to decide.
    fn hurt(
        &mut self,
        id: ModelId,
        failure: &Arc<Failure>,
        (attempt, left): (u32, u32),
        until: Instant,
    ) -> InstanceStatus {
        let starved = self.is_refused_memory(failure);
        let at = on_the_clock(until);
        let told = LoadFailure {
            cause: Arc::clone(failure),
            retry_at: (!starved).then_some(at),
            restarts_left: left,
        };
        self.remember(id, told, None, false);
        // The budget was full: this is the first restart of it, or one that costs nothing.
        let then = match starved {
            true => Then::Asked,
            false => Then::Again { at, left },
        };
        self.died(id, failure, attempt <= 1, then);
        if starved {
            self.dispose(id);
            return InstanceStatus::OutOfMemory;
        }
        InstanceStatus::Restarting {
            at: until.into_std(),
        }
    }

    fn failed(
        &mut self,
        id: ModelId,
        failure: &Arc<Failure>,
        until: Option<Instant>,
    ) -> InstanceStatus {
        let starved = self.is_refused_memory(failure);
        let at = until.filter(|_| !starved).map(on_the_clock);
        let told = LoadFailure {
            cause: Arc::clone(failure),
            retry_at: at,
            restarts_left: 0,
        };
        self.remember(id, told, until, until.is_some());
        let then = match at {
            _ if starved => Then::Asked,
            Some(until) => Then::Paused { until },
            None => Then::GivenUp,
        };
        self.died(id, failure, false, then);
        self.dispose(id);
        if starved {
            return InstanceStatus::OutOfMemory;
        }
        InstanceStatus::Failed {
            until: until.map(Instant::into_std),
        }
    }

    fn is_refused_memory(&self, failure: &Failure) -> bool {
        failure.class == FailureClass::OutOfMemory
            && failure.phase != paddock_supervisor::ChildPhase::Ready
            && self.world.config.mode == Mode::Serve
    }

    /// Says of a death what follows.
    fn died(&mut self, id: ModelId, failure: &Failure, afresh: bool, then: Then) {
        let death = Death {
            class: failure.class,
            message: failure.message.clone(),
            row: self.entries[id.0].deaths.add(afresh, Instant::now()),
            then,
        };
        self.entries[id.0]
            .tally
            .died(death.class, failure.phase, then);
        self.tell_death(id, failure.phase, &death);
        self.journal.died(id, death);
    }

    fn remember(&mut self, id: ModelId, failure: LoadFailure, until: Option<Instant>, broke: bool) {
        let entry = &mut self.entries[id.0];
        let files = entry.found.as_ref().and_then(|found| found.files.clone());
        let broke = broke || entry.failed.as_ref().is_some_and(|failed| failed.broke);
        entry.repeats.failed(&failure.cause);
        entry.failed = Some(Failed {
            until,
            files: files.filter(|_| !failure.cause.class.is_retryable()),
            failure,
            broke,
        });
    }

    /// Lets go of an instance that has no child.
    fn dispose(&mut self, id: ModelId) {
        if let Some(running) = self.entries[id.0].running.take() {
            self.tasks
                .spawn(async move { running.instance.stop().await });
        }
    }

    /// Ends every child at once.
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

/// When a moment is, by the clock on the wall.
fn on_the_clock(at: Instant) -> SystemTime {
    SystemTime::now() + at.saturating_duration_since(Instant::now())
}

fn generation_of(count: u64) -> Generation {
    Generation(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Makes the generation's address known before any lease names it.
fn publish(model: &Model, generation: u64, listener: &Listener) -> Generation {
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

/// Passes an instance's states on, the first one at once, until it has stopped.
async fn forward_states(
    model: ModelId,
    serial: u64,
    mut states: watch::Receiver<State>,
    to: mpsc::Sender<News>,
) {
    loop {
        let state = states.borrow_and_update().clone();
        let stopped = matches!(state, State::Stopped);
        let news = News::State {
            model,
            serial,
            state,
        };
        if to.send(news).await.is_err() || stopped || states.changed().await.is_err() {
            return;
        }
    }
}
