use super::buffer::{Buffer, Pool};
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

/// How long a connection is kept without use. llama-server closes it after 5 s
/// (llama.cpp b11434, `Keep-Alive: timeout=5, max=100`).
const KEEP: Duration = Duration::from_secs(4);

/// How long a connection may have been idle for a request that could not be sent again: long before
/// the child's 5 s, however late a busy machine lets either of them act.
const KEEP_FOR_ONE_TRY: Duration = Duration::from_secs(1);

/// How long at least between two looks for connections that are kept no longer.
const LOOK: Duration = Duration::from_secs(1);

/// The most idle connections a worker keeps to an instance.
const MOST: usize = 256;

/// A worker's idle connections to instances, in each model's place.
#[derive(Debug, Default)]
pub(super) struct Upstreams {
    idle: RefCell<Vec<Vec<Idle>>>,
    /// How many there are.
    count: Cell<usize>,
    /// How many there may be.
    most: usize,
    /// There is something to look after, and [`Self::look_after`] knows.
    watched: Cell<bool>,
    first: Notify,
}

#[derive(Debug)]
struct Idle {
    stream: Stream,
    generation: Generation,
    since: Instant,
    /// The child may close it at any moment.
    may_close: bool,
}

/// A connection to an upstream, in use.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) stream: Stream,
    pub(super) model: ModelId,
    pub(super) generation: Generation,
    /// It has served a request before, so the child may be about to close it.
    pub(super) reused: bool,
}

impl Upstreams {
    /// Keeps at most so many.
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            ..Self::default()
        }
    }

    /// An idle connection that looks alive, the youngest first. Not `repeatable` is a request of
    /// which more is to come than is at hand: what crossed with the child's close would be lost.
    pub(super) fn take(
        &self,
        model: ModelId,
        generation: Generation,
        repeatable: bool,
        now: Instant,
        pool: &Pool,
    ) -> Option<Connection> {
        let mut all = self.idle.borrow_mut();
        let idle = all.get_mut(model.0)?;
        while let Some(mut candidate) = idle.pop() {
            self.count.set(self.count.get() - 1);
            let unused = now.saturating_duration_since(candidate.since);
            // Those below are older still.
            if candidate.generation != generation || unused > KEEP {
                self.close(idle);
                return None;
            }
            if !repeatable && (candidate.may_close || unused > KEEP_FOR_ONE_TRY) {
                self.count.set(self.count.get() + 1);
                idle.push(candidate);
                return None;
            }
            if is_quiet(&mut candidate.stream, pool) {
                return Some(Connection {
                    stream: candidate.stream,
                    model,
                    generation,
                    reused: true,
                });
            }
        }
        None
    }

    /// A new connection.
    ///
    /// # Errors
    /// What the system said, or that a process that is not the child's listens there.
    pub(super) async fn connect(model: ModelId, endpoint: &Endpoint) -> io::Result<Connection> {
        Ok(Connection {
            stream: Stream::connect(&endpoint.address, endpoint.processes.as_ref()).await?,
            model,
            generation: endpoint.generation,
            reused: false,
        })
    }

    /// Keeps a connection whose answer is whole, for those that can be sent again if the child
    /// `may_close` it now.
    pub(super) fn give(&self, mut connection: Connection, may_close: bool, now: Instant) {
        let mut all = self.idle.borrow_mut();
        let place = connection.model.0;
        if all.len() <= place {
            all.resize_with(place + 1, Vec::new);
        }
        let Some(idle) = all.get_mut(place) else {
            return;
        };
        if idle
            .last()
            .is_some_and(|last| last.generation != connection.generation)
        {
            self.close(idle);
        }
        if idle.len() < MOST && self.count.get() < self.most {
            self.count.set(self.count.get() + 1);
            connection.stream.rest();
            idle.push(Idle {
                stream: connection.stream,
                generation: connection.generation,
                since: now,
                may_close,
            });
            if !self.watched.replace(true) {
                self.first.notify_one();
            }
        }
    }

    /// Closes what nobody has used for too long. Never completes; where nothing is idle, nothing
    /// wakes it.
    pub(super) async fn look_after(&self) {
        loop {
            self.first.notified().await;
            while let Some(oldest) = self.close_old() {
                sleep_until((oldest + KEEP).max(Instant::now() + LOOK)).await;
            }
        }
    }

    /// Closes what is kept no longer. Since when the oldest of what is left is idle.
    fn close_old(&self) -> Option<Instant> {
        let mut all = self.idle.borrow_mut();
        for idle in all.iter_mut() {
            idle.retain(|kept| kept.since.elapsed() <= KEEP);
        }
        self.count.set(all.iter().map(Vec::len).sum());
        let oldest = all.iter().flatten().map(|kept| kept.since).min();
        self.watched.set(oldest.is_some());
        oldest
    }

    /// Closes idle connections to instances that are to stop, or belong to no model any more.
    pub(super) fn hang_up(&self, catalog: &Catalog) {
        for (place, idle) in self.idle.borrow_mut().iter_mut().enumerate() {
            let model = catalog.models().iter().find(|model| model.id.0 == place);
            if model.is_none_or(|model| model.endpoint.borrow().is_none()) {
                self.close(idle);
                *idle = Vec::new();
            }
        }
    }

    /// Closes every idle connection.
    pub(super) fn clear(&self) {
        self.idle.borrow_mut().clear();
        self.count.set(0);
    }

    /// Closes those of one model.
    fn close(&self, idle: &mut Vec<Idle>) {
        self.count.set(self.count.get() - idle.len());
        idle.clear();
    }
}

/// Nothing has arrived on an idle connection, not even its end. Costs no system call unless
/// something has.
fn is_quiet(stream: &mut Stream, pool: &Pool) -> bool {
    let mut said = None;
    let mut cx = Context::from_waker(Waker::noop());
    let quiet = Buffer::poll_read(&mut said, pool, stream, &mut cx).is_pending();
    if let Some(said) = said {
        pool.give(said);
    }
    quiet
}

#[cfg(test)]
mod tests {
    use super::super::stream::Socket;
    use super::*;
    use tokio::net::UnixStream;

    const MODEL: ModelId = ModelId(0);
    const GENERATION: Generation = Generation(1);

    /// A connection that nobody has used for so long, and its other end.
    fn unused(seconds: u64, may_close: bool) -> (Upstreams, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let since = Instant::now()
            .checked_sub(Duration::from_secs(seconds))
            .unwrap();
        let idle = Idle {
            stream: Stream::Socket(Socket::unix(ours.into_std().unwrap()).unwrap()),
            generation: GENERATION,
            since,
            may_close,
        };
        let upstreams = Upstreams {
            idle: RefCell::new(vec![vec![idle]]),
            count: Cell::new(1),
            ..Upstreams::new(1)
        };
        (upstreams, theirs)
    }

    #[tokio::test]
    async fn what_cannot_be_sent_again_goes_where_nothing_is_about_to_close() {
        let pool = Pool::default();
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
        assert!(upstreams.close_old().is_some());
        assert!(theirs.try_read(&mut [0]).is_err(), "it is open");
        let (upstreams, theirs) = unused(5, false);
        assert_eq!(upstreams.close_old(), None);
        theirs.readable().await.unwrap();
        assert_eq!(theirs.try_read(&mut [0]).unwrap(), 0, "it is closed");
    }
}
