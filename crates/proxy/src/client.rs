use super::at_hand::{AtHand, Stage};
use super::buffer::Buffer;
use super::stream::Stream;
use super::watchdog::Watchdog;
use super::worker::Worker;
use paddock_admission::keys::Key;
use paddock_admission::slots::{EngineWait, SlotTicket};
use paddock_scheduler::ModelId;
use paddock_telemetry::{MAX_REQUEST_ID_BYTES, ModelNames, RequestRecorder, Route};
use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use tokio::time::Instant;

/// A client's side of its connection.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) stream: Stream,
    /// What has come and is not yet used: the start of the next request. Never empty.
    pub(super) ahead: Option<Buffer>,
    /// The `x-request-id` field line of the request at hand.
    pub(super) id_line: Vec<u8>,
    /// The field lines that let the web page which sends the request at hand read an answer; empty without one.
    pub(super) cors_lines: Vec<u8>,
    pub(super) watchdog: Watchdog,
    /// What others may know of the request at hand.
    pub(super) card: Rc<Card>,
    /// What is known of the request at hand.
    pub(super) record: RequestRecorder,
    /// It is this process itself, on behalf of an operator.
    pub(super) inside: bool,
}

/// The request that a connection is busy with, as others of its worker see it.
#[derive(Debug, Default)]
pub(super) struct Card {
    name: RefCell<Vec<u8>>,
    cancelled: Cell<bool>,
    /// When its first byte came, and what it asks for.
    asks: Cell<Option<(Instant, Route)>>,
    model: Cell<Option<ModelId>>,
    key: RefCell<Option<Arc<Key>>>,
    stage: Cell<Stage>,
    engine_wait: RefCell<EngineWait>,
    /// The time when the last request ended, or the connection began.
    idle_since: Cell<Option<Instant>>,
    /// Others need the connection's place.
    unwanted: Cell<bool>,
    /// The connection's task, as far as it has something to wait for.
    task: RefCell<Option<Waker>>,
}

impl Card {
    /// Another request begins.
    pub(super) fn begin(&self, name: &[u8]) {
        self.cancelled.set(false);
        let mut own = self.name.borrow_mut();
        own.clear();
        own.extend_from_slice(name);
    }

    /// There is no request at hand from now on.
    pub(super) fn end(&self, now: Instant) {
        self.idle_since.set(Some(now));
        self.name.borrow_mut().clear();
        self.asks.set(None);
        self.key.take();
        self.engine_wait.take();
    }

    /// The request asks for this; its first byte came at this time.
    pub(super) fn asks(&self, since: Instant, route: Route) {
        self.asks.set(Some((since, route)));
        self.unwanted.set(false);
        self.model.set(None);
        self.stage.set(Stage::Waiting);
        self.engine_wait.take();
    }

    /// It shows this key.
    pub(super) fn for_key(&self, key: &Arc<Key>) {
        self.key.replace(Some(Arc::clone(key)));
    }

    /// It is for this model.
    pub(super) fn for_model(&self, model: ModelId) {
        self.model.set(Some(model));
    }

    /// Returns the model of the request, once it is known.
    pub(super) fn model(&self) -> Option<ModelId> {
        self.model.get()
    }

    /// It has come so far.
    pub(super) fn reaches(&self, stage: Stage) {
        self.stage.set(stage);
    }

    /// Returns what the request asks for.
    pub(super) fn route(&self) -> Route {
        self.asks.get().map_or(Route::Other, |(_, route)| route)
    }

    /// Notes that the request goes to a child, and stands there in line for a slot.
    pub(super) fn takes_slot(&self, ticket: SlotTicket) {
        self.engine_wait.borrow_mut().begin(ticket);
    }

    /// Notes that the answer has begun.
    pub(super) fn answers(&self) {
        self.stage.set(Stage::Streaming);
        self.engine_wait.borrow_mut().settle(Instant::now());
    }

    /// When the request began, if there is one.
    pub(super) fn since(&self) -> Option<Instant> {
        self.asks.get().map(|(since, _)| since)
    }

    /// Since when the connection has had no request; `None` if it has one, or is about to close.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        let is_idle = self.asks.get().is_none() && !self.unwanted.get();
        self.idle_since.get().filter(|_| is_idle)
    }

    /// Has the connection closed unless a request has come meanwhile.
    pub(super) fn close_if_idle(&self) {
        self.unwanted.set(true);
        self.wake();
    }

    /// Returns true if others need the connection's place.
    pub(super) fn is_unwanted(&self) -> bool {
        self.unwanted.get()
    }

    /// Keeps the connection although others need its place.
    pub(super) fn stay(&self) {
        self.unwanted.set(false);
    }

    /// What is known of the request, if there is one.
    pub(super) fn at_hand(&self, names: &ModelNames) -> Option<AtHand> {
        let (since, route) = self.asks.get()?;
        let name = self.name.borrow();
        let id = name.strip_prefix(b"x-request-id: ").unwrap_or_default();
        let id = id.trim_ascii_end();
        let name = |ModelId(place)| names.get(place).cloned().flatten();
        let wait = self.engine_wait.borrow();
        let stage = match self.stage.get() {
            Stage::Waiting if wait.is_waiting() => Stage::WaitingInEngine,
            stage => stage,
        };
        Some(AtHand {
            id: String::from_utf8_lossy(id.get(..MAX_REQUEST_ID_BYTES).unwrap_or(id)).into_owned(),
            model: self.model.get().and_then(name),
            key: self.key.borrow().as_ref().map(|key| Arc::clone(&key.name)),
            route,
            since,
            stage,
            engine_wait: wait.waited(Instant::now()),
        })
    }

    /// Marks the request as cancelled if it has this name. Whether it has.
    pub(super) fn cancel(&self, line: &[u8]) -> bool {
        let is = *self.name.borrow() == line;
        if is {
            self.cancelled.set(true);
            self.wake();
        }
        is
    }

    /// Wakes this task when the worker's phase changes or the request is cancelled.
    pub(super) fn watch(&self, cx: &Context<'_>) {
        let mut task = self.task.borrow_mut();
        match &mut *task {
            Some(task) => task.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
    }

    /// Something has changed that the connection is to look at.
    pub(super) fn wake(&self) {
        if let Some(task) = &*self.task.borrow() {
            task.wake_by_ref();
        }
    }

    /// The operator has cancelled it.
    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.get()
    }
}

/// What becomes of the connection after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    /// The next request may come.
    Next,
    /// It is to be closed, and the client may still be sending.
    Linger,
    /// It is to be closed as it is: the client has left, or must see that the answer broke off.
    Drop,
}

impl Client {
    pub(super) fn new(worker: &Worker, stream: Stream, inside: bool) -> Self {
        let watchdog = Watchdog::new();
        let card = Rc::<Card>::default();
        card.end(watchdog.now());
        Self {
            stream,
            ahead: None,
            id_line: Vec::new(),
            cors_lines: Vec::new(),
            watchdog,
            card,
            record: RequestRecorder::new(Rc::clone(&worker.meter)),
            inside,
        }
    }

    /// Reads what has come into `ahead`. `Ok(0)` is the end; pending also when there is no room
    /// for more.
    pub(super) fn poll_read_ahead(
        &mut self,
        worker: &Worker,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if self.ahead.as_ref().is_some_and(Buffer::is_full) {
            return Poll::Pending;
        }
        Buffer::poll_read(&mut self.ahead, &worker.pool, &mut self.stream, cx)
    }

    /// Ready when the client has closed its side. What it sends meanwhile is kept for later, up
    /// to a buffer's size; beyond that the system holds it back, and its end with it.
    pub(super) fn poll_left(&mut self, worker: &Worker, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            match self.poll_read_ahead(worker, cx) {
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(()),
                Poll::Ready(Ok(_)) => {}
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// What lies behind the first `taken` bytes of a piece is ahead of what comes next.
    pub(super) fn keep_ahead(&mut self, worker: &Worker, piece: &mut Buffer, taken: usize) {
        if let Some(rest) = piece.bytes().get(taken..).filter(|rest| !rest.is_empty()) {
            let mut ahead = worker.pool.take();
            ahead.extend(rest);
            self.ahead = Some(ahead);
            piece.truncate(taken);
        }
    }

    pub(super) fn give_back_ahead(&mut self, worker: &Worker) {
        if let Some(ahead) = self.ahead.take() {
            worker.pool.give(ahead);
        }
    }
}
