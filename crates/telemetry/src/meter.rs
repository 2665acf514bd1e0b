use super::{Batch, Counts, Row, Spans, Trace};
use paddock_admission::catalog::Catalog;
use paddock_scheduler::ModelId;
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep};

/// How long rows are gathered before they are handed over.
const GATHER: Duration = Duration::from_millis(250);

/// The most rows that a worker gathers in that time. More are counted and not listed: whatever comes,
/// writing them down stays a bounded share of the work.
const MOST: usize = 128;

/// The most refusals of requests without a key that it gathers besides. Anybody can cause them at any rate:
/// they are not to displace what others ask, nor to fill the list.
const MAX_ANONYMOUS_REFUSALS: usize = 8;

/// The most bytes of an id that are kept.
pub const ID: usize = 128;

/// What models are called, each in its place; those that are no longer there keep theirs.
pub type Names = Arc<[Option<Arc<str>>]>;

/// What a worker has counted, and its rows until they are handed over. It never leaves its thread.
#[derive(Debug)]
pub struct Meter {
    counts: RefCell<Counts>,
    rows: RefCell<Vec<(Row, usize)>>,
    /// The number of these that are refusals of requests without a key.
    anonymous: Cell<usize>,
    ids: RefCell<Vec<u8>>,
    /// The traces of those rows that have one, by their places.
    traces: RefCell<Vec<(usize, Trace)>>,
    names: RefCell<Names>,
    /// There is a row to hand over, and [`Self::hand_over`] knows.
    first: Notify,
    /// How many rows there were the last time.
    last: Cell<usize>,
    to: Option<mpsc::Sender<Arc<Batch>>>,
    spans: Option<Spans>,
}

impl Meter {
    /// Hands rows over to someone who lists them, and those that have a trace to someone who sends it on,
    /// if there is someone.
    pub fn new(to: Option<mpsc::Sender<Arc<Batch>>>, spans: Option<Spans>) -> Self {
        // Traces of many machines meet: their names are to differ.
        if let Ok(seed) = getrandom::u64() {
            fastrand::seed(seed);
        }
        Self {
            counts: RefCell::default(),
            rows: RefCell::default(),
            anonymous: Cell::new(0),
            ids: RefCell::default(),
            traces: RefCell::default(),
            names: RefCell::new(Arc::new([])),
            first: Notify::new(),
            last: Cell::new(0),
            to,
            spans,
        }
    }

    /// Takes note of what models are called.
    pub fn learn_names(&self, catalog: &Catalog) {
        let mut names = self.names.borrow().to_vec();
        for model in catalog.models() {
            let ModelId(place) = model.id;
            if names.len() <= place {
                names.resize(place + 1, None);
            }
            if let Some(name) = names.get_mut(place) {
                *name = Some(model.name.as_str().into());
            }
        }
        *self.names.borrow_mut() = names.into();
    }

    /// Whether somebody takes traces.
    pub(super) fn traces(&self) -> bool {
        self.spans.as_ref().is_some_and(Spans::are_wanted)
    }

    /// Takes a request that has ended, and its trace. What is asked of paddock itself is not `listed`.
    pub(super) fn take(&self, row: Row, id: &[u8], trace: &mut Option<Trace>, listed: bool) {
        let mut counts = self.counts.borrow_mut();
        counts.add(&row);
        if !listed || self.to.is_none() {
            return;
        }
        let mut rows = self.rows.borrow_mut();
        if !self.has_room_for(&row, rows.len()) {
            counts.dropped += 1;
            if let (Some(spans), Some(trace)) = (&self.spans, trace) {
                spans.lose(trace.spans(&row));
            }
            return;
        }
        if rows.is_empty() {
            // As many as the last time, so that they are seldom moved.
            rows.reserve(self.last.get());
            self.first.notify_one();
        }
        let mut ids = self.ids.borrow_mut();
        ids.extend_from_slice(id.get(..ID).unwrap_or(id));
        if let Some(trace) = trace.take() {
            let mut traces = self.traces.borrow_mut();
            if traces.is_empty() {
                traces.reserve(self.last.get());
            }
            traces.push((rows.len(), trace));
        }
        rows.push((row, ids.len()));
    }

    /// Returns whether one more row has room beside those that are there. Takes the room.
    fn has_room_for(&self, row: &Row, rows: usize) -> bool {
        let anonymous = self.anonymous.get();
        if !row.is_anonymous_refusal() {
            return rows - anonymous < MOST;
        }
        let has_room = anonymous < MAX_ANONYMOUS_REFUSALS;
        self.anonymous.set(anonymous + usize::from(has_room));
        has_room
    }

    /// A copy of what has been counted, and what the models are called.
    pub fn counts(&self) -> (Counts, Names) {
        (self.counts.borrow().clone(), self.names.borrow().clone())
    }

    /// What the models are called.
    pub fn names(&self) -> Names {
        self.names.borrow().clone()
    }

    /// Hands rows over for as long as it runs. Where there are none, nothing wakes it.
    pub async fn hand_over(&self) {
        loop {
            self.first.notified().await;
            sleep(GATHER).await;
            self.flush();
        }
    }

    /// Hands over what there is.
    fn flush(&self) {
        let rows = self.rows.take();
        if rows.is_empty() {
            return;
        }
        let ids = self.ids.take();
        self.anonymous.set(0);
        self.last.set(rows.len());
        self.ids.borrow_mut().reserve(ids.len());
        let batch = Arc::new(Batch {
            rows,
            ids,
            traces: self.traces.take(),
            names: self.names.borrow().clone(),
            clocks: (Instant::now(), SystemTime::now()),
        });
        if let Some(spans) = &self.spans {
            spans.offer(&batch);
        }
        // Nobody there is nobody who would list them.
        if let Some(Err(mpsc::error::TrySendError::Full(batch))) =
            self.to.as_ref().map(|to| to.try_send(batch))
        {
            self.counts.borrow_mut().dropped += batch.len() as u64;
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::super::Outcome;
    use super::super::row::tests::row;
    use super::*;

    #[test]
    fn refusals_without_a_key_have_a_small_share_of_their_own() {
        let (to, mut batches) = mpsc::channel(4);
        let meter = Meter::new(Some(to), None);
        let refusal = Row {
            model: None,
            status: Some(401),
            outcome: Outcome::Refused,
            ..row()
        };
        let take = |row: &Row, count: usize| {
            (0..count).for_each(|_| meter.take(row.clone(), b"", &mut None, true));
        };
        for _ in 0..2 {
            take(&refusal, 1000);
            take(&row(), MOST - 1);
            take(&refusal, 1000);
            take(&row(), 3);
            meter.flush();
            let batch = batches.try_recv().unwrap();
            let refused = batch.rows().filter(|(row, _)| row.is_anonymous_refusal());
            assert_eq!(refused.count(), MAX_ANONYMOUS_REFUSALS);
            assert_eq!(batch.len(), MOST + MAX_ANONYMOUS_REFUSALS, "each other one");
        }
        let dropped = 2 * (2000 - MAX_ANONYMOUS_REFUSALS + 2);
        assert_eq!(meter.counts().0.dropped, dropped as u64, "all are counted");
    }
}
