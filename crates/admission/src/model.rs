//! A model as the request path sees it.

use crate::slots::{SlotQueue, SlotTicket, WaitingInEngine};
use paddock_config::{Mode, Model as ModelConfig};
use paddock_scheduler::{Epoch, Gate, Generation, ModelId};
use paddock_supervisor::{Address, ChildProcesses, InferenceErrors, StallTracker};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// Where a generation of an instance listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Generation of the child.
    pub generation: Generation,
    /// Address at which the child listens.
    pub address: Address,
    /// The processes that may answer there, if that is known.
    pub processes: Option<ChildProcesses>,
}

/// The end of a child that had served requests or was starting.
#[derive(Debug, Clone)]
pub struct ChildExit {
    /// Generation of the child.
    pub generation: Generation,
    /// The cause, in words for people.
    pub message: Arc<str>,
}

/// A configured model: its gate, where its requests go, and how long they may take.
#[derive(Debug)]
pub struct Model {
    /// Index of the model.
    pub id: ModelId,
    /// Name of the model.
    pub name: String,
    /// The most leases at once.
    pub(crate) cap: u32,
    /// The child's slots; `None` if unknown.
    slots: Option<u32>,
    /// Time limits of its exchanges.
    pub limits: Limits,
    /// The requests that take a slot, across reloads.
    slot_queue: Arc<SlotQueue>,
    /// Gate that counts its leases.
    pub gate: Arc<Gate>,
    /// The newest endpoint. Written by the runtime before a lease names it.
    pub endpoint: Arc<watch::Sender<Option<Endpoint>>>,
    /// The newest exit of a child. Written by the runtime once the gate is shut.
    pub exit: Arc<watch::Sender<Option<ChildExit>>>,
    /// What its requests see of its child's silence.
    pub stalls: StallTracker,
    /// The server errors of its child's inference routes.
    pub inference_errors: InferenceErrors,
    released: Released,
}

/// How long an exchange may be silent, and what its client gets meanwhile.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Between the request's last byte and the answer's first one.
    pub first_byte: Duration,
    /// Between two pieces of an answer.
    pub stream_idle: Duration,
    /// Streaming clients that wait for a load or a place are sent comments.
    pub loading_heartbeat: bool,
}

impl Limits {
    /// A model's limits.
    pub fn of(config: &ModelConfig) -> Self {
        Self {
            first_byte: config.first_byte_timeout,
            stream_idle: config.stream_idle_timeout,
            loading_heartbeat: config.loading_heartbeat,
        }
    }
}

/// How many requests a child has beyond its slots, at least, so that a slot never waits for the
/// next one. Few, for those that are with the child are no longer in turn.
const AHEAD: u32 = 4;

/// How many connections llama-server takes beyond its slots (llama.cpp b11434,
/// tools/server/server-http.cpp).
const CHILD_TAKES: u32 = 1024;

/// The most leases of a model at once: as configured, else as many as it has slots and a few more.
/// Where the slots are unknown the child decides.
pub fn cap(config: &ModelConfig) -> u32 {
    match (config.max_in_flight, config.parallel) {
        (0, 0) => CHILD_TAKES,
        (0, slots) => slots.saturating_add(slots.max(AHEAD)),
        (cap, _) => cap,
    }
}

/// The requests that a model's child takes.
#[derive(Debug, Clone, Copy)]
pub struct Capacity {
    /// The most leases at once.
    pub cap: u32,
    /// The requests that the child works on at once; `None` if unknown.
    pub slots: Option<u32>,
}

impl Capacity {
    /// Returns the capacity of a model's child.
    pub fn of(config: &ModelConfig, mode: Mode) -> Self {
        Self {
            cap: cap(config),
            slots: slots(config, mode),
        }
    }
}

/// The slots that llama-server has unless it is told (llama.cpp b11434, tools/server/server.cpp).
const DEFAULT_SLOTS: u32 = 4;

/// Returns the slots of a model's child; `None` for a router, whose children are its own.
fn slots(config: &ModelConfig, mode: Mode) -> Option<u32> {
    match (mode, config.parallel) {
        (Mode::Wrap { router: true, .. }, _) => None,
        (_, 0) => Some(DEFAULT_SLOTS),
        (_, slots) => Some(slots),
    }
}

/// How the end of a lease reaches the runtime.
#[derive(Debug, Clone)]
pub struct Released {
    /// Where milliseconds count from.
    epoch: Epoch,
    /// It has been told, and has not looked yet.
    told: Arc<AtomicBool>,
    to: mpsc::Sender<ModelId>,
}

impl Released {
    /// Tells of releases through here. There is at most one message of a model on its way.
    pub fn new(epoch: Epoch, to: mpsc::Sender<ModelId>) -> Self {
        Self {
            epoch,
            told: Arc::default(),
            to,
        }
    }

    /// From here on the next release is told again.
    pub(crate) fn look(&self) {
        self.told.store(false, Ordering::SeqCst);
    }

    fn tell(&self, id: ModelId) {
        if !self.told.swap(true, Ordering::SeqCst) {
            // There is room for every model; a closed channel has nobody left to tell.
            let _ = self.to.try_send(id);
        }
    }
}

impl Model {
    /// A model with a gate of its own.
    pub fn new(
        id: ModelId,
        name: String,
        Capacity { cap, slots }: Capacity,
        limits: Limits,
        released: Released,
    ) -> Self {
        Self {
            id,
            name,
            cap,
            slots,
            limits,
            slot_queue: Arc::default(),
            gate: Arc::default(),
            endpoint: Arc::new(watch::Sender::new(None)),
            exit: Arc::new(watch::Sender::new(None)),
            stalls: StallTracker::default(),
            inference_errors: InferenceErrors::default(),
            released,
        }
    }

    /// The same model with other limits. Leases of both pass one gate.
    #[must_use]
    pub fn with(&self, Capacity { cap, slots }: Capacity, limits: Limits) -> Self {
        Self {
            id: self.id,
            name: self.name.clone(),
            cap,
            slots,
            limits,
            slot_queue: Arc::clone(&self.slot_queue),
            gate: Arc::clone(&self.gate),
            endpoint: Arc::clone(&self.endpoint),
            exit: Arc::clone(&self.exit),
            stalls: self.stalls.clone(),
            inference_errors: self.inference_errors.clone(),
            released: self.released.clone(),
        }
    }

    /// A lease, if the model is warm and has room.
    pub fn try_acquire(self: &Arc<Self>) -> Option<Lease> {
        let generation = self.gate.try_acquire(self.cap)?;
        Some(self.lease(generation))
    }

    /// A lease that the gate has counted already.
    pub fn lease(self: &Arc<Self>, generation: Generation) -> Lease {
        Lease {
            model: Arc::clone(self),
            generation,
            is_use: true,
            takes_slot: false,
        }
    }

    /// Waits until the child of this generation has exited, and returns the cause.
    pub async fn exited(&self, generation: Generation) -> Option<Arc<str>> {
        let mut exits = self.exit.subscribe();
        let is_over = |exit: &Option<ChildExit>| {
            exit.as_ref()
                .is_some_and(|exit| exit.generation >= generation)
        };
        let exit = exits.wait_for(is_over).await.ok()?;
        let exit = exit.as_ref()?;
        (exit.generation == generation).then(|| Arc::clone(&exit.message))
    }

    /// Returns the requests that wait inside the child for a slot, by estimate.
    pub fn waiting_in_engine(&self) -> Option<WaitingInEngine> {
        let slots = self.slots?;
        Some(self.slot_queue.waiting(slots, Instant::now()))
    }

    /// Takes note that a release was told of.
    pub fn look(&self) {
        self.released.look();
    }
}

/// Proof that one request may go to a model. It ends when this is dropped, however the exchange
/// ends.
#[derive(Debug)]
pub struct Lease {
    model: Arc<Model>,
    /// Generation of the child.
    pub generation: Generation,
    /// The request counts as use of the model.
    is_use: bool,
    /// The request is counted in the model's [`SlotQueue`].
    takes_slot: bool,
}

impl Lease {
    /// Returns the same lease for a request that does not count as use of the model.
    #[must_use]
    pub fn without_use(mut self) -> Self {
        self.is_use = false;
        self
    }

    /// Counts the request as one that takes a slot of the child, if the number of its slots is known.
    pub fn take_slot(&mut self) -> Option<SlotTicket> {
        let slots = self.model.slots?;
        self.takes_slot = true;
        Some(self.model.slot_queue.start(slots, Instant::now()))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let now = Instant::now();
        if self.takes_slot {
            self.model.slot_queue.end(now);
        }
        let gate = &self.model.gate;
        let is_awaited = if self.is_use {
            let now = self.model.released.epoch.stamp(now.into_std());
            gate.release(now)
        } else {
            gate.release_unused();
            true
        };
        if is_awaited {
            self.model.released.tell(self.model.id);
        }
    }
}
