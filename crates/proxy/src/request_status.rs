//! Status of a connection's request, which other tasks of its worker read to list it, to cancel it, and to
//! close idle connections.

use super::active_requests::RequestStage;
use paddock_admission::keys::Key;
use paddock_admission::slot_queue::{EngineWait, SlotTicket};
use paddock_scheduler::ModelId;
use paddock_telemetry::Route;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Waker};
use tokio::time::Instant;

/// Status of a connection and its current request.
#[derive(Debug, Default)]
pub(super) struct RequestStatus {
    /// `x-request-id` field line of the request.
    pub(super) id_line: RefCell<Vec<u8>>,
    /// An operator has cancelled the request.
    pub(super) cancelled: Cell<bool>,
    /// Time of the request's first byte, and its route; None without a request.
    pub(super) since_and_route: Cell<Option<(Instant, Route)>>,
    pub(super) model: Cell<Option<ModelId>>,
    pub(super) key: RefCell<Option<Arc<Key>>>,
    pub(super) stage: Cell<RequestStage>,
    /// Time that the request waits inside llama-server for a slot.
    pub(super) engine_wait: Rc<RefCell<EngineWait>>,
    /// Time when the last request ended, or the connection began.
    idle_since: Cell<Option<Instant>>,
    /// The connection should close, if it is still idle, so that a new one fits within the connection limit.
    must_yield: Cell<bool>,
    /// Wakes the connection's task.
    waker: RefCell<Option<Waker>>,
}

impl RequestStatus {
    /// Begins a request. `name` is the request's `x-request-id` field line.
    pub(super) fn begin(&self, name: &[u8]) {
        self.cancelled.set(false);
        let mut own = self.id_line.borrow_mut();
        own.clear();
        own.extend_from_slice(name);
    }

    /// Ends the current request.
    pub(super) fn end(&self, now: Instant) {
        self.idle_since.set(Some(now));
        self.id_line.borrow_mut().clear();
        self.since_and_route.set(None);
        self.key.take();
        self.engine_wait.take();
    }

    /// Sets the request's route, and the time of its first byte.
    pub(super) fn set_route(&self, since: Instant, route: Route) {
        self.since_and_route.set(Some((since, route)));
        self.must_yield.set(false);
        self.model.set(None);
        self.stage.set(RequestStage::Waiting);
        self.engine_wait.take();
    }

    /// Sets the request's API key.
    pub(super) fn set_key(&self, key: &Arc<Key>) {
        self.key.replace(Some(Arc::clone(key)));
    }

    /// Sets the request's model.
    pub(super) fn set_model(&self, model: ModelId) {
        self.model.set(Some(model));
    }

    /// Returns the model of the request, once it is known.
    pub(super) fn model(&self) -> Option<ModelId> {
        self.model.get()
    }

    /// Sets the request's stage.
    pub(super) fn set_stage(&self, stage: RequestStage) {
        self.stage.set(stage);
    }

    /// Returns the request's route.
    pub(super) fn route(&self) -> Route {
        self.since_and_route
            .get()
            .map_or(Route::Other, |(_, route)| route)
    }

    /// Notes that the request goes to a child, where it may wait for a slot.
    pub(super) fn set_slot_ticket(&self, ticket: SlotTicket) {
        self.engine_wait.borrow_mut().begin(ticket);
    }

    /// Notes that the response has begun.
    pub(super) fn response_started(&self, now: Instant) {
        self.stage.set(RequestStage::Streaming);
        self.engine_wait.borrow_mut().settle(now);
    }

    /// Returns when the request began, if there is one.
    pub(super) fn since(&self) -> Option<Instant> {
        self.since_and_route.get().map(|(since, _)| since)
    }

    /// Returns since when the connection has been idle; `None` if it is busy or about to close.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        let is_idle = self.since_and_route.get().is_none() && !self.must_yield.get();
        self.idle_since.get().filter(|_| is_idle)
    }

    /// Closes the connection, unless a request has come meanwhile.
    pub(super) fn close_if_idle(&self) {
        self.must_yield.set(true);
        self.wake();
    }

    /// Returns true if others need the connection's permit.
    pub(super) fn must_yield(&self) -> bool {
        self.must_yield.get()
    }

    /// Keeps the connection although others need its permit.
    pub(super) fn keep_open(&self) {
        self.must_yield.set(false);
    }

    /// Registers the task to be woken when the worker's phase changes or the request is cancelled.
    pub(super) fn register_waker(&self, cx: &Context<'_>) {
        let mut task = self.waker.borrow_mut();
        match &mut *task {
            Some(task) => task.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
    }

    /// Wakes the connection's task.
    pub(super) fn wake(&self) {
        if let Some(task) = &*self.waker.borrow() {
            task.wake_by_ref();
        }
    }
}
