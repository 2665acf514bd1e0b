use crate::Batch;
use paddock_config::Collector;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::sync::{mpsc, watch};

/// Where traces and metrics go, and how much of them went nowhere.
#[derive(Debug, Clone)]
pub struct Otlp(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    collector: watch::Sender<Option<Collector>>,
    /// There is a collector: workers read it with each request.
    wanted: AtomicBool,
    /// How many spans nobody took.
    lost: AtomicU64,
}

impl Otlp {
    /// Sends to this one, if there is any.
    pub fn new(collector: Option<Collector>) -> Self {
        Self(Arc::new(Shared {
            wanted: AtomicBool::new(collector.is_some()),
            collector: watch::Sender::new(collector),
            lost: AtomicU64::new(0),
        }))
    }

    /// Sends to this one from now on.
    pub fn send_to(&self, collector: Option<Collector>) {
        self.0.wanted.store(collector.is_some(), Ordering::Relaxed);
        self.0.collector.send_if_modified(|now| {
            let differs = *now != collector;
            *now = collector;
            differs
        });
    }

    /// Where to, now and later.
    pub(super) fn collector(&self) -> watch::Receiver<Option<Collector>> {
        self.0.collector.subscribe()
    }

    /// Nobody took so many spans.
    pub(super) fn lose(&self, spans: usize) {
        self.0.lost.fetch_add(spans as u64, Ordering::Relaxed);
    }

    /// How many spans nobody took.
    pub fn lost(&self) -> u64 {
        self.0.lost.load(Ordering::Relaxed)
    }
}

/// Takes the traces of requests that have ended.
#[derive(Debug, Clone)]
pub struct Spans {
    otlp: Otlp,
    to: mpsc::Sender<Arc<Batch>>,
}

impl Spans {
    pub(crate) fn new(otlp: Otlp, to: mpsc::Sender<Arc<Batch>>) -> Self {
        Self { otlp, to }
    }

    /// Somebody collects.
    pub(crate) fn are_wanted(&self) -> bool {
        self.otlp.0.wanted.load(Ordering::Relaxed)
    }

    /// Hands a batch over, without waiting. If the exporter is that far behind, its spans are lost.
    pub(crate) fn offer(&self, batch: &Arc<Batch>) {
        if batch.has_traces() && self.to.try_send(Arc::clone(batch)).is_err() {
            let spans = batch.traced().map(|(row, _, trace)| trace.spans(row));
            self.otlp.lose(spans.sum());
        }
    }

    /// These spans come too late to be handed over.
    pub(crate) fn lose(&self, spans: usize) {
        self.otlp.lose(spans);
    }
}
