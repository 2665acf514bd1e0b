use super::buffer::Pool;
use super::stream::Stream;
use crate::catalog::Catalog;
use crate::model::Endpoint;
use paddock_scheduler::{Generation, ModelId};
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

/// A worker's idle connections to instances, in each model's place.
#[derive(Debug, Default)]
pub(super) struct Upstreams {
    idle: RefCell<Vec<Vec<Idle>>>,
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
    pub(super) model: ModelId,
    pub(super) generation: Generation,
    /// It has served a request before, so the child may be about to close it.
    pub(super) reused: bool,
}

impl Upstreams {
    /// An idle connection that looks alive, the youngest first.
    pub(super) fn take(
        &self,
        model: ModelId,
        generation: Generation,
        pool: &Pool,
    ) -> Option<Connection> {
        let mut all = self.idle.borrow_mut();
        let idle = all.get_mut(model.0)?;
        while let Some(mut candidate) = idle.pop() {
            if candidate.generation != generation || candidate.since.elapsed() > KEEP {
                // Those below are older still.
                idle.clear();
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
    /// What the system said.
    pub(super) async fn connect(model: ModelId, endpoint: &Endpoint) -> io::Result<Connection> {
        Ok(Connection {
            stream: Stream::connect(&endpoint.address).await?,
            model,
            generation: endpoint.generation,
            reused: false,
        })
    }

    /// Keeps a connection whose answer is whole.
    pub(super) fn give(&self, connection: Connection) {
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

    /// Closes idle connections to instances that are to stop, or belong to no model any more.
    pub(super) fn hang_up(&self, catalog: &Catalog) {
        for (place, idle) in self.idle.borrow_mut().iter_mut().enumerate() {
            let model = catalog.models().iter().find(|model| model.id.0 == place);
            if model.is_none_or(|model| model.endpoint.borrow().is_none()) {
                *idle = Vec::new();
            }
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
