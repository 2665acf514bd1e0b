//! Runs one instance: starts a child process, watches it until it ends, and starts the next child, until a stop. Each
//! phase of a child's life is an asynchronous function.

use std::{future, sync::Arc};

use tokio::{
    sync::watch,
    time::{self, Duration, Instant},
};

use crate::{
    Address, ChildPhase, ChildProcesses, Exit, Failure, InstanceSpec, Listener, Spawner, State,
    child_leftovers::ChildLeftovers,
    classify_failure,
    desired_state::DesiredState,
    liveness::HangEvidence,
    oom::OomReading,
    output::Output,
    probe,
    process::Process,
    publisher::{StatePublisher, starting},
    readiness::{ReadinessCheck, StartupDecision, StartupEvent},
    restart_policy::RestartCounter,
    socket::ChildSocket,
    spawner::Launch,
    state_report, stdin_end,
};

mod failures;
mod restart;
mod serving;
mod stop;

use stop::kill;

/// Interval of the reports about a child that survives SIGKILL, because it hangs in the kernel (in a driver,
/// for instance).
const KILL_REPORT_INTERVAL: Duration = Duration::from_secs(10);

/// The owner of one instance: of the current child, and of the decision to start another one.
#[derive(Debug)]
pub(crate) struct Actor {
    spec: InstanceSpec,
    name: Arc<str>,
    spawner: Spawner,
    /// The state that callers want: running, stopped or killed.
    desired: watch::Receiver<DesiredState>,
    restarts: RestartCounter,
    /// The number of the current child, counted from 1.
    generation: u64,
    state: StatePublisher,
}

/// A child with its resources. Drop order: first the process is killed, then its directory removed.
#[derive(Debug)]
pub(super) struct RunningChild {
    pub(super) process: Process,
    output: Output,
    socket: ChildSocket,
    pub(super) listener: Listener,
    begun: Instant,
    /// The kernel's counts of out-of-memory kills before the child was started.
    oom_before: OomReading,
}

/// The way in which a child ended.
#[derive(Debug)]
pub(super) enum Ending {
    Exited(Exit),
    StartupTimedOut,
    Hung(HangEvidence),
    /// The server has another standard input than the child, and would exit when it is ready.
    WithoutInput,
    StopRequested,
}

/// The result of one child's life.
#[derive(Debug)]
enum Outcome {
    Stopped,
    /// The next child is started at once; this one has not failed.
    Again,
    Failed(FailedChild),
}

/// A child that has failed, or could not be started.
#[derive(Debug)]
struct FailedChild {
    failure: Failure,
    ready_for: Option<Duration>,
    /// The processes that a dead child left. They are killed as soon as the death has been published.
    leftovers: Option<ChildLeftovers>,
}

impl Actor {
    pub(crate) fn new(
        spec: InstanceSpec,
        spawner: Spawner,
        desired: watch::Receiver<DesiredState>,
    ) -> Self {
        let name: Arc<str> = spec.name.as_str().into();
        let restarts = RestartCounter::new(spec.restart.clone(), spec.restarts_used);
        let generation = spec.generations;
        let state = StatePublisher::new(Arc::clone(&name));
        Self {
            spec,
            name,
            spawner,
            desired,
            restarts,
            generation,
            state,
        }
    }

    pub(crate) fn watch(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    /// Runs one child after another until a stop is requested.
    pub(crate) async fn run(mut self) {
        loop {
            self.generation += 1;
            match self.run_child().await {
                Outcome::Stopped => break,
                Outcome::Again => {}
                Outcome::Failed(failed) => {
                    if self.wait_for_restart(failed).await.is_break() {
                        break;
                    }
                }
            }
        }
        // The publisher publishes `Stopped` when it is dropped, which happens only here.
    }

    /// Runs one child from its start until its process group is gone.
    async fn run_child(&mut self) -> Outcome {
        let begun = Instant::now();
        self.state.publish(starting(0, self.generation, begun));
        let mut run = match self.spawn(begun).await {
            Ok(run) => run,
            Err(failure) => {
                return Outcome::Failed(FailedChild {
                    failure,
                    ready_for: None,
                    leftovers: None,
                });
            }
        };
        if let Err(ending) = self.wait_until_ready(&mut run).await {
            return self.finish_child(run, ending, None).await;
        }
        let since = Instant::now();
        let ending = self.watch_until_end(&mut run, since).await;
        self.finish_child(run, ending, Some(since)).await
    }

    /// Starts a child at a new address.
    async fn spawn(&self, begun: Instant) -> Result<RunningChild, Failure> {
        let address = self.spec.address(self.generation);
        let socket = address.and_then(ChildSocket::new);
        let socket = socket.map_err(|error| classify_failure::address_failure(&error))?;
        let mut env = self.spec.env.clone();
        if self.spec.ready_event {
            // The child does not use the value (llama.cpp b11434, tools/server/server-models.cpp).
            env.push((state_report::REPORT_VARIABLE.into(), "1".into()));
        }
        if self.spec.address_variable {
            env.extend(socket.address().variable());
        }
        let mut args = self.spec.args.clone();
        args.extend(socket.address().arguments());
        let sandbox = self.spec.sandbox.clone();
        let launch = Launch {
            sandbox: sandbox.map(|sandbox| sandbox.allow_listening(socket.address())),
            program: self.spec.program.clone(),
            args,
            env,
        };
        let oom_before = self.spec.oom.read();
        let mut process = self
            .spawner
            .spawn(launch)
            .await
            .map_err(|error| classify_failure::spawn_failure(&error))?;
        let output = Output::drain(&mut process, &self.name, &self.spec.logs);
        let marker = process.marker().clone();
        let listener = Listener {
            address: socket.address().clone(),
            processes: ChildProcesses::new(Arc::clone(&self.name), process.id(), marker),
        };
        Ok(RunningChild {
            process,
            output,
            socket,
            listener,
            begun,
            oom_before,
        })
    }

    /// Waits for readiness. An error is the end of the child.
    async fn wait_until_ready(&mut self, run: &mut RunningChild) -> Result<(), Ending> {
        let listener = run.listener.clone();
        // Any process can take a port, before the child does or after it.
        let is_provable = matches!(listener.address, Address::Unix(_));
        let mut readiness =
            ReadinessCheck::new(self.spec.startup_timeout, is_provable, Instant::now());
        let probing = probe::probe_after(probe::delay_after(run.begun.elapsed()), &listener);
        tokio::pin!(probing);
        let mut shown = None;
        loop {
            let now_shown = Some((readiness.progress(), readiness.is_listening()));
            if shown != now_shown {
                shown = now_shown;
                self.publish_starting(run, &readiness);
            }
            let sign = tokio::select! {
                biased;
                exit = run.process.wait() => return Err(Ending::Exited(exit)),
                () = desired_at_least(&mut self.desired, DesiredState::Stopped) => return Err(Ending::StopRequested),
                Some(report) = run.output.next_report() => StartupEvent::Report(report),
                probed = &mut probing, if readiness.should_probe() => {
                    probing.set(probe::probe_after(probe::delay_after(run.begun.elapsed()), &listener));
                    if self.spec.ready_event && probed.server.is_some_and(stdin_end::is_at_end) {
                        return Err(Ending::WithoutInput);
                    }
                    StartupEvent::Probe(probed.answer)
                }
                () = time::sleep_until(readiness.deadline()) => StartupEvent::Deadline { last_output: run.output.last_output() },
            };
            match readiness.handle(sign, Instant::now()) {
                StartupDecision::Wait => {}
                StartupDecision::Ready => return Ok(()),
                StartupDecision::TimedOut => return Err(Ending::StartupTimedOut),
            }
        }
    }

    fn publish_starting(&self, run: &RunningChild, readiness: &ReadinessCheck) {
        self.state.publish(State::Starting {
            pid: run.process.id(),
            generation: self.generation,
            since: run.begun,
            progress: readiness.progress(),
            listening: readiness.is_listening().then(|| run.listener.clone()),
        });
    }

    /// Ends a child: kills and reaps it, removes its socket, and finds the cause of a failure.
    async fn finish_child(
        &mut self,
        mut run: RunningChild,
        ending: Ending,
        ready: Option<Instant>,
    ) -> Outcome {
        let ready_for = self.served_for(&ending, ready);
        let pid = run.process.id();
        if !matches!(ending, Ending::Exited(_)) {
            run.process.note_descendants().await;
        }
        match ending {
            Ending::Exited(_) => {}
            Ending::StartupTimedOut => kill(&mut run.process).await,
            Ending::WithoutInput => {
                self.probe_from_now_on(run.process.id());
                kill(&mut run.process).await;
            }
            Ending::Hung(why) => {
                let (_, why) = classify_failure::describe_hang(&self.spec.program, why);
                self.spec.stalls.set_kill_reason(&why);
                tracing::error!(name = %self.name, pid = run.process.id(), "killing the child: {why}");
                kill(&mut run.process).await;
            }
            Ending::StopRequested => self.stop(&mut run.process).await,
        }
        run.listener.processes.retire();
        let mut leftovers = Some(run.process.kill_group().await);
        if !matches!(ending, Ending::Exited(_))
            && let Some(leftovers) = leftovers.take()
        {
            leftovers.kill().await;
        }
        run.output.finish().await;
        drop(run.socket);
        // The exit of a child right after its ready event may be seen first.
        let phase = if ready.is_some() || run.output.has_reported_ready() {
            ChildPhase::Ready
        } else {
            ChildPhase::Starting
        };
        let failure = match ending {
            Ending::StopRequested => return Outcome::Stopped,
            Ending::WithoutInput => return Outcome::Again,
            Ending::Exited(exit) => {
                self.exit_failure(pid, &run.output, &run.oom_before, phase, exit)
            }
            Ending::StartupTimedOut => self.startup_timeout_failure(&run.output),
            Ending::Hung(why) => self.hang_failure(&run.output, why),
        };
        Outcome::Failed(FailedChild {
            failure,
            ready_for,
            leftovers,
        })
    }

    /// Returns the time for which the child served. A child that failed every inference request never served,
    /// so a restart that does not help costs budget.
    fn served_for(&self, ending: &Ending, ready: Option<Instant>) -> Option<Duration> {
        let never_served = matches!(ending, Ending::Hung(HangEvidence::ServerErrors { .. }))
            && !self.spec.inference_errors.has_answered();
        ready.filter(|_| !never_served).map(|since| since.elapsed())
    }
}

type Flow = std::ops::ControlFlow<()>;

/// Waits until the desired state is at least `level`.
///
/// The loss of the last handle counts as a request to stop, since no caller can use the instance any more,
/// but not as one to kill.
async fn desired_at_least(desired: &mut watch::Receiver<DesiredState>, level: DesiredState) {
    if desired.wait_for(|current| *current >= level).await.is_err() && level > DesiredState::Stopped
    {
        future::pending::<()>().await;
    }
}

async fn sleep_until(time: Option<Instant>) {
    match time {
        Some(time) => time::sleep_until(time).await,
        None => future::pending().await,
    }
}
