//! Keeps idle connections to children (the models' llama-servers) for reuse.

use super::buffer::{Buffer, BufferPool};
use super::stream::Stream;
use paddock_admission::catalog::Catalog;
use paddock_admission::model::Endpoint;
use paddock_scheduler::{Generation, ModelId};
use std::cell::{Cell, RefCell};
use std::io;
use std::task::{Context, Waker};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// Longest time a connection is kept idle. llama-server closes it after 5 s (llama.cpp b11434, `Keep-Alive:
/// timeout=5, max=100`).
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);

/// Longest idle time of a connection for a request that cannot be sent again: so far below the child's 5 s that
/// the child has not closed the connection, even if a busy machine delays either side.
const MAX_IDLE_FOR_UNREPEATABLE: Duration = Duration::from_secs(1);

/// Shortest interval between two searches for expired connections.
const MIN_CLEANUP_INTERVAL: Duration = Duration::from_secs(1);

/// Limit of a worker's idle connections per instance.
const MAX_IDLE_PER_INSTANCE: usize = 256;

/// A worker's idle connections, by model index.
#[derive(Debug, Default)]
pub(super) struct UpstreamPool {
    idle: RefCell<Vec<Vec<IdleConnection>>>,
    /// Number of idle connections.
    count: Cell<usize>,
    /// Limit of idle connections.
    max_idle: usize,
    /// [`Self::run_cleanup`] is waiting for a connection to expire.
    cleanup_runs: Cell<bool>,
    first_idle: Notify,
}

#[derive(Debug)]
struct IdleConnection {
    stream: Stream,
    /// Start of the model's instance that the connection belongs to.
    generation: Generation,
    /// Time when the connection became idle.
    since: Instant,
    /// The child may close the connection at any moment.
    may_close: bool,
}

/// A connection to an upstream, in use.
#[derive(Debug)]
pub(super) struct UpstreamConnection {
    pub(super) stream: Stream,
    pub(super) model: ModelId,
    pub(super) generation: Generation,
    /// The connection has served a request before, so the child may be about to close it.
    pub(super) reused: bool,
}

impl UpstreamPool {
    /// Keeps at most `max_idle` connections.
    pub(super) fn new(max_idle: usize) -> Self {
        Self {
            max_idle,
            ..Self::default()
        }
    }

    /// Takes the youngest idle connection that looks alive. A request that is not `repeatable` gets only one
    /// that the child is not about to close: bytes that cross with a close are lost.
    pub(super) fn take(
        &self,
        model: ModelId,
        generation: Generation,
        repeatable: bool,
        now: Instant,
        pool: &BufferPool,
    ) -> Option<UpstreamConnection> {
        let mut all = self.idle.borrow_mut();
        let idle = all.get_mut(model.0)?;
        while let Some(mut candidate) = idle.pop() {
            self.count.set(self.count.get() - 1);
            let unused = now.saturating_duration_since(candidate.since);
            // The connections below are older still.
            if candidate.generation != generation || unused > IDLE_TIMEOUT {
                self.close_list(idle);
                return None;
            }
            if !repeatable && (candidate.may_close || unused > MAX_IDLE_FOR_UNREPEATABLE) {
                self.count.set(self.count.get() + 1);
                idle.push(candidate);
                return None;
            }
            if is_quiet(&mut candidate.stream, pool) {
                return Some(UpstreamConnection {
                    stream: candidate.stream,
                    model,
                    generation,
                    reused: true,
                });
            }
        }
        None
    }

    /// Opens a new connection.
    ///
    /// # Errors
    /// The system's error, or a process other than the child's listens there.
    pub(super) async fn connect(
        model: ModelId,
        endpoint: &Endpoint,
    ) -> io::Result<UpstreamConnection> {
        Ok(UpstreamConnection {
            stream: Stream::connect(&endpoint.address, endpoint.processes.as_ref()).await?,
            model,
            generation: endpoint.generation,
            reused: false,
        })
    }

    /// Keeps a connection whose response is complete. If the child `may_close` it now, only repeatable
    /// requests get it.
    pub(super) fn give(&self, mut connection: UpstreamConnection, may_close: bool, now: Instant) {
        let mut all = self.idle.borrow_mut();
        let index = connection.model.0;
        if all.len() <= index {
            all.resize_with(index + 1, Vec::new);
        }
        let Some(idle) = all.get_mut(index) else {
            return;
        };
        if idle
            .last()
            .is_some_and(|last| last.generation != connection.generation)
        {
            self.close_list(idle);
        }
        if idle.len() < MAX_IDLE_PER_INSTANCE && self.count.get() < self.max_idle {
            self.count.set(self.count.get() + 1);
            connection.stream.release_write_registration();
            idle.push(IdleConnection {
                stream: connection.stream,
                generation: connection.generation,
                since: now,
                may_close,
            });
            if !self.cleanup_runs.replace(true) {
                self.first_idle.notify_one();
            }
        }
    }

    /// Closes expired connections. Never completes; nothing wakes the task while no connection is idle.
    pub(super) async fn run_cleanup(&self) {
        loop {
            self.first_idle.notified().await;
            while let Some(oldest) = self.close_expired() {
                sleep_until((oldest + IDLE_TIMEOUT).max(Instant::now() + MIN_CLEANUP_INTERVAL))
                    .await;
            }
        }
    }

    /// Closes expired connections. Returns since when the oldest remaining one has been idle.
    fn close_expired(&self) -> Option<Instant> {
        let mut all = self.idle.borrow_mut();
        for idle in all.iter_mut() {
            idle.retain(|kept| kept.since.elapsed() <= IDLE_TIMEOUT);
        }
        self.count.set(all.iter().map(Vec::len).sum());
        let oldest = all.iter().flatten().map(|kept| kept.since).min();
        self.cleanup_runs.set(oldest.is_some());
        oldest
    }

    /// Closes idle connections to instances that are stopping, or whose model is gone.
    pub(super) fn close_stopping(&self, catalog: &Catalog) {
        for (index, idle) in self.idle.borrow_mut().iter_mut().enumerate() {
            let model = catalog.models().iter().find(|model| model.id.0 == index);
            if model.is_none_or(|model| model.endpoint.borrow().is_none()) {
                self.close_list(idle);
                *idle = Vec::new();
            }
        }
    }

    /// Closes every idle connection.
    pub(super) fn clear(&self) {
        self.idle.borrow_mut().clear();
        self.count.set(0);
    }

    /// Closes all connections in one model's list.
    fn close_list(&self, idle: &mut Vec<IdleConnection>) {
        self.count.set(self.count.get() - idle.len());
        idle.clear();
    }
}

/// Returns true if nothing has arrived on an idle connection, not even its end. Costs no system call unless
/// something has.
fn is_quiet(stream: &mut Stream, pool: &BufferPool) -> bool {
    let mut received = None;
    let mut cx = Context::from_waker(Waker::noop());
    Buffer::poll_read(&mut received, pool, stream, &mut cx).is_pending()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::UnixStream;

    const MODEL: ModelId = ModelId(0);
    const GENERATION: Generation = Generation(1);

    /// Returns a pool with one connection that has been idle for `seconds`, and its other end.
    fn unused(seconds: u64, may_close: bool) -> (UpstreamPool, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let since = Instant::now()
            .checked_sub(Duration::from_secs(seconds))
            .unwrap();
        let idle = IdleConnection {
            stream: Stream::unix(ours.into_std().unwrap()).unwrap(),
            generation: GENERATION,
            since,
            may_close,
        };
        let upstreams = UpstreamPool {
            idle: RefCell::new(vec![vec![idle]]),
            count: Cell::new(1),
            ..UpstreamPool::new(1)
        };
        (upstreams, theirs)
    }

    #[tokio::test]
    async fn what_cannot_be_sent_again_goes_where_nothing_is_about_to_close() {
        let pool = BufferPool::default();
        let (upstreams, _theirs) = unused(2, false);
        let take =
            |repeatable| upstreams.take(MODEL, GENERATION, repeatable, Instant::now(), &pool);
        assert!(take(false).is_none());
        assert!(take(true).is_some(), "it is there for others");
        let (upstreams, _theirs) = unused(0, false);
        let take =
            |repeatable| upstreams.take(MODEL, GENERATION, repeatable, Instant::now(), &pool);
        assert!(take(false).is_some());
        let (upstreams, _theirs) = unused(0, true);
        let take =
            |repeatable| upstreams.take(MODEL, GENERATION, repeatable, Instant::now(), &pool);
        assert!(take(false).is_none());
        assert!(take(true).is_some());
        let (upstreams, _theirs) = unused(5, false);
        let take =
            |repeatable| upstreams.take(MODEL, GENERATION, repeatable, Instant::now(), &pool);
        assert!(take(true).is_none());
    }

    #[tokio::test]
    async fn what_nobody_uses_is_closed() {
        let (upstreams, theirs) = unused(2, false);
        assert!(upstreams.close_expired().is_some());
        assert!(theirs.try_read(&mut [0]).is_err(), "it is open");
        let (upstreams, theirs) = unused(5, false);
        assert_eq!(upstreams.close_expired(), None);
        theirs.readable().await.unwrap();
        assert_eq!(theirs.try_read(&mut [0]).unwrap(), 0, "it is closed");
    }
}
