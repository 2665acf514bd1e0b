//! The task that owns a child: one asynchronous function for each part of its life.

use std::{future, sync::Arc};

use rustix::process::Signal;
use tokio::{
    sync::watch,
    time::{self, Duration, Instant},
};

use crate::{
    Address, ChildProcesses, Exit, Failure, Listener, Phase, Spawner, Spec, State, classify,
    deadline::later,
    event,
    oom::Reading,
    output::Output,
    probe,
    process::Process,
    publisher::{Publisher, starting},
    remains::Remains,
    restart::{Decision, Restarts},
    socket::Socket,
    spawner::Launch,
    startup::{Sign, Startup, Verdict},
    vigil::Suspicion,
    wish::Wish,
};

mod causes;
mod serving;

/// Time after which a child that survives SIGKILL is reported: it hangs in the kernel, in a driver say.
const UNKILLABLE: Duration = Duration::from_secs(10);

/// Owns one instance.
#[derive(Debug)]
pub(crate) struct Actor {
    spec: Spec,
    name: Arc<str>,
    spawner: Spawner,
    wish: watch::Receiver<Wish>,
    restarts: Restarts,
    generation: u64,
    state: Publisher,
}

/// A child and what belongs to it. Dropped in this order: the process is killed, then its directory
/// removed.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) process: Process,
    output: Output,
    socket: Socket,
    pub(super) listener: Listener,
    begun: Instant,
    /// The kernel's counters before the child was there.
    counted: Reading,
}

/// How the life of a child ended.
#[derive(Debug)]
pub(super) enum Ending {
    Exited(Exit),
    Silent,
    Hung(Suspicion),
    Wished,
}

/// What a life leaves to be decided.
#[derive(Debug)]
enum Outcome {
    Stopped,
    Failed(Failed),
}

/// A child that has failed, or could not be started.
#[derive(Debug)]
struct Failed {
    failure: Failure,
    ready_for: Option<Duration>,
    /// What a child that has died has left. It is killed as soon as the death has been published.
    remains: Option<Remains>,
}

impl Actor {
    pub(crate) fn new(spec: Spec, spawner: Spawner, wish: watch::Receiver<Wish>) -> Self {
        let name: Arc<str> = spec.name.as_str().into();
        let restarts = Restarts::new(spec.restart.clone(), spec.restarts_used);
        let generation = spec.generations;
        let state = Publisher::new(Arc::clone(&name));
        Self {
            spec,
            name,
            spawner,
            wish,
            restarts,
            generation,
            state,
        }
    }

    pub(crate) fn watch(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    /// Lives one child after another until a stop is wished.
    pub(crate) async fn run(mut self) {
        loop {
            self.generation += 1;
            match self.live().await {
                Outcome::Stopped => break,
                Outcome::Failed(failed) => {
                    if self.pause(failed).await.is_break() {
                        break;
                    }
                }
            }
        }
        // The publisher says `Stopped` when it is dropped, which is here and nowhere else.
    }

    /// One child, from its fork to its burial.
    async fn live(&mut self) -> Outcome {
        let begun = Instant::now();
        self.state.publish(starting(0, self.generation, begun));
        let mut run = match self.spawn(begun).await {
            Ok(run) => run,
            Err(failure) => {
                return Outcome::Failed(Failed {
                    failure,
                    ready_for: None,
                    remains: None,
                });
            }
        };
        if let Err(ending) = self.starting(&mut run).await {
            return self.conclude(run, ending, None).await;
        }
        let since = Instant::now();
        let ending = self.serving(&mut run, since).await;
        self.conclude(run, ending, Some(since)).await
    }

    /// Forks a child at a new address.
    async fn spawn(&self, begun: Instant) -> Result<Run, Failure> {
        let address = self.spec.address(self.generation);
        let socket = address.and_then(Socket::new);
        let socket = socket.map_err(|error| classify::unplaced(&error))?;
        let mut env = self.spec.env.clone();
        if self.spec.ready_event {
            // The child does not use the value (llama.cpp b11434, tools/server/server-models.cpp).
            env.push((event::VARIABLE.into(), "1".into()));
        }
        let mut args = self.spec.args.clone();
        args.extend(socket.address().arguments());
        let sandbox = self.spec.sandbox.clone();
        let launch = Launch {
            sandbox: sandbox.map(|sandbox| sandbox.listening(socket.address())),
            program: self.spec.program.clone(),
            args,
            env,
        };
        let counted = self.spec.oom.read();
        let mut process = self
            .spawner
            .spawn(launch)
            .await
            .map_err(|error| classify::unspawned(&error))?;
        let output = Output::drain(&mut process, &self.name, &self.spec.logs);
        let marker = process.marker().clone();
        let listener = Listener {
            address: socket.address().clone(),
            processes: ChildProcesses::new(Arc::clone(&self.name), process.id(), marker),
        };
        Ok(Run {
            process,
            output,
            socket,
            listener,
            begun,
            counted,
        })
    }

    /// Waits for readiness. An error is the end of the child.
    async fn starting(&mut self, run: &mut Run) -> Result<(), Ending> {
        let listener = run.listener.clone();
        // Any process can take a port before the child does, or after it.
        let is_provable = matches!(listener.address, Address::Unix(_));
        let mut startup = Startup::new(self.spec.startup_timeout, is_provable, Instant::now());
        let probing = probe::after(probe::delay(run.begun.elapsed()), &listener);
        tokio::pin!(probing);
        let mut shown = None;
        loop {
            let now_shown = Some((startup.progress(), startup.listening()));
            if shown != now_shown {
                shown = now_shown;
                self.show(run, &startup);
            }
            let sign = tokio::select! {
                biased;
                exit = run.process.wait() => return Err(Ending::Exited(exit)),
                () = wished(&mut self.wish, Wish::Stop) => return Err(Ending::Wished),
                Some(report) = run.output.report() => Sign::Report(report),
                answer = &mut probing, if startup.probing() => {
                    probing.set(probe::after(probe::delay(run.begun.elapsed()), &listener));
                    Sign::Probe(answer)
                }
                () = time::sleep_until(startup.deadline()) => Sign::Deadline { heard: run.output.last_heard() },
            };
            match startup.handle(sign, Instant::now()) {
                Verdict::Wait => {}
                Verdict::Ready => return Ok(()),
                Verdict::TimedOut => return Err(Ending::Silent),
            }
        }
    }

    fn show(&self, run: &Run, startup: &Startup) {
        self.state.publish(State::Starting {
            pid: run.process.id(),
            generation: self.generation,
            since: run.begun,
            progress: startup.progress(),
            listening: startup.listening().then(|| run.listener.clone()),
        });
    }

    /// Brings a life to its end: no process, no socket, and the cause found.
    async fn conclude(&mut self, mut run: Run, ending: Ending, ready: Option<Instant>) -> Outcome {
        let ready_for = self.served_for(&ending, ready);
        if !matches!(ending, Ending::Exited(_)) {
            run.process.note_descendants().await;
        }
        match ending {
            Ending::Exited(_) => {}
            Ending::Silent => kill(&mut run.process).await,
            Ending::Hung(why) => {
                let (_, why) = classify::hung(&self.spec.program, why);
                self.spec.doubts.end(&why);
                tracing::error!(name = %self.name, pid = run.process.id(), "killing the child: {why}");
                kill(&mut run.process).await;
            }
            Ending::Wished => self.stop(&mut run.process).await,
        }
        run.listener.processes.retire();
        let mut remains = Some(run.process.bury().await);
        if !matches!(ending, Ending::Exited(_))
            && let Some(remains) = remains.take()
        {
            remains.kill().await;
        }
        run.output.finish().await;
        drop(run.socket);
        // A child that exits right after its ready event may be seen to exit first.
        let phase = if ready.is_some() || run.output.said_ready() {
            Phase::Ready
        } else {
            Phase::Starting
        };
        let failure = match ending {
            Ending::Wished => return Outcome::Stopped,
            Ending::Exited(exit) => self.died(&run.output, &run.counted, phase, exit),
            Ending::Silent => self.was_silent(&run.output),
            Ending::Hung(why) => self.hung(&run.output, why),
        };
        Outcome::Failed(Failed {
            failure,
            ready_for,
            remains,
        })
    }

    /// Returns how long the child had served. One that failed every inference request never did, so that a
    /// restart that does not help is not free.
    fn served_for(&self, ending: &Ending, ready: Option<Instant>) -> Option<Duration> {
        let never_served = matches!(ending, Ending::Hung(Suspicion::ServerErrors { .. }))
            && !self.spec.inference_errors.has_answered();
        ready.filter(|_| !never_served).map(|since| since.elapsed())
    }

    /// SIGTERM, grace, SIGTERM, grace, SIGKILL, reap. A wish to kill ends a grace.
    async fn stop(&mut self, process: &mut Process) {
        self.state.publish(State::Stopping { pid: process.id() });
        for grace in [self.spec.stop.first_grace, self.spec.stop.second_grace] {
            if *self.wish.borrow() == Wish::Kill {
                break;
            }
            process.signal(Signal::TERM);
            // A process that somebody has stopped takes no other signal before it goes on.
            process.signal(Signal::CONT);
            if self.spec.ready_event {
                process.tell(event::EXIT).await;
            }
            tokio::select! {
                biased;
                _ = process.wait() => return,
                () = wished(&mut self.wish, Wish::Kill) => break,
                () = time::sleep(grace) => {}
            }
        }
        tracing::info!(name = %self.name, pid = process.id(), "killing the child");
        kill(process).await;
    }

    /// Waits until it is time for the next child; breaks when a stop is wished.
    async fn pause(&mut self, failed: Failed) -> Flow {
        let Failed {
            failure,
            ready_for,
            remains,
        } = failed;
        let decision = self
            .restarts
            .failed(failure.class, ready_for, fastrand::f64());
        let failure = Arc::new(failure);
        let now = Instant::now();
        let (state, until) = match decision {
            Decision::Retry { attempt, delay } => {
                let until = later(now, delay);
                (
                    State::Backoff {
                        failure,
                        attempt,
                        left: self.spec.restart.budget.saturating_sub(attempt),
                        until,
                    },
                    Some(until),
                )
            }
            Decision::Pause { delay } => {
                let retry_at = Some(later(now, delay));
                (State::Failed { failure, retry_at }, retry_at)
            }
            Decision::GiveUp => (
                State::Failed {
                    failure,
                    retry_at: None,
                },
                None,
            ),
        };
        self.state.publish(state);
        if let Some(remains) = remains {
            remains.kill().await;
        }
        tokio::select! {
            biased;
            () = wished(&mut self.wish, Wish::Stop) => Flow::Break(()),
            () = reached(until) => Flow::Continue(()),
        }
    }
}

type Flow = std::ops::ControlFlow<()>;

/// Waits until at least `level` is wished.
///
/// When the last handle is gone nobody can use the instance any more: that is a wish to stop, and no
/// reason to hurry.
async fn wished(wish: &mut watch::Receiver<Wish>, level: Wish) {
    if wish.wait_for(|current| *current >= level).await.is_err() && level > Wish::Stop {
        future::pending::<()>().await;
    }
}

async fn reached(time: Option<Instant>) {
    match time {
        Some(time) => time::sleep_until(time).await,
        None => future::pending().await,
    }
}

/// Kills the group and reaps the child, however long the kernel takes.
async fn kill(process: &mut Process) {
    process.signal(Signal::KILL);
    while time::timeout(UNKILLABLE, process.wait()).await.is_err() {
        tracing::error!(
            pid = process.id(),
            "the child does not die of SIGKILL: it hangs in the kernel"
        );
    }
}
