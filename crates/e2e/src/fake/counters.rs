//! Counts connections, requests and streams for the route `/__fake/state`, which tests poll.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::clock;
use super::request_head::RequestHead;

/// All counters of the server.
#[derive(Debug)]
pub(super) struct Counters {
    connections: Gauge,
    running: Gauge,
    streams: Gauge,
    pub(super) generations: Gauge,
    pub(super) deferred: Gauge,
    served: AtomicU64,
    stream_bytes: Arc<AtomicU64>,
    last_request: Mutex<Instant>,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            connections: Gauge::default(),
            running: Gauge::default(),
            streams: Gauge::default(),
            generations: Gauge::default(),
            deferred: Gauge::default(),
            served: AtomicU64::new(0),
            stream_bytes: Arc::default(),
            last_request: Mutex::new(clock::now()),
        }
    }
}

/// A number of current things; each counts until its [`GaugeGuard`] is dropped.
#[derive(Debug, Default, Clone)]
pub(super) struct Gauge(Arc<AtomicU64>);

impl Gauge {
    pub(super) fn hold(&self) -> GaugeGuard {
        self.0.fetch_add(1, SeqCst);
        GaugeGuard(self.clone())
    }

    pub(super) fn count(&self) -> u64 {
        self.0.load(SeqCst)
    }
}

/// Counts as one until dropped.
#[derive(Debug)]
pub(super) struct GaugeGuard(Gauge);

impl Drop for GaugeGuard {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, SeqCst);
    }
}

impl Counters {
    pub(super) fn connection(&self) -> GaugeGuard {
        self.connections.hold()
    }

    pub(super) fn connections_open(&self) -> u64 {
        self.connections.count()
    }

    /// Counts a request, except to test routes.
    pub(super) fn request(&self, head: &RequestHead) -> Option<GaugeGuard> {
        if head.path.starts_with("/__fake/") {
            return None;
        }
        self.served.fetch_add(1, SeqCst);
        self.touch();
        Some(self.running.hold())
    }

    pub(super) fn stream(&self) -> StreamBytes {
        StreamBytes {
            _open: self.streams.hold(),
            all: Arc::clone(&self.stream_bytes),
            own: AtomicU64::new(0),
        }
    }

    /// Returns the time since the last request; zero during a request.
    pub(super) fn idle(&self) -> Duration {
        if self.running.count() > 0 {
            self.touch();
        }
        self.last_request
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .elapsed()
    }

    /// Restarts the idle time.
    pub(super) fn touch(&self) {
        *self
            .last_request
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = clock::now();
    }

    pub(super) fn to_json(&self) -> String {
        format!(
            concat!(
                r#"{{"pid":{},"connections_open":{},"requests_served":{},"requests_running":{},"#,
                r#""streams_open":{},"generations_running":{},"generations_deferred":{},"#,
                r#""stream_bytes":{}}}"#
            ),
            std::process::id(),
            self.connections.count(),
            self.served.load(SeqCst),
            self.running.count(),
            self.streams.count(),
            self.generations.count(),
            self.deferred.count(),
            self.stream_bytes.load(SeqCst),
        )
    }
}

/// The bytes that one stream has sent; subtracted from the sum when dropped.
#[derive(Debug)]
pub(super) struct StreamBytes {
    _open: GaugeGuard,
    all: Arc<AtomicU64>,
    own: AtomicU64,
}

impl StreamBytes {
    pub(super) fn add(&self, count: usize) {
        self.own.fetch_add(count as u64, SeqCst);
        self.all.fetch_add(count as u64, SeqCst);
    }
}

impl Drop for StreamBytes {
    fn drop(&mut self) {
        self.all.fetch_sub(self.own.load(SeqCst), SeqCst);
    }
}
