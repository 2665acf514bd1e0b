//! A collector: it decodes what it is sent with OpenTelemetry's own messages.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use paddock_e2e::harness::PaddockBuilder;
use prost::Message;
use tokio::net::TcpListener;
use tokio::runtime;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

/// What a collector does with what it is sent.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Mood {
    Takes,
    /// Never answers.
    Stalls,
}

/// A collector that runs until it is dropped.
#[derive(Debug)]
pub(crate) struct Collector {
    at: SocketAddr,
    took: Arc<Mutex<Took>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What it took, or would have.
#[derive(Debug, Default)]
struct Took {
    traces: Vec<ExportTraceServiceRequest>,
    metrics: Vec<ExportMetricsServiceRequest>,
}

impl Collector {
    pub(crate) fn start(mood: Mood) -> Self {
        let took = Arc::<Mutex<Took>>::default();
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = std::sync::mpsc::channel();
        let taking = Arc::clone(&took);
        let thread = thread::spawn(move || {
            let runtime = runtime::Builder::new_current_thread().enable_io().build();
            runtime.expect("a runtime").block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
                tell.send(listener.local_addr().expect("an address"))
                    .expect("the test");
                tokio::select! {
                    () = serve(listener, mood, taking) => {}
                    _ = stopped => {}
                }
            });
        });
        Self {
            at: told.recv().expect("an address"),
            took,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// The line of the configuration that has paddock send here.
    pub(crate) fn line(&self) -> String {
        format!("telemetry.otlp_endpoint = 'http://{}/in'", self.at)
    }

    /// A paddock that sends here.
    pub(crate) fn paddock(&self) -> PaddockBuilder {
        paddock_e2e::paddock!().config(&self.line())
    }

    /// Every span that has come.
    pub(crate) fn spans(&self) -> Vec<Span> {
        let took = self.took.lock().expect("no panic");
        let resources = took.traces.iter().flat_map(|it| &it.resource_spans);
        let scopes = resources.flat_map(|it| {
            let who = &it.resource.as_ref().expect("a resource").attributes;
            assert_eq!(attributes(who)["service.name"], "paddock");
            &it.scope_spans
        });
        scopes.flat_map(|it| it.spans.clone()).collect()
    }

    /// The spans of requests that have come.
    pub(crate) fn requests(&self) -> Vec<Span> {
        let spans = self.spans().into_iter();
        spans
            .filter(|span| span.kind() == SpanKind::Server)
            .collect()
    }

    /// The span of the request of this id.
    pub(crate) fn request(&self, id: &str) -> Span {
        let mut requests = self.requests().into_iter();
        let is = |span: &Span| attributes(&span.attributes)["paddock.request.id"] == id;
        requests.find(is).expect("the span of a request")
    }

    /// The spans whose parent this one is, in the order of their times.
    pub(crate) fn children(&self, of: &Span) -> Vec<Span> {
        let spans = self.spans().into_iter();
        let mut children: Vec<Span> = spans
            .filter(|span| span.parent_span_id == of.span_id)
            .collect();
        children.sort_by_key(|span| (span.start_time_unix_nano, span.end_time_unix_nano));
        children
    }

    /// The metrics of the last time they came.
    pub(crate) fn metrics(&self) -> Vec<Metric> {
        let took = self.took.lock().expect("no panic");
        let last = took.metrics.last().expect("metrics");
        let scopes = last
            .resource_metrics
            .iter()
            .flat_map(|it| &it.scope_metrics);
        scopes.flat_map(|it| it.metrics.clone()).collect()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        // It may have ended by a panic.
        let _ended = self.stop.take().map(|stop| stop.send(()));
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

async fn serve(listener: TcpListener, mood: Mood, took: Arc<Mutex<Took>>) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        let took = Arc::clone(&took);
        connections.spawn(async move {
            let service = service_fn(|request| answer(request, mood, &took));
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            // Whoever sends may stop at any time.
            let _ended = connection.await;
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    mood: Mood,
    took: &Mutex<Took>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    let content = request.headers()["content-type"].clone();
    let Ok(body) = request.into_body().collect().await else {
        return Ok(Response::default());
    };
    let body = body.to_bytes();
    assert_eq!(content, "application/x-protobuf");
    {
        let mut took = took.lock().expect("no panic");
        match path.as_str() {
            "/in/v1/traces" => took.traces.push(Message::decode(body).expect("traces")),
            "/in/v1/metrics" => took.metrics.push(Message::decode(body).expect("metrics")),
            other => panic!("what is {other}?"),
        }
    }
    match mood {
        Mood::Takes => Ok(Response::default()),
        Mood::Stalls => std::future::pending().await,
    }
}

/// Attributes as text.
pub(crate) fn attributes(all: &[KeyValue]) -> BTreeMap<&str, String> {
    let text = |value: &AnyValue| match value.value.clone() {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        other => panic!("{other:?}"),
    };
    let pair = |it: &KeyValue| text(it.value.as_ref().expect("a value"));
    all.iter().map(|it| (it.key.as_str(), pair(it))).collect()
}
