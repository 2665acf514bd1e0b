//! Counts and records the requests of one worker (a thread that serves connections), and hands the records over in
//! batches.

use super::{RecordBatch, RequestRecord, SpanSender, Trace, WorkerCounts};
use paddock_admission::catalog::Catalog;
use paddock_scheduler::ModelId;
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep};

/// Time that records are gathered before they are handed over.
const FLUSH_INTERVAL: Duration = Duration::from_millis(250);

/// Maximum records that a worker gathers in that time. The rest is counted but not logged, so that logging
/// stays a bounded share of the work.
const MAX_BATCH_RECORDS: usize = 128;

/// Maximum refusals of requests without an API key, in addition to the other records. Any client can cause them, so
/// they must not displace other records or fill the log.
const MAX_ANONYMOUS_REFUSALS: usize = 8;

/// Maximum bytes kept of a request id.
pub const MAX_REQUEST_ID_BYTES: usize = 128;

/// Names of models by index. An index is never used again, so a removed model keeps its entry.
pub type ModelNames = Arc<[Option<Arc<str>>]>;

/// A worker's counts, and its records until they are handed over. Never leaves the worker's thread.
#[derive(Debug)]
pub struct Meter {
    counts: RefCell<WorkerCounts>,
    /// The records of the current batch, each with the end of its request id in `ids`.
    records: RefCell<Vec<(RequestRecord, usize)>>,
    /// Number of anonymous refusals among `records`.
    anonymous_refusals: Cell<usize>,
    /// The request ids of `records`, concatenated.
    ids: RefCell<Vec<u8>>,
    /// Traces, each with the index of its record in `records`.
    traces: RefCell<Vec<(usize, Trace)>>,
    names: RefCell<ModelNames>,
    /// Wakes [`Self::hand_over`] when the first record of a batch is added.
    has_records: Notify,
    /// Length of the last batch, used to size the next.
    last_batch_len: Cell<usize>,
    /// Receiver of all records: the activity log.
    to: Option<mpsc::Sender<Arc<RecordBatch>>>,
    /// Receiver of traced requests: the OTLP exporter.
    spans: Option<SpanSender>,
}

impl Meter {
    /// Creates a meter that hands records to the activity log and traced ones to the OTLP exporter, if given.
    pub fn new(to: Option<mpsc::Sender<Arc<RecordBatch>>>, spans: Option<SpanSender>) -> Self {
        // Trace ids of many machines meet in one collector, so they must differ.
        if let Ok(seed) = getrandom::u64() {
            fastrand::seed(seed);
        }
        Self {
            counts: RefCell::default(),
            records: RefCell::default(),
            anonymous_refusals: Cell::new(0),
            ids: RefCell::default(),
            traces: RefCell::default(),
            names: RefCell::new(Arc::new([])),
            has_records: Notify::new(),
            last_batch_len: Cell::new(0),
            to,
            spans,
        }
    }

    /// Updates the model names from the catalog.
    pub fn update_names(&self, catalog: &Catalog) {
        let mut names = self.names.borrow().to_vec();
        for model in catalog.models() {
            let ModelId(index) = model.id;
            if names.len() <= index {
                names.resize(index + 1, None);
            }
            if let Some(name) = names.get_mut(index) {
                *name = Some(model.name.as_str().into());
            }
        }
        *self.names.borrow_mut() = names.into();
    }

    /// Returns true if a collector takes traces.
    pub(super) fn is_tracing(&self) -> bool {
        self.spans.as_ref().is_some_and(SpanSender::is_enabled)
    }

    /// Counts an ended request and queues its record and trace. Requests to paddock itself are not `logged`.
    pub(super) fn record(
        &self,
        record: RequestRecord,
        id: &[u8],
        trace: &mut Option<Trace>,
        logged: bool,
    ) {
        let mut counts = self.counts.borrow_mut();
        counts.add(&record);
        if !logged || self.to.is_none() {
            return;
        }
        let mut records = self.records.borrow_mut();
        if !self.reserve_room(&record, records.len()) {
            counts.dropped += 1;
            if let (Some(spans), Some(trace)) = (&self.spans, trace) {
                spans.count_lost(trace.span_count(&record));
            }
            return;
        }
        if records.is_empty() {
            // Sized like the last batch, to avoid growing.
            records.reserve(self.last_batch_len.get());
            self.has_records.notify_one();
        }
        let mut ids = self.ids.borrow_mut();
        ids.extend_from_slice(id.get(..MAX_REQUEST_ID_BYTES).unwrap_or(id));
        if let Some(trace) = trace.take() {
            let mut traces = self.traces.borrow_mut();
            if traces.is_empty() {
                traces.reserve(self.last_batch_len.get());
            }
            traces.push((records.len(), trace));
        }
        records.push((record, ids.len()));
    }

    /// Returns true if the batch has room for one more record, and takes the room.
    fn reserve_room(&self, record: &RequestRecord, records: usize) -> bool {
        let anonymous = self.anonymous_refusals.get();
        if !record.is_anonymous_refusal() {
            return records - anonymous < MAX_BATCH_RECORDS;
        }
        let has_room = anonymous < MAX_ANONYMOUS_REFUSALS;
        self.anonymous_refusals
            .set(anonymous + usize::from(has_room));
        has_room
    }

    /// Returns a copy of the counts, and the model names.
    pub fn counts(&self) -> (WorkerCounts, ModelNames) {
        (self.counts.borrow().clone(), self.names.borrow().clone())
    }

    /// Returns the model names.
    pub fn names(&self) -> ModelNames {
        self.names.borrow().clone()
    }

    /// Hands batches over until dropped. Sleeps while there are no records.
    pub async fn hand_over(&self) {
        loop {
            self.has_records.notified().await;
            sleep(FLUSH_INTERVAL).await;
            self.flush();
        }
    }

    /// Hands over the current batch.
    fn flush(&self) {
        let records = self.records.take();
        if records.is_empty() {
            return;
        }
        let ids = self.ids.take();
        self.anonymous_refusals.set(0);
        self.last_batch_len.set(records.len());
        self.ids.borrow_mut().reserve(ids.len());
        let batch = Arc::new(RecordBatch {
            records,
            ids,
            traces: self.traces.take(),
            names: self.names.borrow().clone(),
            clocks: (Instant::now(), SystemTime::now()),
        });
        if let Some(spans) = &self.spans {
            spans.offer(&batch);
        }
        // The receiver is gone only if nothing logs records; dropping them is fine.
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
    use super::super::request_record::tests::sample_record;
    use super::*;

    #[test]
    fn refusals_without_a_key_have_a_small_share_of_their_own() {
        let (to, mut batches) = mpsc::channel(4);
        let meter = Meter::new(Some(to), None);
        let refusal = RequestRecord {
            model: None,
            status: Some(401),
            outcome: Outcome::Refused,
            ..sample_record()
        };
        let take = |record: &RequestRecord, count: usize| {
            (0..count).for_each(|_| meter.record(record.clone(), b"", &mut None, true));
        };
        for _ in 0..2 {
            take(&refusal, 1000);
            take(&sample_record(), MAX_BATCH_RECORDS - 1);
            take(&refusal, 1000);
            take(&sample_record(), 3);
            meter.flush();
            let batch = batches.try_recv().unwrap();
            let refused = batch
                .records()
                .filter(|(record, _)| record.is_anonymous_refusal());
            assert_eq!(refused.count(), MAX_ANONYMOUS_REFUSALS);
            assert_eq!(
                batch.len(),
                MAX_BATCH_RECORDS + MAX_ANONYMOUS_REFUSALS,
                "each other one"
            );
        }
        let dropped = 2 * (2000 - MAX_ANONYMOUS_REFUSALS + 2);
        assert_eq!(meter.counts().0.dropped, dropped as u64, "all are counted");
    }
}
