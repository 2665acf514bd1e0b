use super::buffer::Pool;
use super::stream::Stream;
use crate::model::Endpoint;
use paddock_scheduler::Generation;
use std::cell::RefCell;
use std::io;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::time::Instant;

/// How long a connection is kept without use. llama-server closes it after 5 s
/// (llama.cpp b11434, `Keep-Alive: timeout=5, max=100`).
const KEEP: Duration = Duration::from_secs(4);

/// The most idle connections a worker keeps to an instance.
const MOST: usize = 256;

/// A worker's connections to one model's instance.
#[derive(Debug, Default)]
pub(super) struct Upstreams {
    idle: RefCell<Vec<Idle>>,
}

#[derive(Debug)]
struct Idle {
    stream: Stream,
    generation: Generation,
    since: Instant,
}

/// A connection to an upstream, in use.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) stream: Stream,
    pub(super) generation: Generation,
    /// It has served a request before, so the child may be about to close it.
    pub(super) reused: bool,
}

impl Upstreams {
    /// An idle connection that looks alive, the youngest first.
    pub(super) fn take(&self, generation: Generation, pool: &Pool) -> Option<Connection> {
        let mut idle = self.idle.borrow_mut();
        while let Some(mut candidate) = idle.pop() {
            if candidate.generation != generation || candidate.since.elapsed() > KEEP {
                // Those below are older still.
                idle.clear();
                return None;
            }
            if is_quiet(&mut candidate.stream, pool) {
                return Some(Connection {
                    stream: candidate.stream,
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
    /// What the system said.
    pub(super) async fn connect(endpoint: &Endpoint) -> io::Result<Connection> {
        Ok(Connection {
            stream: Stream::connect(&endpoint.address).await?,
            generation: endpoint.generation,
            reused: false,
        })
    }

    /// Keeps a connection whose answer is whole.
    pub(super) fn give(&self, connection: Connection) {
        let mut idle = self.idle.borrow_mut();
        if idle
            .last()
            .is_some_and(|last| last.generation != connection.generation)
        {
            idle.clear();
        }
        if idle.len() < MOST {
            idle.push(Idle {
                stream: connection.stream,
                generation: connection.generation,
                since: Instant::now(),
            });
        }
    }

    /// Closes every idle connection.
    pub(super) fn clear(&self) {
        self.idle.borrow_mut().clear();
    }
}

/// Nothing has arrived on an idle connection, not even its end. Costs no system call unless
/// something has.
fn is_quiet(stream: &mut Stream, pool: &Pool) -> bool {
    let mut buffer = pool.take();
    let mut cx = Context::from_waker(Waker::noop());
    let quiet = matches!(buffer.poll_read(stream, &mut cx), Poll::Pending);
    pool.give(buffer);
    quiet
}
