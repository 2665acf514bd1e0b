//! Runs and shuts down the two tasks that send spans and metrics.
//!
//! Each task sends one signal (OpenTelemetry's word for a kind of data), so that a failing delivery of one does not
//! delay the other.

use super::attribute::{resource, scope};
use super::delivery::Delivery;
use super::metric::{Period, metrics_from_families};
use super::span::{spans_from_batch, unix_nanos};
use super::{OtlpHandle, SpanSender};
use crate::http_client::HttpClient;
use crate::{MetricFamily, RecordBatch};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::metrics::v1::{ResourceMetrics, ScopeMetrics};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use paddock_config::Collector;
use prost::Message;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::task::TaskTracker;

/// Maximum queued batches of ended requests.
pub(super) const MAX_QUEUED_BATCHES: usize = 64;

/// Maximum spans in one request.
const MAX_SPANS_PER_REQUEST: usize = 512;

/// Maximum time that spans are gathered.
const GATHER_TIME: Duration = Duration::from_secs(5);

/// Time between metrics, the default of OpenTelemetry's own exporters.
const METRICS_INTERVAL: Duration = Duration::from_mins(1);

/// Time limit for the last spans and metrics at shutdown.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(3);

/// Time limit for collecting the last metrics.
const LAST_METRICS_TIMEOUT: Duration = Duration::from_millis(500);

/// The running exporter tasks.
#[derive(Debug)]
pub struct OtlpExporter {
    tasks: TaskTracker,
    /// Shutdown deadline, once set.
    end: watch::Sender<Option<Instant>>,
    /// Resolves once the last metrics are collected.
    counted: oneshot::Receiver<()>,
}

/// Sends one signal.
struct SignalExporter {
    otlp: OtlpHandle,
    collector: watch::Receiver<Option<Collector>>,
    resource: Resource,
    delivery: Delivery,
    end: watch::Receiver<Option<Instant>>,
}

impl OtlpHandle {
    /// Returns both ends of the queue of traced records.
    pub fn batch_channel(&self) -> (SpanSender, mpsc::Receiver<Arc<RecordBatch>>) {
        let (to, batches) = mpsc::channel(MAX_QUEUED_BATCHES);
        (SpanSender::new(self.clone(), to), batches)
    }
}

impl OtlpExporter {
    /// Starts sending spans of these batches, and the metrics that `families` collects, for this run of
    /// paddock. Without a collector nothing wakes the tasks.
    pub fn start<F>(
        otlp: &OtlpHandle,
        run: &str,
        batches: mpsc::Receiver<Arc<RecordBatch>>,
        families: impl Fn() -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = Vec<MetricFamily>> + Send + 'static,
    {
        let (end, end_watch) = watch::channel(None);
        let (counted_sender, counted) = oneshot::channel();
        let tasks = TaskTracker::new();
        let client = HttpClient::default();
        let sending = |signal| SignalExporter {
            otlp: otlp.clone(),
            collector: otlp.collector(),
            resource: resource(run),
            delivery: Delivery::new(signal, client.clone()),
            end: end_watch.clone(),
        };
        tasks.spawn(sending("traces").run_spans(batches));
        let metrics = sending("metrics").run_metrics(families, counted_sender);
        tasks.spawn(async move {
            tokio::select! {
                () = metrics => {}
                () = deadline_passed(end_watch) => {}
            }
        });
        tasks.close();
        Self {
            tasks,
            end,
            counted,
        }
    }

    /// Begins the shutdown, and waits until the last metrics are collected; the workers may stop then.
    pub async fn finish(&mut self) {
        self.end
            .send_replace(Some(Instant::now() + SHUTDOWN_TIMEOUT));
        // A panicked task never reports, and a hanging one is not waited for.
        let _ = timeout(SHUTDOWN_TIMEOUT, &mut self.counted).await;
    }

    /// Waits for the last delivery or the deadline. Requires [`Self::finish`], and that all [`SpanSender`]s
    /// are dropped.
    pub async fn join(self) {
        self.tasks.wait().await;
    }
}

impl SignalExporter {
    /// Sends spans until every sender of batches is dropped.
    async fn run_spans(mut self, mut batches: mpsc::Receiver<Arc<RecordBatch>>) {
        let mut spans = Vec::new();
        let mut open = true;
        while open {
            let deadline = deadline_passed(self.end.clone());
            tokio::select! {
                more = gather_spans(&mut batches, &mut spans) => open = more,
                () = deadline => open = false,
            }
            while !spans.is_empty() {
                let rest = spans.split_off(spans.len().min(MAX_SPANS_PER_REQUEST));
                let some = std::mem::replace(&mut spans, rest);
                self.send_spans(some).await;
            }
        }
    }

    async fn send_spans(&mut self, spans: Vec<Span>) {
        let Some(collector) = self.collector.borrow().clone() else {
            return;
        };
        let count = spans.len();
        let request = ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                resource: Some(self.resource.clone()),
                scope_spans: vec![ScopeSpans {
                    scope: Some(scope()),
                    spans,
                    ..ScopeSpans::default()
                }],
                ..ResourceSpans::default()
            }],
        };
        let Some(answer) = self.send(&collector, request.encode_to_vec()).await else {
            return self.otlp.count_lost(count);
        };
        // An undecodable answer with a success status counts as full acceptance.
        let answer = ExportTraceServiceResponse::decode(&*answer).unwrap_or_default();
        if let Some(partial) = answer.partial_success.filter(|it| it.rejected_spans > 0) {
            let rejected = usize::try_from(partial.rejected_spans).unwrap_or(count);
            self.otlp.count_lost(rejected.min(count));
            let (why, endpoint) = (partial.error_message, &collector.url);
            tracing::warn!(%endpoint, rejected, %why, "the collector rejected some spans");
        }
    }

    /// Sends metrics every minute, and once more at shutdown.
    async fn run_metrics<F>(mut self, families: impl Fn() -> F, counted: oneshot::Sender<()>)
    where
        F: Future<Output = Vec<MetricFamily>>,
    {
        let from = unix_nanos(SystemTime::now());
        let mut end = self.end.clone();
        let mut counted = Some(counted);
        while counted.is_some() {
            let stopping = tokio::select! {
                () = metrics_due(&mut self.collector) => false,
                _ = end.wait_for(Option::is_some) => true,
            };
            let collector = self.collector.borrow().clone();
            let limit = if stopping {
                LAST_METRICS_TIMEOUT
            } else {
                METRICS_INTERVAL
            };
            let families_now = match collector {
                Some(_) => timeout(limit, families()).await.ok(),
                None => None,
            };
            if stopping && let Some(counted) = counted.take() {
                // The receiver may have stopped waiting.
                let _ = counted.send(());
            }
            if let Some((collector, families)) = collector.zip(families_now) {
                let to = unix_nanos(SystemTime::now());
                let sending = self.send_metrics(&collector, families, Period { from, to });
                // The last metrics supersede these.
                tokio::select! {
                    () = sending => {}
                    _ = end.wait_for(Option::is_some), if !stopping => {}
                }
            }
        }
    }

    async fn send_metrics(&mut self, to: &Collector, families: Vec<MetricFamily>, period: Period) {
        let request = ExportMetricsServiceRequest {
            resource_metrics: vec![ResourceMetrics {
                resource: Some(self.resource.clone()),
                scope_metrics: vec![ScopeMetrics {
                    scope: Some(scope()),
                    metrics: metrics_from_families(families, period),
                    ..ScopeMetrics::default()
                }],
                ..ResourceMetrics::default()
            }],
        };
        let Some(answer) = self.send(to, request.encode_to_vec()).await else {
            return;
        };
        let answer = ExportMetricsServiceResponse::decode(&*answer).unwrap_or_default();
        if let Some(partial) = answer
            .partial_success
            .filter(|it| it.rejected_data_points > 0)
        {
            let (rejected, why) = (partial.rejected_data_points, partial.error_message);
            tracing::warn!(endpoint = %to.url, rejected, %why, "the collector rejected some metrics");
        }
    }

    /// Sends `body` to the collector and returns its answer, or None once the shutdown deadline passes.
    async fn send(&mut self, to: &Collector, body: Vec<u8>) -> Option<hyper::body::Bytes> {
        tokio::select! {
            answer = self.delivery.send(to, body) => answer,
            () = deadline_passed(self.end.clone()) => None,
        }
    }
}

/// Gathers spans until the limit or the end of the gather time. Returns false once no more can come.
async fn gather_spans(
    batches: &mut mpsc::Receiver<Arc<RecordBatch>>,
    spans: &mut Vec<Span>,
) -> bool {
    let Some(first) = batches.recv().await else {
        return false;
    };
    spans.extend(spans_from_batch(&first));
    let until = Instant::now() + GATHER_TIME;
    while spans.len() < MAX_SPANS_PER_REQUEST {
        let batch = tokio::select! {
            batch = batches.recv() => batch,
            () = sleep_until(until) => return true,
        };
        match batch {
            Some(batch) => spans.extend(spans_from_batch(&batch)),
            None => return false,
        }
    }
    true
}

/// Waits until metrics are due; forever without a collector.
async fn metrics_due(collector: &mut watch::Receiver<Option<Collector>>) {
    // The sender lives as long as this task, so waiting cannot fail.
    let _ = collector.wait_for(Option::is_some).await;
    sleep(METRICS_INTERVAL).await;
}

/// Waits until the shutdown deadline has passed.
async fn deadline_passed(mut end: watch::Receiver<Option<Instant>>) {
    let end = end
        .wait_for(Option::is_some)
        .await
        .ok()
        .and_then(|end| *end);
    match end {
        Some(end) => sleep_until(end).await,
        // The sender is gone: the runtime will end this task.
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
