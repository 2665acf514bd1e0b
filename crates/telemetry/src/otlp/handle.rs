//! Gives workers and the exporter access to the current collector, and counts lost spans.

use crate::RecordBatch;
use paddock_config::Collector;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::sync::{mpsc, watch};

/// Current collector of traces and metrics, and the count of lost spans.
#[derive(Debug, Clone)]
pub struct OtlpHandle(Arc<Shared>);

/// State shared by the clones of a handle.
#[derive(Debug)]
struct Shared {
    /// The collector of the current configuration, if any.
    collector: watch::Sender<Option<Collector>>,
    /// True while there is a collector; workers read this flag for each request.
    enabled: AtomicBool,
    /// Number of spans that were dropped instead of delivered.
    lost: AtomicU64,
}

impl OtlpHandle {
    /// Creates a handle with this collector, if any.
    pub fn new(collector: Option<Collector>) -> Self {
        Self(Arc::new(Shared {
            enabled: AtomicBool::new(collector.is_some()),
            collector: watch::Sender::new(collector),
            lost: AtomicU64::new(0),
        }))
    }

    /// Replaces the collector.
    pub fn set_collector(&self, collector: Option<Collector>) {
        self.0.enabled.store(collector.is_some(), Ordering::Relaxed);
        self.0.collector.send_if_modified(|now| {
            let differs = *now != collector;
            *now = collector;
            differs
        });
    }

    /// Subscribes to the current collector.
    pub(super) fn collector(&self) -> watch::Receiver<Option<Collector>> {
        self.0.collector.subscribe()
    }

    /// Counts lost spans.
    pub(super) fn count_lost(&self, spans: usize) {
        self.0.lost.fetch_add(spans as u64, Ordering::Relaxed);
    }

    /// Returns the number of lost spans.
    pub fn lost(&self) -> u64 {
        self.0.lost.load(Ordering::Relaxed)
    }
}

/// Sends traced records to the exporter.
#[derive(Debug, Clone)]
pub struct SpanSender {
    otlp: OtlpHandle,
    batches: mpsc::Sender<Arc<RecordBatch>>,
}

impl SpanSender {
    pub(crate) fn new(otlp: OtlpHandle, batches: mpsc::Sender<Arc<RecordBatch>>) -> Self {
        Self { otlp, batches }
    }

    /// Returns true while there is a collector.
    pub(crate) fn is_enabled(&self) -> bool {
        self.otlp.0.enabled.load(Ordering::Relaxed)
    }

    /// Queues a batch without waiting. If the queue is full, its spans are counted as lost.
    pub(crate) fn offer(&self, batch: &Arc<RecordBatch>) {
        if batch.has_traces() && self.batches.try_send(Arc::clone(batch)).is_err() {
            let spans = batch
                .traced()
                .map(|(record, _, trace)| trace.span_count(record));
            self.otlp.count_lost(spans.sum());
        }
    }

    /// Counts spans that were dropped before they were queued.
    pub(crate) fn count_lost(&self, spans: usize) {
        self.otlp.count_lost(spans);
    }
}
