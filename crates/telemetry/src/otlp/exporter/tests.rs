//! Tests of the exporter against a collector on a real socket.

use super::*;
use crate::request_record::tests::sample_record;
use crate::{MetricSample, MetricValue, ModelNames, Trace};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::IntoResponse;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTracePartialSuccess;
use paddock_config as config;
use std::sync::Mutex;
use tokio::net::TcpListener;

/// A collector that sends the given answers, then 200 to every request.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Told>>);

#[derive(Default)]
struct Told {
    answers: Vec<(u16, HeaderMap, Vec<u8>)>,
    /// Path and body of each post.
    posted: Vec<(String, Vec<u8>)>,
}

impl Collector {
    /// Starts the collector on a free port.
    async fn start(answers: Vec<(u16, HeaderMap, Vec<u8>)>) -> (Self, config::Collector) {
        let collector = Self::default();
        collector.0.lock().unwrap().answers = answers;
        let router = Router::new()
            .route("/in/v1/traces", post(take))
            .route("/in/v1/metrics", post(take))
            .with_state(collector.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        // The test's runtime ends the server.
        drop(tokio::task::spawn_local(async move {
            axum::serve(listener, router).await.unwrap();
        }));
        (collector, collector_at(&format!("http://{at}/in")))
    }

    fn posted(&self, path: &str) -> Vec<Vec<u8>> {
        let posted = &self.0.lock().unwrap().posted;
        let some = posted.iter().filter(|(to, _)| to == path);
        some.map(|(_, body)| body.clone()).collect()
    }

    /// Returns the number of spans in each request.
    fn spans(&self) -> Vec<usize> {
        let posted = self.posted("/in/v1/traces");
        let count = |body: Vec<u8>| {
            let request = ExportTraceServiceRequest::decode(&*body).unwrap();
            request.resource_spans[0].scope_spans[0].spans.len()
        };
        posted.into_iter().map(count).collect()
    }
}

async fn take(
    State(collector): State<Collector>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> impl IntoResponse {
    assert_eq!(headers["content-type"], "application/x-protobuf");
    let mut state = collector.0.lock().unwrap();
    state.posted.push((uri.path().to_owned(), body.to_vec()));
    let (status, headers, body) = if state.answers.is_empty() {
        (200, HeaderMap::new(), Vec::new())
    } else {
        state.answers.remove(0)
    };
    (StatusCode::from_u16(status).unwrap(), headers, body)
}

fn collector_at(text: &str) -> config::Collector {
    config::Collector::without_fields(text).unwrap()
}

/// Returns a batch of requests with two spans each.
fn batch(requests: usize) -> Arc<RecordBatch> {
    let trace = Trace::begin(b"").unwrap();
    Arc::new(RecordBatch {
        records: (0..requests).map(|_| (sample_record(), 0)).collect(),
        ids: Vec::new(),
        traces: (0..requests).map(|at| (at, trace.clone())).collect(),
        names: ModelNames::default(),
        clocks: (Instant::now(), SystemTime::now()),
    })
}

async fn families() -> Vec<MetricFamily> {
    vec![MetricFamily {
        name: "paddock_requests_total".to_owned(),
        kind: "counter".to_owned(),
        help: "Requests.".to_owned(),
        samples: vec![MetricSample {
            labels: Vec::new(),
            value: MetricValue::Number(3.0),
        }],
    }]
}

/// Runs a test on the real clock, as it uses real sockets.
fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, test)
}

/// Sends requests of two spans each, stops, and returns the number of lost spans.
async fn send(to: Option<config::Collector>, requests: &[usize]) -> u64 {
    let otlp = OtlpHandle::new(to);
    let (spans, records) = otlp.batch_channel();
    let mut exporter = OtlpExporter::start(&otlp, "this-run", records, families);
    for requests in requests {
        spans.offer(&batch(*requests));
    }
    exporter.finish().await;
    drop(spans);
    exporter.join().await;
    otlp.lost()
}

#[test]
fn what_there_is_is_sent_when_paddock_stops() {
    run(async {
        let (collector, at) = Collector::start(Vec::new()).await;
        assert_eq!(send(Some(at), &[200, 256]).await, 0);
        assert_eq!(collector.spans(), [512, 400]);
        let metrics = collector.posted("/in/v1/metrics");
        assert_eq!(metrics.len(), 1);
        let metrics = ExportMetricsServiceRequest::decode(&*metrics[0]).unwrap();
        let from = &metrics.resource_metrics[0];
        let names = from.scope_metrics[0].metrics.iter().map(|it| &it.name);
        assert_eq!(names.collect::<Vec<_>>(), ["paddock.requests"]);
        let who = &from.resource.as_ref().unwrap().attributes;
        let who: Vec<&str> = who.iter().map(|it| it.key.as_str()).collect();
        let expected = ["service.name", "service.version", "service.instance.id"];
        assert_eq!(who, expected);
    });
}

#[test]
fn a_collector_that_has_no_time_is_asked_again() {
    run(async {
        let mut soon = HeaderMap::new();
        soon.insert("retry-after", "0".parse().unwrap());
        let busy = [429, 502, 503, 504].map(|status| (status, soon.clone(), Vec::new()));
        let (collector, at) = Collector::start(busy.into()).await;
        let otlp = OtlpHandle::new(Some(at));
        let (spans, records) = otlp.batch_channel();
        let mut exporter = OtlpExporter::start(&otlp, "this-run", records, families);
        spans.offer(&batch(256));
        let limit = Instant::now() + Duration::from_secs(10);
        while collector.spans().len() < 5 {
            assert!(Instant::now() < limit, "{:?}", collector.spans());
            tokio::task::yield_now().await;
        }
        exporter.finish().await;
        drop(spans);
        exporter.join().await;
        assert_eq!(collector.spans(), [512; 5], "the same, until it is taken");
        assert_eq!(otlp.lost(), 0);
    });
}

#[test]
fn what_is_refused_is_lost_and_counted() {
    run(async {
        let partly = ExportTraceServiceResponse {
            partial_success: Some(ExportTracePartialSuccess {
                rejected_spans: 7,
                error_message: "too old".to_owned(),
            }),
        };
        for (answer, lost) in [
            ((404, HeaderMap::new(), Vec::new()), 20),
            ((200, HeaderMap::new(), partly.encode_to_vec()), 7),
            ((200, HeaderMap::new(), b"what?".to_vec()), 0),
        ] {
            // Both signals get this answer, in either order.
            let (_, at) = Collector::start(vec![answer.clone(), answer]).await;
            assert_eq!(send(Some(at), &[10]).await, lost);
        }
    });
}

#[test]
fn nobody_there_costs_the_last_seconds_and_the_spans() {
    run(async {
        // The kernel accepts connections, and no answer ever comes.
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let silent = format!("http://{}", silent.local_addr().unwrap());
        let began = Instant::now();
        assert_eq!(send(Some(collector_at(&silent)), &[10]).await, 20);
        assert!(began.elapsed() < SHUTDOWN_TIMEOUT + Duration::from_secs(2));
        assert_eq!(
            send(None, &[10]).await,
            0,
            "nothing is lost that is not wanted"
        );
    });
}

#[test]
fn what_is_too_much_is_lost_and_counted() {
    let otlp = OtlpHandle::new(Some(collector_at("http://127.0.0.1:4318")));
    let (spans, records) = otlp.batch_channel();
    for _ in 0..MAX_QUEUED_BATCHES {
        spans.offer(&batch(256));
    }
    assert_eq!(otlp.lost(), 0);
    spans.offer(&batch(10));
    assert_eq!(otlp.lost(), 20);
    drop(records);
}
