use super::connection;
use super::connections::Place;
use super::desk::Desk;
use super::errand::{Errand, Errands};
use super::stream::{Socket, Stream};
use super::worker::{Site, Worker};
use paddock_admission::catalog::Catalog;
use paddock_admission::phase::ServicePhase;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{mpsc, watch};
use tokio_util::task::TaskTracker;

/// A connection as the acceptor hands it over: registered with no runtime yet.
#[derive(Debug)]
pub enum Accepted {
    /// A TCP connection.
    Tcp(std::net::TcpStream),
    /// A unix socket connection.
    Unix(std::os::unix::net::UnixStream),
    /// One end of a pair; the other one is an operator's, in this process.
    Inside(std::os::unix::net::UnixStream),
}

impl AsFd for Accepted {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(stream) => stream.as_fd(),
            Self::Unix(stream) | Self::Inside(stream) => stream.as_fd(),
        }
    }
}

impl Accepted {
    /// Makes it a connection on this runtime.
    pub(super) fn register(self) -> io::Result<Stream> {
        let socket = match self {
            Self::Tcp(stream) => Socket::tcp(stream)?,
            Self::Unix(stream) | Self::Inside(stream) => Socket::unix(stream)?,
        };
        Ok(Stream::Socket(socket))
    }
}

/// What workers are told.
#[derive(Debug, Clone)]
pub struct News {
    /// Phase of the service.
    pub phase: watch::Receiver<ServicePhase>,
    /// Idle connections to a child are to be closed.
    pub hangups: watch::Receiver<u64>,
    /// Models, keys and rules for web pages.
    pub catalog: watch::Receiver<Arc<Catalog>>,
}

/// The threads that serve clients.
#[derive(Debug)]
pub struct Workers {
    pub(super) desks: Vec<Desk>,
    threads: Vec<thread::JoinHandle<()>>,
    /// Closed when every thread has ended; a thread that panics sends.
    running: mpsc::Receiver<()>,
}

/// Connections that wait to be taken by a worker.
const WAITING: usize = 256;

/// How long connections may go on after what was in flight is cut: their last words.
const LAST_WORDS: Duration = Duration::from_millis(500);

impl Workers {
    /// A way to ask all of them for something.
    pub fn errands(&self) -> Errands {
        Errands {
            desks: self.desks.iter().map(Desk::downgrade).collect(),
        }
    }

    /// Starts `count` threads. Each ends when every acceptor is gone and its connections are
    /// closed.
    ///
    /// # Errors
    /// The system has no more threads or file descriptors.
    pub fn start(count: usize, site: &Arc<Site>, news: &News) -> io::Result<Self> {
        let (alive, running) = mpsc::channel(1);
        let (ready, readiness) = std::sync::mpsc::channel();
        let mut workers = Self {
            desks: Vec::new(),
            threads: Vec::new(),
            running,
        };
        for number in 0..count {
            let (sender, accepted) = mpsc::channel(WAITING);
            let connections = Arc::new(AtomicUsize::new(0));
            let desk = Desk {
                connections: Arc::clone(&connections),
                sender,
            };
            let (site, news, ready) = (Arc::clone(site), news.clone(), ready.clone());
            let alive = Alive(alive.clone());
            let thread = thread::Builder::new()
                .name(format!("worker-{number}"))
                .spawn(move || {
                    let runtime = Builder::new_current_thread()
                        .enable_all()
                        .build_local(LocalOptions::default());
                    // Who started it waits for this.
                    match runtime {
                        Ok(runtime) => {
                            let _ = ready.send(Ok(()));
                            runtime.block_on(serve(site, accepted, connections, news));
                        }
                        Err(error) => {
                            let _ = ready.send(Err(error));
                        }
                    }
                    drop(alive);
                })?;
            workers.threads.push(thread);
            workers.desks.push(desk);
        }
        // The runtime of a thread is made on it.
        readiness.iter().take(count).collect::<io::Result<()>>()?;
        Ok(workers)
    }

    /// Waits until a thread has ended by a panic.
    pub async fn broken(&mut self) {
        let _ = self.running.recv().await;
    }

    /// Waits until every thread has ended.
    pub async fn join(mut self) {
        self.desks.clear();
        while self.running.recv().await.is_some() {}
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a worker thread panicked");
            }
        }
    }
}

/// Held by a thread that runs.
struct Alive(mpsc::Sender<()>);

impl Drop for Alive {
    fn drop(&mut self) {
        if thread::panicking() {
            // Full: another one has said so.
            let _ = self.0.try_send(());
        }
    }
}

/// A worker's life.
async fn serve(
    site: Arc<Site>,
    mut errands: mpsc::Receiver<Errand>,
    count: Arc<AtomicUsize>,
    mut news: News,
) {
    let catalog = Arc::clone(&news.catalog.borrow_and_update());
    let worker = Rc::new(Worker::new(site, catalog, news.phase.clone()));
    let tasks = TaskTracker::new();
    let mut looking = pin!(worker.upstreams.look_after());
    let mut handing = pin!(worker.meter.hand_over());
    let mut open = true;
    while open {
        tokio::select! {
            () = &mut looking => {}
            () = &mut handing => {}
            next = errands.recv() => match next {
                Some(Errand::Serve(next, place)) => take(&worker, &tasks, next, place, &count),
                Some(Errand::CloseIdle(closed)) => {
                    // Who asked may have gone.
                    let _ = closed.try_send(worker.close_idle());
                }
                Some(Errand::Cancel { name, found }) => {
                    // Who asked may have gone.
                    let _ = found.try_send(worker.cancel(&name));
                }
                Some(Errand::Count(counted)) => {
                    let _ = counted.try_send(worker.meter.counts());
                }
                Some(Errand::AtHand { most, told }) => {
                    let _ = told.try_send(worker.at_hand(most));
                }
                #[cfg(debug_assertions)]
                Some(Errand::Panic) => panic!("the worker was told to panic"),
                None => open = false,
            },
            Ok(()) = news.phase.changed() => worker.set_phase(*news.phase.borrow_and_update()),
            Ok(()) = news.hangups.changed() => {
                news.hangups.mark_unchanged();
                worker.hang_up();
            }
            Ok(()) = news.catalog.changed() => {
                let catalog = Arc::clone(&news.catalog.borrow_and_update());
                worker.set_catalog(catalog);
            }
        }
    }
    let mut phase = news.phase;
    tasks.close();
    loop {
        worker.set_phase(*phase.borrow_and_update());
        let cut = async {
            match worker.phase() {
                ServicePhase::Cut => tokio::time::sleep(LAST_WORDS).await,
                ServicePhase::Serving | ServicePhase::Draining => std::future::pending().await,
            }
        };
        tokio::select! {
            () = tasks.wait() => return,
            Ok(()) = phase.changed() => {}
            () = cut => return,
        }
    }
}

fn take(
    worker: &Rc<Worker>,
    tasks: &TaskTracker,
    next: Accepted,
    place: Option<Place>,
    count: &Arc<AtomicUsize>,
) {
    let counted = Counted {
        count: Arc::clone(count),
        _place: place,
    };
    let inside = matches!(next, Accepted::Inside(_));
    match next.register() {
        Ok(stream) => {
            let serving = connection::serve(Rc::clone(worker), stream, inside);
            tasks.spawn_local(async move {
                let _counted = counted;
                serving.await;
            });
        }
        Err(error) => tracing::warn!(%error, "a connection could not be taken"),
    }
}

/// Takes a connection off a worker's count when it ends, and frees its place.
struct Counted {
    count: Arc<AtomicUsize>,
    /// None of a connection that was made in this process.
    _place: Option<Place>,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}
