use super::attribute::{resource, scope};
use super::delivery::Delivery;
use super::metric::{Period, metrics_of};
use super::span::{nanoseconds, spans_of};
use super::{Otlp, Spans};
use crate::outgoing::Client;
use crate::{Batch, Family};
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

/// How many portions of ended requests may wait to be sent.
pub(super) const BATCHES: usize = 64;

/// The most spans that are sent at once.
const MOST: usize = 512;

/// How long spans are gathered at most.
const GATHER: Duration = Duration::from_secs(5);

/// How often metrics are sent: as often as OpenTelemetry's own exporters do.
const METRICS: Duration = Duration::from_mins(1);

/// How long the last spans and metrics may take when paddock stops.
const LAST: Duration = Duration::from_secs(3);

/// How long putting the last metrics together may take.
const LAST_LOOK: Duration = Duration::from_millis(500);

/// The tasks that send.
#[derive(Debug)]
pub struct Exporter {
    tasks: TaskTracker,
    /// Until when, once paddock stops.
    end: watch::Sender<Option<Instant>>,
    /// The last metrics have been put together.
    counted: oneshot::Receiver<()>,
}

/// What sends a signal.
struct Sending {
    otlp: Otlp,
    collector: watch::Receiver<Option<Collector>>,
    resource: Resource,
    delivery: Delivery,
    end: watch::Receiver<Option<Instant>>,
}

impl Otlp {
    /// The way of rows to the exporter, and its end.
    pub fn rows(&self) -> (Spans, mpsc::Receiver<Arc<Batch>>) {
        let (to, rows) = mpsc::channel(BATCHES);
        (Spans::new(self.clone(), to), rows)
    }
}

impl Exporter {
    /// Sends what comes in these batches, and the metrics that `families` puts together, as of this run of
    /// paddock. While there is no collector nothing wakes it.
    pub fn start<F>(
        otlp: &Otlp,
        run: &str,
        rows: mpsc::Receiver<Arc<Batch>>,
        families: impl Fn() -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = Vec<Family>> + Send + 'static,
    {
        let (end, ends) = watch::channel(None);
        let (count, counted) = oneshot::channel();
        let tasks = TaskTracker::new();
        let client = Client::default();
        let sending = |signal| Sending {
            otlp: otlp.clone(),
            collector: otlp.collector(),
            resource: resource(run),
            delivery: Delivery::of(signal, client.clone()),
            end: ends.clone(),
        };
        tasks.spawn(sending("traces").spans(rows));
        let metrics = sending("metrics").metrics(families, count);
        tasks.spawn(async move {
            tokio::select! {
                () = metrics => {}
                () = over(ends) => {}
            }
        });
        tasks.close();
        Self {
            tasks,
            end,
            counted,
        }
    }

    /// paddock stops. Waits until what the workers have counted is known; they may end then.
    pub async fn finish(&mut self) {
        self.end.send_replace(Some(Instant::now() + LAST));
        // A task that panicked has nothing to say, and one that hangs is not waited for.
        let _ = timeout(LAST, &mut self.counted).await;
    }

    /// Waits until the last is sent, or the time for it is over. It has been told to finish, and nobody
    /// hands rows over any more.
    pub async fn join(self) {
        self.tasks.wait().await;
    }
}

impl Sending {
    /// Sends spans until nobody hands rows over any more.
    async fn spans(mut self, mut rows: mpsc::Receiver<Arc<Batch>>) {
        let mut spans = Vec::new();
        let mut open = true;
        while open {
            let over = over(self.end.clone());
            tokio::select! {
                more = gather(&mut rows, &mut spans) => open = more,
                () = over => open = false,
            }
            while !spans.is_empty() {
                let rest = spans.split_off(spans.len().min(MOST));
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
            return self.otlp.lose(count);
        };
        // An answer in other words says that all was taken as well.
        let answer = ExportTraceServiceResponse::decode(&*answer).unwrap_or_default();
        if let Some(partly) = answer.partial_success.filter(|it| it.rejected_spans > 0) {
            let rejected = usize::try_from(partly.rejected_spans).unwrap_or(count);
            self.otlp.lose(rejected.min(count));
            let (why, endpoint) = (partly.error_message, &collector.url);
            tracing::warn!(%endpoint, rejected, %why, "some spans are not taken");
        }
    }

    /// Sends metrics every minute, and once more at the end.
    async fn metrics<F>(mut self, families: impl Fn() -> F, counted: oneshot::Sender<()>)
    where
        F: Future<Output = Vec<Family>>,
    {
        let from = nanoseconds(SystemTime::now());
        let mut end = self.end.clone();
        let mut counted = Some(counted);
        while counted.is_some() {
            let ends = tokio::select! {
                () = due(&mut self.collector) => false,
                _ = end.wait_for(Option::is_some) => true,
            };
            let collector = self.collector.borrow().clone();
            let limit = if ends { LAST_LOOK } else { METRICS };
            let put_together = match collector {
                Some(_) => timeout(limit, families()).await.ok(),
                None => None,
            };
            if ends && let Some(counted) = counted.take() {
                // Nobody may wait for it.
                let _ = counted.send(());
            }
            if let Some((collector, families)) = collector.zip(put_together) {
                let to = nanoseconds(SystemTime::now());
                let sending = self.send_metrics(&collector, families, Period { from, to });
                // The last ones say what these say, and more.
                tokio::select! {
                    () = sending => {}
                    _ = end.wait_for(Option::is_some), if !ends => {}
                }
            }
        }
    }

    async fn send_metrics(&mut self, to: &Collector, families: Vec<Family>, period: Period) {
        let request = ExportMetricsServiceRequest {
            resource_metrics: vec![ResourceMetrics {
                resource: Some(self.resource.clone()),
                scope_metrics: vec![ScopeMetrics {
                    scope: Some(scope()),
                    metrics: metrics_of(families, period),
                    ..ScopeMetrics::default()
                }],
                ..ResourceMetrics::default()
            }],
        };
        let Some(answer) = self.send(to, request.encode_to_vec()).await else {
            return;
        };
        let answer = ExportMetricsServiceResponse::decode(&*answer).unwrap_or_default();
        if let Some(partly) = answer
            .partial_success
            .filter(|it| it.rejected_data_points > 0)
        {
            let (rejected, why) = (partly.rejected_data_points, partly.error_message);
            tracing::warn!(endpoint = %to.url, rejected, %why, "some metrics are not taken");
        }
    }

    /// Sends something, as long as there is time. What was answered by whoever took it.
    async fn send(&mut self, to: &Collector, body: Vec<u8>) -> Option<hyper::body::Bytes> {
        tokio::select! {
            answer = self.delivery.send(to, body) => answer,
            () = over(self.end.clone()) => None,
        }
    }
}

/// Gathers spans until there are enough of them or time has passed. Whether there may be more.
async fn gather(rows: &mut mpsc::Receiver<Arc<Batch>>, spans: &mut Vec<Span>) -> bool {
    let Some(first) = rows.recv().await else {
        return false;
    };
    spans.extend(spans_of(&first));
    let until = Instant::now() + GATHER;
    while spans.len() < MOST {
        let batch = tokio::select! {
            batch = rows.recv() => batch,
            () = sleep_until(until) => return true,
        };
        match batch {
            Some(batch) => spans.extend(spans_of(&batch)),
            None => return false,
        }
    }
    true
}

/// Waits until metrics are due. Never, while there is no collector.
async fn due(collector: &mut watch::Receiver<Option<Collector>>) {
    // Whoever could change it is there for as long as this.
    let _ = collector.wait_for(Option::is_some).await;
    sleep(METRICS).await;
}

/// Waits until there is no time left.
async fn over(mut end: watch::Receiver<Option<Instant>>) {
    let end = end
        .wait_for(Option::is_some)
        .await
        .ok()
        .and_then(|end| *end);
    match end {
        Some(end) => sleep_until(end).await,
        // Nobody can say any more that it ends: the runtime does.
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
