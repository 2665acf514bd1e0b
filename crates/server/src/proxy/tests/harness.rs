use crate::model::{Endpoint, Limits, Model};
use crate::proxy::connection;
use crate::proxy::stream::Stream;
use crate::proxy::upstreams::Connection;
use crate::proxy::worker::{Site, Worker};
use crate::runtime::RuntimeHandle;
use paddock_scheduler::{Generation, ModelId};
use paddock_supervisor::Address;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::Notify;
use tokio::task::LocalSet;

pub(super) const GENERATION: Generation = Generation(1);

/// How much a connection of the harness holds, as a socket's buffers would.
const HOLDS: usize = 256 * 1024;

pub(super) const LIMITS: Limits = Limits {
    first_byte: Duration::from_mins(10),
    stream_idle: Duration::from_mins(5),
    body: 100 * 1024 * 1024,
};

/// A worker in front of an upstream that the test plays itself.
pub(super) struct Harness {
    pub(super) worker: Rc<Worker>,
    pub(super) model: Arc<Model>,
}

impl Harness {
    pub(super) fn new() -> Self {
        Self::with(
            LIMITS,
            Address::Unix("/nonexistent/paddock-test.sock".into()),
        )
    }

    /// An upstream at an address, for what needs real sockets.
    pub(super) fn with(limits: Limits, address: Address) -> Self {
        let released = Arc::new(Notify::new());
        let model = Arc::new(Model::with("m".into(), 64, limits, released));
        model.gate.set_generation(GENERATION);
        model.gate.open();
        model.endpoint.send_replace(Some(Endpoint {
            generation: GENERATION,
            address,
        }));
        let site = Site {
            model: Arc::clone(&model),
            model_id: ModelId(0),
            names: vec!["m".into()],
            runtime: RuntimeHandle::nobody(),
            own: None,
        };
        Self {
            worker: Rc::new(Worker::new(Arc::new(site))),
            model,
        }
    }

    /// The next request finds a connection to this upstream.
    pub(super) fn upstream(&self) -> DuplexStream {
        self.upstream_holding(HOLDS)
    }

    pub(super) fn upstream_holding(&self, bytes: usize) -> DuplexStream {
        let (ours, theirs) = duplex(bytes);
        self.worker.upstreams.give(Connection {
            stream: Stream::Memory(theirs),
            generation: GENERATION,
            reused: true,
        });
        ours
    }

    /// A client's connection.
    pub(super) fn client(&self) -> DuplexStream {
        self.client_holding(HOLDS)
    }

    pub(super) fn client_holding(&self, bytes: usize) -> DuplexStream {
        let (ours, theirs) = duplex(bytes);
        let serving = connection::serve(Rc::clone(&self.worker), Stream::Memory(theirs));
        // The test's LocalSet ends it.
        drop(tokio::task::spawn_local(serving));
        ours
    }
}

/// Runs a test on a worker's kind of runtime. The clock is paused: nothing here is a real socket.
pub(super) fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    LocalSet::new().block_on(&runtime, test)
}

/// Reads exactly as many bytes as `expected` has.
pub(super) async fn expect(stream: &mut DuplexStream, expected: &[u8]) {
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
pub(super) async fn head(stream: &mut DuplexStream) -> String {
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
pub(super) async fn rest(stream: &mut DuplexStream) -> Vec<u8> {
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    rest
}

pub(super) async fn send(stream: &mut DuplexStream, bytes: impl AsRef<[u8]>) {
    stream.write_all(bytes.as_ref()).await.unwrap();
}

/// Takes the line paddock adds out of a head.
pub(super) fn without_id(head: &str) -> String {
    let lines: Vec<&str> = head
        .split_inclusive("\r\n")
        .filter(|line| !line.starts_with("x-request-id: "))
        .collect();
    lines.concat()
}
