//! A model as the request path sees it.

use crate::config::Model as ModelConfig;
use paddock_scheduler::{Gate, Generation};
use paddock_supervisor::Address;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// Where a generation of an instance listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) generation: Generation,
    pub(crate) address: Address,
}

/// A configured model: its gate, where its requests go, and how long they may take.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) name: String,
    /// The most leases at once.
    pub(crate) cap: u32,
    pub(crate) limits: Limits,
    pub(crate) gate: Gate,
    /// The newest endpoint. Written by the runtime before it opens the gate to it.
    pub(crate) endpoint: watch::Sender<Option<Endpoint>>,
    /// How many requests wait, for people to see. Written by the runtime alone.
    pub(crate) queued: AtomicUsize,
    /// Told when a lease ends while the gate is shut.
    released: Arc<Notify>,
}

/// How long an exchange may be silent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Between the request's last byte and the answer's first one.
    pub(crate) first_byte: Duration,
    /// Between two pieces of an answer.
    pub(crate) stream_idle: Duration,
    /// The largest request body, in bytes.
    pub(crate) body: u64,
}

/// How many requests a child may queue by itself: llama-server serves so many connections
/// beyond its slots (llama.cpp b11434, tools/server/server-http.cpp).
const CHILD_QUEUE: u32 = 1024;

impl Model {
    pub(crate) fn new(config: &ModelConfig, body_limit: u64, released: Arc<Notify>) -> Self {
        let cap = match config.max_in_flight {
            0 => config.parallel.saturating_add(CHILD_QUEUE),
            cap => cap,
        };
        let limits = Limits {
            first_byte: config.first_byte_timeout,
            stream_idle: config.stream_idle_timeout,
            body: body_limit,
        };
        Self::with(config.id.clone(), cap, limits, released)
    }

    pub(crate) fn with(name: String, cap: u32, limits: Limits, released: Arc<Notify>) -> Self {
        Self {
            name,
            cap,
            limits,
            gate: Gate::default(),
            endpoint: watch::Sender::new(None),
            queued: AtomicUsize::new(0),
            released,
        }
    }

    /// A lease, if the model is warm and has room.
    pub(crate) fn try_acquire(self: &Arc<Self>) -> Option<Lease> {
        let generation = self.gate.try_acquire(self.cap)?;
        Some(Lease {
            model: Arc::clone(self),
            generation,
        })
    }

    /// A lease for a queued request. The runtime's alone.
    pub(crate) fn grant(self: &Arc<Self>) -> Lease {
        Lease {
            model: Arc::clone(self),
            generation: self.gate.grant(),
        }
    }
}

/// Proof that one request may go to a model. It ends when this is dropped, however the exchange
/// ends.
#[derive(Debug)]
pub(crate) struct Lease {
    model: Arc<Model>,
    pub(crate) generation: Generation,
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.model.gate.release() {
            self.model.released.notify_one();
        }
    }
}
