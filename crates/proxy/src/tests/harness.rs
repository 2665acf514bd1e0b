//! A worker between a client and an upstream that the test plays.

mod paused_clock;

pub(super) use paused_clock::run;

use crate::client_connection;
use crate::own_routes::{OwnBody, OwnRoutes};
use crate::stream::Stream;
use crate::upstream_pool::UpstreamConnection;
use crate::worker::{Worker, WorkerContext};
use http::Response;
use paddock_admission::browser_policy::BrowserPolicy;
use paddock_admission::catalog::Catalog;
use paddock_admission::keys::Keys;
use paddock_admission::lease_queue::{AdmissionHandle, AdmissionReceiver};
use paddock_admission::model::{Capacity, Endpoint, ExchangeLimits, Model, ReleaseNotifier};
use paddock_admission::phase::ServicePhase;
use paddock_config::{AllowedOrigins, ApiKey, Collector, KeyHash, Scope};
use paddock_scheduler::{Epoch, Generation, ModelId};
use paddock_supervisor::Address;
use paddock_telemetry::{OtlpHandle, RecordBatch, RequestRecord, Trace};
use rustix::net::sockopt::set_socket_send_buffer_size;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tower::service_fn;

pub(super) const GENERATION: Generation = Generation(1);

/// Size of the send buffers of a connection.
const SEND_BUFFER_BYTES: usize = 256 * 1024;

pub(super) const LIMITS: ExchangeLimits = ExchangeLimits {
    first_byte: Duration::from_mins(10),
    stream_idle: Duration::from_mins(5),
    loading_heartbeat: false,
};

const BODY: u64 = 100 * 1024 * 1024;

/// A worker in front of an upstream that the test plays.
pub(super) struct Harness {
    pub(super) worker: Rc<Worker>,
    pub(super) model: Arc<Model>,
    rows: RefCell<mpsc::Receiver<Arc<RecordBatch>>>,
    traced: RefCell<mpsc::Receiver<Arc<RecordBatch>>>,
    /// Phase as the runtime sets it; the worker has not processed the change.
    pub(super) phase: watch::Sender<ServicePhase>,
}

impl Harness {
    pub(super) fn new() -> Self {
        Self::with_address(
            LIMITS,
            Address::Unix("/proc/nonexistent/paddock-test.sock".into()),
        )
    }

    /// Makes a harness whose upstream has an address, for tests with real sockets.
    pub(super) fn with_address(limits: ExchangeLimits, address: Address) -> Self {
        Self::with_models(
            &[model(0, "m", limits, Some(address))],
            BODY,
            &OtlpHandle::new(None),
        )
    }

    /// Makes a harness that accepts bodies of at most `body_limit` bytes.
    pub(super) fn with_body_limit(body_limit: u64) -> Self {
        let nowhere = OtlpHandle::new(None);
        Self::with_models(&[model(0, "m", LIMITS, None)], body_limit, &nowhere)
    }

    /// Makes a harness with routes of paddock's own, so that requests can name their model in every way.
    pub(super) fn with_own_routes() -> Self {
        let mut harness = Self::new();
        let routes = service_fn(|_| async { Ok(Response::new(OwnBody::default())) });
        let worker = Rc::get_mut(&mut harness.worker).unwrap();
        let context = Arc::get_mut(&mut worker.context).unwrap();
        context.own_routes = Some(OwnRoutes::new(routes));
        harness
    }

    /// Makes a harness that collects traces.
    pub(super) fn with_traces() -> Self {
        let somewhere = OtlpHandle::new(Collector::without_fields("http://127.0.0.1:4318").ok());
        Self::with_models(&[model(0, "m", LIMITS, None)], BODY, &somewhere)
    }

    /// Makes a harness whose model is not loaded: requests wait until the test grants them.
    pub(super) fn with_unloaded_model(limits: ExchangeLimits) -> (Self, AdmissionReceiver) {
        let (admission, queue) = AdmissionHandle::new();
        let model = Arc::new(shut_model(0, "m", limits));
        let harness = Self::with_runtime(&[model], BODY, &OtlpHandle::new(None), admission);
        (harness, queue)
    }

    fn with_models(models: &[Arc<Model>], body_limit: u64, otlp: &OtlpHandle) -> Self {
        Self::with_runtime(models, body_limit, otlp, AdmissionHandle::new().0)
    }

    fn with_runtime(
        models: &[Arc<Model>],
        body_limit: u64,
        otlp: &OtlpHandle,
        admission: AdmissionHandle,
    ) -> Self {
        let (to, rows) = mpsc::channel(64);
        let (spans, traced) = otlp.batch_channel();
        let context = WorkerContext {
            body_limit,
            max_idle_upstreams: 64,
            admission,
            own_routes: None,
            rows: Some(to),
            spans: Some(spans),
        };
        let named = models.iter().map(|model| (Arc::clone(model), &[][..]));
        let catalog = Catalog::new(named.collect(), None);
        let (phase, newest) = watch::channel(ServicePhase::Serving);
        Self {
            worker: Rc::new(Worker::new(Arc::new(context), Arc::new(catalog), newest)),
            phase,
            model: Arc::clone(&models[0]),
            rows: RefCell::new(rows),
            traced: RefCell::new(traced),
        }
    }

    /// Sets whether paddock keeps the contexts of the child.
    pub(super) fn set_keeps_contexts(&self, keeps_contexts: bool) {
        self.model.endpoint.send_replace(Some(Endpoint {
            generation: GENERATION,
            address: Address::Unix("/proc/nonexistent/paddock-test.sock".into()),
            processes: None,
            keeps_contexts,
        }));
    }

    /// Allows pages of these origins from now on.
    pub(super) fn set_origins(&self, entries: &[&str]) {
        let entries = entries.iter().map(|entry| entry.parse().unwrap());
        let browsers = BrowserPolicy::from_origins(AllowedOrigins::new(entries.collect()));
        let catalog = Catalog::new(vec![(Arc::clone(&self.model), &[])], None);
        self.worker
            .set_catalog(Arc::new(catalog.with_browser_policy(browsers)));
    }

    /// Requires one of these keys from now on.
    pub(super) fn set_keys(&self, keys: &[ApiKey]) {
        let catalog = Catalog::new(vec![(Arc::clone(&self.model), &[])], None);
        let place_of = |name: &str| catalog.get(name).map(|model| model.id);
        let keys = Keys::new(keys, place_of, self.worker.catalog().keys());
        let catalog = catalog.with_keys(keys);
        let browsers = BrowserPolicy::from_origins(AllowedOrigins::any());
        self.worker
            .set_catalog(Arc::new(catalog.with_browser_policy(browsers)));
    }

    /// Waits for records of ended requests. Returns at least one, each with its id.
    #[expect(
        clippy::await_holding_refcell_ref,
        reason = "a test waits for one thing at a time"
    )]
    pub(super) async fn records(&self) -> Vec<(RequestRecord, String)> {
        let mut rows = self.rows.borrow_mut();
        let batch = tokio::select! {
            batch = rows.recv() => batch.unwrap(),
            () = self.worker.meter.hand_over() => unreachable!(),
        };
        let text = |id: &[u8]| String::from_utf8(id.to_vec()).unwrap();
        batch
            .records()
            .map(|(row, id)| (row.clone(), text(id)))
            .collect()
    }

    /// Returns the traces of the requests that [`Self::records`] returned last, each with its id.
    pub(super) fn traces(&self) -> Vec<(Trace, String)> {
        let Ok(batch) = self.traced.borrow_mut().try_recv() else {
            return Vec::new();
        };
        let text = |id: &[u8]| String::from_utf8(id.to_vec()).unwrap();
        let traced = batch.traced();
        traced
            .map(|(_, id, trace)| (trace.clone(), text(id)))
            .collect()
    }

    /// Pools an upstream connection for the next request, and returns its other end.
    pub(super) fn upstream(&self) -> UnixStream {
        self.upstream_holding(SEND_BUFFER_BYTES)
    }

    pub(super) fn upstream_holding(&self, bytes: usize) -> UnixStream {
        let (ours, theirs) = connection_pair(bytes);
        let connection = UpstreamConnection {
            stream: theirs,
            model: self.model.id,
            generation: GENERATION,
            reused: true,
        };
        self.worker
            .upstreams
            .give(connection, false, Instant::now());
        ours
    }

    /// Opens a client's connection.
    pub(super) fn client(&self) -> UnixStream {
        self.client_holding(SEND_BUFFER_BYTES)
    }

    pub(super) fn client_holding(&self, bytes: usize) -> UnixStream {
        let (ours, theirs) = connection_pair(bytes);
        let serving = client_connection::serve(Rc::clone(&self.worker), theirs, false);
        // The test's LocalSet ends the task.
        drop(paused_clock::spawn(serving));
        ours
    }
}

/// Returns the ends of a connection: the test's and paddock's. `bytes` is the size of both send buffers, of
/// which the kernel makes a few kilobytes at least.
fn connection_pair(bytes: usize) -> (UnixStream, Stream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    set_socket_send_buffer_size(&ours, bytes).unwrap();
    set_socket_send_buffer_size(&theirs, bytes).unwrap();
    let theirs = Stream::unix(theirs.into_std().unwrap()).unwrap();
    (ours, theirs)
}

/// Returns a key with `secret` as its name and secret, for every model.
pub(super) fn key(secret: &str) -> ApiKey {
    ApiKey {
        name: secret.to_owned(),
        hash: KeyHash::from_secret(secret.as_bytes()),
        allow: vec![Scope::Inference],
        models: None,
        expires: None,
        max_concurrent: 0,
        requests_per_minute: 0,
        tokens_per_minute: 0,
    }
}

/// Returns a model that lets requests pass.
fn model(id: usize, name: &str, limits: ExchangeLimits, address: Option<Address>) -> Arc<Model> {
    let model = shut_model(id, name, limits);
    model.gate.open_for_tests(GENERATION);
    model.endpoint.send_replace(address.map(|address| Endpoint {
        processes: None,
        keeps_contexts: false,
        generation: GENERATION,
        address,
    }));
    Arc::new(model)
}

/// Returns a model that lets no request pass.
fn shut_model(id: usize, name: &str, limits: ExchangeLimits) -> Model {
    let epoch = Epoch::new(Instant::now().into_std());
    let released = ReleaseNotifier::new(epoch, mpsc::channel(1).0);
    let capacity = Capacity {
        cap: 64,
        slots: Some(1),
    };
    Model::new(ModelId(id), name.into(), capacity, limits, released)
}

/// Reads exactly as many bytes as `expected` has.
pub(super) async fn expect(stream: &mut UnixStream, expected: &[u8]) {
    let mut got = vec![0; expected.len()];
    let read = stream.read_exact(&mut got).await;
    assert!(
        read.is_ok() && got == expected,
        "expected {:?}\n     got {:?}",
        expected.escape_ascii().to_string(),
        got.escape_ascii().to_string(),
    );
}

/// Reads a head, without its empty line.
pub(super) async fn head(stream: &mut UnixStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(head).unwrap()
}

/// Reads until the other side closes.
pub(super) async fn rest(stream: &mut UnixStream) -> Vec<u8> {
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    rest
}

pub(super) async fn send(stream: &mut UnixStream, bytes: impl AsRef<[u8]>) {
    stream.write_all(bytes.as_ref()).await.unwrap();
}

/// Removes the lines that paddock adds from a head.
pub(super) fn without_id(head: &str) -> String {
    let lines: Vec<&str> = head
        .split_inclusive("\r\n")
        .filter(|line| !line.starts_with("x-request-id: "))
        .collect();
    lines.concat()
}
