use super::buffer::Pool;
use super::request_id::RequestIds;
use super::upstreams::Upstreams;
use crate::model::Model;
use crate::runtime::{Phase, RuntimeHandle};
use axum::Router;
use paddock_scheduler::ModelId;
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// What all workers share: what is served.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) model: Arc<Model>,
    pub(crate) model_id: ModelId,
    /// The model's names: its own and its aliases.
    pub(crate) names: Vec<String>,
    pub(crate) runtime: RuntimeHandle,
    /// paddock's own routes; none where every request is the model's.
    pub(crate) own: Option<Router>,
}

/// What a worker's connections share. It never leaves its thread.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) site: Arc<Site>,
    pub(super) pool: Pool,
    pub(super) upstreams: Upstreams,
    pub(super) ids: RequestIds,
    /// For heads that are being edited.
    pub(super) scratch: RefCell<Vec<u8>>,
    phase: Cell<Phase>,
    phase_changed: Notify,
}

impl Worker {
    pub(super) fn new(site: Arc<Site>) -> Self {
        Self {
            site,
            pool: Pool::default(),
            upstreams: Upstreams::default(),
            ids: RequestIds::new(),
            scratch: RefCell::default(),
            phase: Cell::new(Phase::Serving),
            phase_changed: Notify::new(),
        }
    }

    pub(super) fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// Takes note of a new phase. A child that is to stop waits for its connections to close
    /// (llama.cpp b11434, httplib's `Server::stop`), so idle ones are closed at once.
    pub(super) fn set_phase(&self, phase: Phase) {
        self.phase.set(phase);
        if phase != Phase::Serving {
            self.upstreams.clear();
        }
        self.phase_changed.notify_waiters();
    }

    /// Completes at the next change of phase.
    pub(super) fn phase_changed(&self) -> Notified<'_> {
        self.phase_changed.notified()
    }
}
