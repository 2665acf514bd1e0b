//! What `/__fake/state` tells: counts that tests wait for.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::clock;
use super::request::Head;

/// The counts, all at a time.
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

/// A number of things that are going on; each counts until its [`Held`] is dropped.
#[derive(Debug, Default, Clone)]
pub(super) struct Gauge(Arc<AtomicU64>);

impl Gauge {
    pub(super) fn hold(&self) -> Held {
        self.0.fetch_add(1, SeqCst);
        Held(self.clone())
    }

    pub(super) fn count(&self) -> u64 {
        self.0.load(SeqCst)
    }
}

/// One of a gauge's things.
#[derive(Debug)]
pub(super) struct Held(Gauge);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, SeqCst);
    }
}

impl Counters {
    pub(super) fn connection(&self) -> Held {
        self.connections.hold()
    }

    pub(super) fn connections_open(&self) -> u64 {
        self.connections.count()
    }

    /// A request has come; the test aids' own do not count.
    pub(super) fn request(&self, head: &Head) -> Option<Held> {
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

    /// How long there has been no request; zero while one runs.
    pub(super) fn idle(&self) -> Duration {
        if self.running.count() > 0 {
            self.touch();
        }
        self.last_request
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .elapsed()
    }

    /// The idle time starts anew.
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

/// The bytes one stream has got rid of; they leave the sum with it.
#[derive(Debug)]
pub(super) struct StreamBytes {
    _open: Held,
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
