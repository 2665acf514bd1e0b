use super::at_hand::AllAtHand;
use super::buffer::Pool;
use super::client::Card;
use super::own::OwnRoutes;
use super::request_id::RequestIds;
use super::upstreams::Upstreams;
use paddock_admission::admission::AdmissionHandle;
use paddock_admission::catalog::Catalog;
use paddock_admission::phase::ServicePhase;
use paddock_telemetry::{Meter, RecordBatch, SpanSender};
use std::cell::{Cell, Ref, RefCell};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// What all workers share: what is served.
#[derive(Debug)]
pub struct Site {
    /// The largest request body, in bytes.
    pub body_limit: u64,
    /// The most idle connections to children that a worker keeps.
    pub max_idle_upstreams: usize,
    /// Queue for requests that cannot pass their model's gate.
    pub admission: AdmissionHandle,
    /// paddock's own routes; none where every request is the model's.
    pub own: Option<OwnRoutes>,
    /// Who lists the requests that have ended.
    pub rows: Option<mpsc::Sender<Arc<RecordBatch>>>,
    /// Who sends their traces on.
    pub spans: Option<SpanSender>,
}

impl Site {
    pub(super) fn body_limit_bytes(&self) -> usize {
        usize::try_from(self.body_limit).unwrap_or(usize::MAX)
    }
}

/// What a worker's connections share. It never leaves its thread.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) site: Arc<Site>,
    pub(super) pool: Pool,
    pub(super) upstreams: Upstreams,
    pub(super) ids: RequestIds,
    pub(super) meter: Rc<Meter>,
    /// For heads that are being edited.
    pub(super) scratch: RefCell<Vec<u8>>,
    /// Bytes of bodies that are held.
    pub(super) held: Cell<usize>,
    /// The models there are.
    catalog: RefCell<Arc<Catalog>>,
    /// Its connections' requests, for those who look for one.
    cards: RefCell<Vec<Weak<Card>>>,
    phase: Cell<ServicePhase>,
    /// The same as the runtime says it, which the worker may not have heard yet.
    newest: watch::Receiver<ServicePhase>,
}

/// The most idle connections that are closed at once to make room.
const MAX_CLOSED: usize = 32;

/// How many connections come before those that are gone are forgotten.
const FORGET: usize = 64;

impl Worker {
    pub(super) fn new(
        site: Arc<Site>,
        catalog: Arc<Catalog>,
        newest: watch::Receiver<ServicePhase>,
    ) -> Self {
        let meter = Meter::new(site.rows.clone(), site.spans.clone());
        meter.update_names(&catalog);
        Self {
            pool: Pool::default(),
            upstreams: Upstreams::new(site.max_idle_upstreams),
            site,
            ids: RequestIds::new(),
            meter: Rc::new(meter),
            scratch: RefCell::default(),
            held: Cell::new(0),
            catalog: RefCell::new(catalog),
            cards: RefCell::default(),
            phase: Cell::new(ServicePhase::Serving),
            newest,
        }
    }

    pub(super) fn phase(&self) -> ServicePhase {
        self.phase.get()
    }

    /// What is in flight is to end. That is said before a child is killed for it, so whoever sees the
    /// child's end knows here why.
    pub(super) fn is_cut(&self) -> bool {
        *self.newest.borrow() == ServicePhase::Cut
    }

    /// The models there are.
    pub(super) fn catalog(&self) -> Ref<'_, Catalog> {
        Ref::map(self.catalog.borrow(), AsRef::as_ref)
    }

    /// Returns whether paddock answers preflights itself: not in front of a wrapped command, unless keys protect
    /// it, which no preflight shows.
    pub(super) fn answers_preflights(&self) -> bool {
        self.site.own.is_some() || !self.catalog().keys().is_empty()
    }

    /// Goes on with other models.
    pub(super) fn set_catalog(&self, catalog: Arc<Catalog>) {
        self.meter.update_names(&catalog);
        *self.catalog.borrow_mut() = catalog;
    }

    /// Closes idle connections to children that are to stop.
    pub(super) fn hang_up(&self) {
        self.upstreams.hang_up(&self.catalog());
    }

    /// Takes note of a connection.
    pub(super) fn register(&self, card: &Rc<Card>) {
        let mut cards = self.cards.borrow_mut();
        if cards.len() >= FORGET && cards.len() == cards.capacity() {
            cards.retain(|card| card.strong_count() > 0);
        }
        cards.push(Rc::downgrade(card));
    }

    /// Has some of the connections close that have waited longest for a request: an eighth of them, so that
    /// not every new connection has to ask. Returns how many.
    pub(super) fn close_idle(&self) -> usize {
        let cards = self.cards.borrow();
        let live = cards.iter().filter_map(Weak::upgrade);
        let mut idle: Vec<(Instant, Rc<Card>)> = live
            .filter_map(|card| Some((card.idle_since()?, card)))
            .collect();
        if idle.is_empty() {
            return 0;
        }
        let count = (idle.len() / 8).clamp(1, MAX_CLOSED);
        idle.select_nth_unstable_by_key(count - 1, |(since, _)| *since);
        idle.truncate(count);
        for (_, card) in &idle {
            card.close_if_idle();
        }
        count
    }

    /// Ends the requests of a name. Whether there were any.
    pub(super) fn cancel(&self, name: &[u8]) -> bool {
        let line = [b"x-request-id: ", name, b"\r\n"].concat();
        let cards = self.cards.borrow();
        let live = cards.iter().filter_map(Weak::upgrade);
        live.filter(|card| card.cancel(&line)).count() > 0
    }

    /// The oldest requests at hand, up to so many.
    pub(super) fn at_hand(&self, most: usize) -> AllAtHand {
        let cards = self.cards.borrow();
        let live = cards.iter().filter_map(Weak::upgrade);
        let busy = live.filter_map(|card| Some((card.since()?, card)));
        let mut busy: Vec<(Instant, Rc<Card>)> = busy.collect();
        let total = busy.len();
        if total > most {
            busy.select_nth_unstable_by_key(most, |(since, _)| *since);
            busy.truncate(most);
        }
        busy.sort_by_key(|(since, _)| *since);
        let names = self.meter.names();
        let oldest = busy.iter().filter_map(|(_, card)| card.at_hand(&names));
        AllAtHand {
            oldest: oldest.collect(),
            total,
        }
    }

    /// Takes note of a new phase. A child that is to stop waits for its connections to close
    /// (llama.cpp b11434, httplib's `Server::stop`), so idle ones are closed at once.
    pub(super) fn set_phase(&self, phase: ServicePhase) {
        self.phase.set(phase);
        if phase != ServicePhase::Serving {
            self.upstreams.clear();
        }
        for card in self.cards.borrow().iter().filter_map(Weak::upgrade) {
            card.wake();
        }
    }
}
