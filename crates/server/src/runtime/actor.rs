use super::handle::{Command, RuntimeHandle};
use crate::error::ProxyError;
use crate::model::{Endpoint, Lease, Model};
use paddock_scheduler::{
    Action, Event, Generation, InstanceIs, ModelId, ModelSpec, Refusal, RequestId, Scheduler,
};
use paddock_supervisor::{Instance, State};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};
use tokio_util::task::TaskTracker;

/// How far the service as a whole has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Requests are served.
    Serving,
    /// What is in flight may finish; idle connections are closed.
    Draining,
    /// What is still in flight is ended now.
    Cut,
}

/// How many requests may stand before the actor at once. More wait to be heard.
const COMMANDS: usize = 1024;

/// Who waits for what.
#[derive(Debug)]
struct Waiting {
    model: ModelId,
    reply: oneshot::Sender<Result<Lease, ProxyError>>,
}

/// The actor. Everything it owns is changed by [`Runtime::run`] alone.
#[derive(Debug)]
pub(crate) struct Runtime {
    scheduler: Scheduler,
    models: Vec<Arc<Model>>,
    instances: Vec<Instance>,
    waiting: HashMap<RequestId, Waiting>,
    last_id: u64,
    commands: mpsc::Receiver<Command>,
    /// Nobody is left who could ask for anything.
    deserted: bool,
    released: Arc<Notify>,
    cancelled: Arc<Notify>,
    phase: watch::Sender<Phase>,
    tasks: TaskTracker,
}

impl Runtime {
    /// An actor for these models and their instances, each in the same place of its list.
    pub(crate) fn new(
        models: Vec<Arc<Model>>,
        specs: Vec<ModelSpec>,
        instances: Vec<Instance>,
        released: Arc<Notify>,
        phase: watch::Sender<Phase>,
    ) -> (Self, RuntimeHandle) {
        let (sender, commands) = mpsc::channel(COMMANDS);
        let cancelled = Arc::new(Notify::new());
        let handle = RuntimeHandle {
            commands: sender,
            cancelled: Arc::clone(&cancelled),
        };
        let runtime = Self {
            scheduler: Scheduler::new(specs),
            models,
            instances,
            waiting: HashMap::new(),
            last_id: 0,
            commands,
            deserted: false,
            released,
            cancelled,
            phase,
            tasks: TaskTracker::new(),
        };
        (runtime, handle)
    }

    /// Runs until a shutdown is asked for and every instance has stopped.
    pub(crate) async fn run(mut self) {
        let (news, mut states) = mpsc::channel(self.instances.len().max(1));
        for (at, instance) in self.instances.iter().enumerate() {
            let forward = forward_states(ModelId(at), instance.watch(), news.clone());
            self.tasks.spawn(forward);
        }
        drop(news);
        loop {
            let deadline = self.scheduler.next_deadline();
            tokio::select! {
                command = self.commands.recv(), if !self.deserted => self.command(command),
                change = states.recv() => match change {
                    Some((model, state)) => self.instance_changed(model, &state),
                    None => break,
                },
                () = self.released.notified() => self.leases_released(),
                () = self.cancelled.notified() => self.clients_left(),
                () = sleep_until(deadline.map_or_else(far_away, Instant::from_std)),
                    if deadline.is_some() => self.handle(Event::Tick),
            }
        }
        self.tasks.close();
        self.tasks.wait().await;
        // Nothing is left that a request could go to.
        self.phase.send_replace(Phase::Cut);
    }

    fn command(&mut self, command: Option<Command>) {
        match command {
            Some(Command::Acquire { model, reply }) => self.acquire(model, reply),
            Some(Command::Shutdown { deadline }) => {
                self.phase.send_replace(Phase::Draining);
                self.handle(Event::Shutdown {
                    deadline: deadline.into_std(),
                });
            }
            Some(Command::ShutdownNow) => self.shutdown_now(),
            // The service has gone without a word: nobody is left to drain for.
            None => {
                self.deserted = true;
                self.shutdown_now();
            }
        }
    }

    fn shutdown_now(&mut self) {
        let deadline = Instant::now().into_std();
        self.handle(Event::Shutdown { deadline });
        self.handle(Event::Tick);
    }

    fn acquire(&mut self, model: ModelId, reply: oneshot::Sender<Result<Lease, ProxyError>>) {
        self.last_id += 1;
        let id = RequestId(self.last_id);
        self.waiting.insert(id, Waiting { model, reply });
        self.handle(Event::Request {
            id,
            model,
            in_flight: self.in_flight(model),
        });
    }

    fn instance_changed(&mut self, model: ModelId, state: &State) {
        let Some(shared) = self.models.get(model.0) else {
            return;
        };
        let is = match state {
            State::Starting {
                listening: Some(address),
                generation,
                ..
            } => InstanceIs::Listening(publish(shared, *generation, address)),
            State::Ready {
                address,
                generation,
                ..
            } => InstanceIs::Ready(publish(shared, *generation, address)),
            State::Starting { .. } | State::Backoff { .. } => InstanceIs::Loading,
            State::Failed { .. } => InstanceIs::Failed,
            State::Stopping { .. } | State::Stopped => InstanceIs::Stopped,
        };
        self.handle(Event::Instance {
            model,
            is,
            in_flight: self.in_flight(model),
        });
    }

    fn leases_released(&mut self) {
        for model in (0..self.models.len()).map(ModelId) {
            self.handle(Event::Released {
                model,
                in_flight: self.in_flight(model),
            });
        }
    }

    fn clients_left(&mut self) {
        let left: Vec<RequestId> = self
            .waiting
            .iter()
            .filter(|(_, waiting)| waiting.reply.is_closed())
            .map(|(id, _)| *id)
            .collect();
        for id in left {
            self.waiting.remove(&id);
            self.handle(Event::Cancel { id });
        }
    }

    fn handle(&mut self, event: Event) {
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            for action in self.scheduler.handle(event, Instant::now().into_std()) {
                tracing::trace!(?action, "scheduler");
                events.extend(self.act(action));
            }
        }
        for (at, model) in self.models.iter().enumerate() {
            let queued = self.scheduler.queued(ModelId(at));
            model.queued.store(queued, Ordering::Relaxed);
        }
    }

    /// Carries an action out. Shutting a gate has an answer: leases that ended just before
    /// were not told of, so the count is looked at again.
    fn act(&mut self, action: Action) -> Option<Event> {
        match action {
            Action::Open { model, .. } => self.models.get(model.0)?.gate.open(),
            Action::Shut { model } => {
                self.models.get(model.0)?.gate.shut();
                return Some(Event::Released {
                    model,
                    in_flight: self.in_flight(model),
                });
            }
            Action::Grant { id, model } => {
                let lease = self.models.get(model.0)?.grant();
                // A client that has left drops its lease here, which is told like any release.
                if let Some(waiting) = self.waiting.remove(&id) {
                    let _ = waiting.reply.send(Ok(lease));
                }
            }
            Action::Refuse { id, refusal } => self.refuse(id, refusal),
            Action::Cut { .. } => {
                self.phase.send_replace(Phase::Cut);
            }
            Action::Stop { model } => {
                let instance = self.instances.get(model.0)?.clone();
                self.tasks.spawn(async move { instance.stop().await });
            }
        }
        None
    }

    fn refuse(&mut self, id: RequestId, refusal: Refusal) {
        let Some(Waiting { model: at, reply }) = self.waiting.remove(&id) else {
            return;
        };
        let (Some(model), Some(instance)) = (self.models.get(at.0), self.instances.get(at.0))
        else {
            return;
        };
        let state = instance.watch().borrow().clone();
        let failed = state
            .failure()
            .map(|failure| (Arc::clone(failure), state.retry_after(Instant::now())));
        let error = ProxyError::from_queue(refusal, model.name.clone(), failed);
        let _ = reply.send(Err(error));
    }

    fn in_flight(&self, model: ModelId) -> u32 {
        self.models
            .get(model.0)
            .map_or(0, |model| model.gate.in_flight())
    }
}

/// Makes the generation's address known before any lease names it.
fn publish(model: &Model, generation: u64, address: &paddock_supervisor::Address) -> Generation {
    let generation = Generation(u32::try_from(generation).unwrap_or(u32::MAX));
    let endpoint = Endpoint {
        generation,
        address: address.clone(),
    };
    model.gate.set_generation(generation);
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
    mut states: watch::Receiver<State>,
    to: mpsc::Sender<(ModelId, State)>,
) {
    loop {
        let state = states.borrow_and_update().clone();
        let stopped = matches!(state, State::Stopped);
        if to.send((model, state)).await.is_err() || stopped || states.changed().await.is_err() {
            return;
        }
    }
}

fn far_away() -> Instant {
    Instant::now() + std::time::Duration::from_hours(24)
}
