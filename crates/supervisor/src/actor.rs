//! The task that owns a child: one asynchronous function for each part of its life.

use std::{future, sync::Arc};

use rustix::process::Signal;
use tokio::{
    sync::watch,
    time::{self, Duration, Instant},
};

use crate::{
    Exit, Failure, FailureClass, Phase, Spawner, Spec, State,
    classify::{self, Evidence},
    deadline::later,
    event,
    oom::{self, Reading},
    output::Output,
    probe,
    process::Process,
    publisher::{Publisher, starting},
    restart::{Decision, Restarts},
    socket::Socket,
    spawner::Launch,
    startup::{Sign, Startup, Verdict},
    vigil::Suspicion,
    wish::Wish,
};

mod serving;

/// Lines of output that are searched for the cause of a failure.
const EVIDENCE_LINES: usize = 200;

/// Lines of output that a failure carries.
const TAIL_LINES: usize = 20;

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

/// One child and what belongs to it. Dropped in this order: the process is killed, then its socket's
/// file removed.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) process: Process,
    output: Output,
    pub(super) socket: Socket,
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
    Failed {
        failure: Failure,
        ready_for: Option<Duration>,
    },
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
                Outcome::Failed { failure, ready_for } => {
                    if self.pause(failure, ready_for).await.is_break() {
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
                return Outcome::Failed {
                    failure,
                    ready_for: None,
                };
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
        let socket = Socket::new(address.map_err(|error| classify::unplaced(&error))?);
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
        Ok(Run {
            process,
            output,
            socket,
            begun,
            counted,
        })
    }

    /// Waits for readiness. An error is the end of the child.
    async fn starting(&mut self, run: &mut Run) -> Result<(), Ending> {
        let mut startup = Startup::new(self.spec.startup_timeout, Instant::now());
        let address = run.socket.address().clone();
        let probing = probe::after(probe::delay(run.begun.elapsed()), &address);
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
                    probing.set(probe::after(probe::delay(run.begun.elapsed()), &address));
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
            listening: startup.listening().then(|| run.socket.address().clone()),
        });
    }

    /// Brings a life to its end: no process, no socket, and the cause found.
    async fn conclude(&mut self, mut run: Run, ending: Ending, ready: Option<Instant>) -> Outcome {
        let ready_for = ready.map(|since| since.elapsed());
        match ending {
            Ending::Exited(_) => {}
            Ending::Silent => kill(&mut run.process).await,
            Ending::Hung(why) => {
                let why = classify::hung(&self.spec.program, why);
                self.spec.doubts.end(&why);
                tracing::error!(name = %self.name, pid = run.process.id(), "killing the child: {why}");
                kill(&mut run.process).await;
            }
            Ending::Wished => self.stop(&mut run.process).await,
        }
        run.process.bury().await;
        run.output.finish().await;
        drop(run.socket);
        // A child that exits right after its ready event may be seen to exit first.
        let phase = if ready.is_some() || run.output.said_ready() {
            Phase::Ready
        } else {
            Phase::Starting
        };
        match ending {
            Ending::Wished => Outcome::Stopped,
            Ending::Exited(exit) => Outcome::Failed {
                failure: self.died(&run.output, &run.counted, phase, exit),
                ready_for,
            },
            Ending::Silent => Outcome::Failed {
                failure: self.was_silent(&run.output),
                ready_for,
            },
            Ending::Hung(why) => Outcome::Failed {
                failure: Failure {
                    class: FailureClass::Unresponsive,
                    phase: Phase::Ready,
                    exit: None,
                    message: classify::hung(&self.spec.program, why),
                    log_tail: run.output.tail(TAIL_LINES),
                },
                ready_for,
            },
        }
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
    async fn pause(&mut self, failure: Failure, ready_for: Option<Duration>) -> Flow {
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
        tokio::select! {
            biased;
            () = wished(&mut self.wish, Wish::Stop) => Flow::Break(()),
            () = reached(until) => Flow::Continue(()),
        }
    }

    fn died(&self, output: &Output, counted: &Reading, phase: Phase, exit: Exit) -> Failure {
        let lines = output.tail(EVIDENCE_LINES);
        let program = &self.spec.program;
        let evidence = Evidence {
            program,
            phase,
            exit,
            killer: oom::judge(counted, &self.spec.oom.read()),
            lines: &lines,
        };
        let (class, message) = classify::classify(&evidence);
        Failure {
            class,
            phase,
            exit: Some(exit),
            message,
            log_tail: output.tail(TAIL_LINES),
        }
    }

    fn was_silent(&self, output: &Output) -> Failure {
        let log_tail = output.tail(TAIL_LINES);
        Failure {
            class: FailureClass::StartupTimeout,
            phase: Phase::Starting,
            exit: None,
            message: classify::silent(&self.spec.program, self.spec.startup_timeout, &log_tail),
            log_tail,
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
