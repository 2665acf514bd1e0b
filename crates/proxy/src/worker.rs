//! The state that the connections of one worker thread share.

pub(crate) mod command;
pub(crate) mod handle;
pub(crate) mod threads;

use super::buffer::BufferPool;
use super::own_routes::OwnRoutes;
use super::request_id::RequestIds;
use super::request_status::RequestStatus;
use super::upstream_pool::UpstreamPool;
use paddock_admission::catalog::Catalog;
use paddock_admission::lease_queue::AdmissionHandle;
use paddock_admission::phase::ServicePhase;
use paddock_telemetry::{Meter, RecordBatch, SpanSender};
use std::cell::{Cell, Ref, RefCell};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// Configuration and channels that all workers share.
#[derive(Debug)]
pub struct WorkerContext {
    /// Largest request body, in bytes.
    pub body_limit: u64,
    /// Limit of idle connections to children per worker.
    pub max_idle_upstreams: usize,
    /// Queue for requests whose model is not loaded or has no free slot.
    pub admission: AdmissionHandle,
    /// paddock's own routes; None if every request is for the model.
    pub own_routes: Option<OwnRoutes>,
    /// Sends the records of ended requests to telemetry; None if no records are kept.
    pub rows: Option<mpsc::Sender<Arc<RecordBatch>>>,
    /// Sends the traces of ended requests to the exporter; None without one.
    pub spans: Option<SpanSender>,
}

impl WorkerContext {
    pub(crate) fn body_limit_bytes(&self) -> usize {
        usize::try_from(self.body_limit).unwrap_or(usize::MAX)
    }
}

/// State that the connections of a worker share. Never leaves its thread.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) context: Arc<WorkerContext>,
    pub(crate) pool: BufferPool,
    pub(crate) upstreams: UpstreamPool,
    pub(crate) ids: RequestIds,
    pub(crate) meter: Rc<Meter>,
    /// Scratch buffer for edited heads.
    pub(crate) scratch: RefCell<Vec<u8>>,
    /// Current models, keys and rules for web pages.
    catalog: RefCell<Arc<Catalog>>,
    /// Status of each connection, also of some that have closed.
    pub(crate) statuses: RefCell<Vec<Weak<RequestStatus>>>,
    phase: Cell<ServicePhase>,
    /// Phase as the runtime has set it; the worker may not have processed the change yet.
    latest_phase: watch::Receiver<ServicePhase>,
}

/// Most idle connections closed at once to make room.
const MAX_IDLE_CLOSED_AT_ONCE: usize = 32;

/// Number of connections before statuses of closed ones are removed.
const MIN_STATUSES_BEFORE_CLEANUP: usize = 64;

impl Worker {
    pub(crate) fn new(
        context: Arc<WorkerContext>,
        catalog: Arc<Catalog>,
        latest_phase: watch::Receiver<ServicePhase>,
    ) -> Self {
        let meter = Meter::new(context.rows.clone(), context.spans.clone());
        meter.update_names(&catalog);
        Self {
            pool: BufferPool::default(),
            upstreams: UpstreamPool::new(context.max_idle_upstreams),
            context,
            ids: RequestIds::new(),
            meter: Rc::new(meter),
            scratch: RefCell::default(),
            catalog: RefCell::new(catalog),
            statuses: RefCell::default(),
            phase: Cell::new(ServicePhase::Serving),
            latest_phase,
        }
    }

    pub(crate) fn phase(&self) -> ServicePhase {
        self.phase.get()
    }

    /// Returns true if everything in flight is to end. The runtime sets this phase before it kills a child, so
    /// that the connection's task can tell why the child ended.
    pub(crate) fn is_cut(&self) -> bool {
        *self.latest_phase.borrow() == ServicePhase::Cut
    }

    /// Returns the current catalog.
    pub(crate) fn catalog(&self) -> Ref<'_, Catalog> {
        Ref::map(self.catalog.borrow(), AsRef::as_ref)
    }

    /// Returns true if paddock answers preflights itself: not in front of a wrapped command, unless keys
    /// protect it, as a preflight has no key.
    pub(crate) fn can_answer_preflights(&self) -> bool {
        self.context.own_routes.is_some() || !self.catalog().keys().is_empty()
    }

    /// Replaces the catalog.
    pub(crate) fn set_catalog(&self, catalog: Arc<Catalog>) {
        self.meter.update_names(&catalog);
        *self.catalog.borrow_mut() = catalog;
    }

    /// Closes idle connections to children that are stopping.
    pub(crate) fn close_stopping_upstreams(&self) {
        self.upstreams.close_stopping(&self.catalog());
    }

    /// Registers a connection's status.
    pub(crate) fn register(&self, status: &Rc<RequestStatus>) {
        let mut statuses = self.statuses.borrow_mut();
        if statuses.len() >= MIN_STATUSES_BEFORE_CLEANUP && statuses.len() == statuses.capacity() {
            statuses.retain(|status| status.strong_count() > 0);
        }
        statuses.push(Rc::downgrade(status));
    }

    /// Closes the connections that have been idle longest, an eighth of them, so that not every new connection
    /// has to ask. Returns how many.
    pub(crate) fn close_idle(&self) -> usize {
        let statuses = self.statuses.borrow();
        let live = statuses.iter().filter_map(Weak::upgrade);
        let mut idle: Vec<(Instant, Rc<RequestStatus>)> = live
            .filter_map(|status| Some((status.idle_since()?, status)))
            .collect();
        if idle.is_empty() {
            return 0;
        }
        let count = (idle.len() / 8).clamp(1, MAX_IDLE_CLOSED_AT_ONCE);
        idle.select_nth_unstable_by_key(count - 1, |(since, _)| *since);
        idle.truncate(count);
        for (_, status) in &idle {
            status.close_if_idle();
        }
        count
    }

    /// Sets the phase. A stopping child waits for its connections to close (llama.cpp b11434, httplib's
    /// `Server::stop`), so idle ones are closed at once.
    pub(crate) fn set_phase(&self, phase: ServicePhase) {
        self.phase.set(phase);
        if phase != ServicePhase::Serving {
            self.upstreams.clear();
        }
        for status in self.statuses.borrow().iter().filter_map(Weak::upgrade) {
            status.wake();
        }
    }
}
