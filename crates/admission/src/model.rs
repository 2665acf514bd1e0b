//! A model as the request path sees it: the address of its child (the `llama-server` process), its limits, its gate,
//! and the leases on it.
//!
//! A lease is the permission to send one request to a loaded model, which keeps the model in memory. The gate, one
//! atomic word, grants leases while the model is loaded, no request is queued for it, and fewer than `cap` leases are
//! held. A generation is the number of a start of the model's child.

use crate::recent_answers::RecentAnswers;
use crate::slot_queue::{SlotQueue, SlotTicket, WaitingInEngine};
use paddock_config::{Mode, Model as ModelConfig};
use paddock_scheduler::{Epoch, Gate, Generation, ModelId};
use paddock_supervisor::{Address, ChildProcesses, InferenceErrors, StallTracker};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// Address of a child.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Generation of the child.
    pub generation: Generation,
    /// Address at which the child listens.
    pub address: Address,
    /// The processes that may answer there, if that is known.
    pub processes: Option<ChildProcesses>,
    /// True if paddock saves and restores the child's slots; clients then must not.
    pub keeps_contexts: bool,
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
    /// Maximum number of leases at once.
    pub(crate) cap: u32,
    /// Number of slots (requests that the child processes at the same time); `None` if unknown.
    slots: Option<u32>,
    /// Time limits of exchanges (a request and its response) with the child.
    pub limits: ExchangeLimits,
    /// The requests that take a slot of the child; kept across reloads.
    slot_queue: Arc<SlotQueue>,
    /// Grants and counts leases.
    pub gate: Arc<Gate>,
    /// The newest endpoint. The runtime writes it before it grants a lease of the same generation.
    pub endpoint: Arc<watch::Sender<Option<Endpoint>>>,
    /// The newest exit of a child. The runtime writes it once the gate is shut.
    pub exit: Arc<watch::Sender<Option<ChildExit>>>,
    /// Stalls that requests observe in the child.
    pub stalls: StallTracker,
    /// Server errors of the child on inference routes.
    pub inference_errors: InferenceErrors,
    /// Token counts of the latest answers; kept across reloads.
    pub answers: Arc<RecentAnswers>,
    /// Notifies the runtime when a lease ends.
    releases: ReleaseNotifier,
}

/// Time limits of an exchange, and the heartbeat that its client gets while it waits.
#[derive(Debug, Clone, Copy)]
pub struct ExchangeLimits {
    /// Maximum time between the request's last byte and the response's first.
    pub first_byte: Duration,
    /// Maximum time between two reads of a response.
    pub stream_idle: Duration,
    /// Sends SSE comments to streaming clients that wait for a load or a lease.
    pub loading_heartbeat: bool,
}

impl ExchangeLimits {
    /// Returns the limits of a configured model.
    pub fn from_config(config: &ModelConfig) -> Self {
        Self {
            first_byte: config.first_byte_timeout,
            stream_idle: config.stream_idle_timeout,
            loading_heartbeat: config.loading_heartbeat,
        }
    }
}

/// Minimum number of requests that a child has beyond its slots, so that no slot waits for its next request.
/// Small, because paddock no longer orders the requests that the child has.
const MIN_QUEUED_IN_CHILD: u32 = 4;

/// Number of connections that llama-server accepts beyond its slots (llama.cpp b11434,
/// tools/server/server-http.cpp).
const MAX_QUEUED_IN_CHILD: u32 = 1024;

/// Returns the maximum number of leases of a model: `max_in_flight`, else its slots and a few more, else what the
/// child accepts.
pub fn lease_cap(config: &ModelConfig) -> u32 {
    match (config.max_in_flight, config.parallel) {
        (0, 0) => MAX_QUEUED_IN_CHILD,
        (0, slots) => slots.saturating_add(slots.max(MIN_QUEUED_IN_CHILD)),
        (cap, _) => cap,
    }
}

/// The requests that a model's child takes.
#[derive(Debug, Clone, Copy)]
pub struct Capacity {
    /// Maximum number of leases at once.
    pub cap: u32,
    /// The requests that the child works on at once; `None` if unknown.
    pub slots: Option<u32>,
}

impl Capacity {
    /// Returns the capacity of a model's child.
    pub fn from_config(config: &ModelConfig, mode: Mode) -> Self {
        Self {
            cap: lease_cap(config),
            slots: slot_count(config, mode),
        }
    }
}

/// Slots of llama-server without `--parallel` (llama.cpp b11434, tools/server/server.cpp).
const DEFAULT_SLOTS: u32 = 4;

/// Returns the slots of a model's child; `None` for a router, whose children are its own.
fn slot_count(config: &ModelConfig, mode: Mode) -> Option<u32> {
    match (mode, config.parallel) {
        (Mode::Wrap { router: true, .. }, _) => None,
        (_, 0) => Some(DEFAULT_SLOTS),
        (_, slots) => Some(slots),
    }
}

/// Notifies the runtime that a lease has ended.
#[derive(Debug, Clone)]
pub struct ReleaseNotifier {
    /// Origin of the timestamps in the gate.
    epoch: Epoch,
    /// A notification is on its way, and the runtime has not handled it yet.
    is_notified: Arc<AtomicBool>,
    sender: mpsc::Sender<ModelId>,
}

impl ReleaseNotifier {
    /// Creates a notifier that sends to `sender`, with at most one message of a model on its way.
    pub fn new(epoch: Epoch, sender: mpsc::Sender<ModelId>) -> Self {
        Self {
            epoch,
            is_notified: Arc::default(),
            sender,
        }
    }

    /// Lets the next release send a notification again.
    pub(crate) fn rearm(&self) {
        self.is_notified.store(false, Ordering::SeqCst);
    }

    fn notify(&self, id: ModelId) {
        if !self.is_notified.swap(true, Ordering::SeqCst) {
            // The channel has room for every model; it is closed only once the runtime has ended.
            let _ = self.sender.try_send(id);
        }
    }
}

impl Model {
    /// Creates a model with a gate of its own.
    pub fn new(
        id: ModelId,
        name: String,
        Capacity { cap, slots }: Capacity,
        limits: ExchangeLimits,
        releases: ReleaseNotifier,
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
            answers: Arc::default(),
            releases,
        }
    }

    /// Returns the same model with other limits. Leases of both pass one gate.
    #[must_use]
    pub fn with_limits(&self, Capacity { cap, slots }: Capacity, limits: ExchangeLimits) -> Self {
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
            answers: Arc::clone(&self.answers),
            releases: self.releases.clone(),
        }
    }

    /// Takes a lease if the model is warm and has room.
    pub fn try_acquire(self: &Arc<Self>) -> Option<Lease> {
        let generation = self.gate.try_acquire(self.cap)?;
        Some(self.lease(generation))
    }

    /// Returns a lease that the gate has already counted.
    pub fn lease(self: &Arc<Self>, generation: Generation) -> Lease {
        Lease {
            model: Arc::clone(self),
            generation,
            is_use: true,
            takes_slot: false,
        }
    }

    /// Waits until the child of this generation has exited, and returns the cause.
    pub async fn wait_for_exit(&self, generation: Generation) -> Option<Arc<str>> {
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

    /// Confirms the notification of a release: the next one is sent again.
    pub fn rearm_release(&self) {
        self.releases.rearm();
    }
}

/// Permission for one request to use a model. Dropping the lease releases it, however the exchange ends.
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

    /// Counts the request as one that takes a slot of the child from `now` on, if the number of slots is known.
    pub fn take_slot(&mut self, now: Instant) -> Option<SlotTicket> {
        let slots = self.model.slots?;
        self.takes_slot = true;
        Some(self.model.slot_queue.start(slots, now))
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
            let now = self.model.releases.epoch.stamp(now.into_std());
            gate.release(now)
        } else {
            gate.release_unused();
            true
        };
        if is_awaited {
            self.model.releases.notify(self.model.id);
        }
    }
}
