//! Starts the worker threads, and runs each one's event loop.

use super::{Worker, WorkerContext};
use crate::client_connection;
use crate::connection_limiter::ConnectionPermit;
use crate::stream::Stream;
use crate::worker::command::{WorkerCommand, WorkersHandle};
use crate::worker::handle::WorkerHandle;
use paddock_admission::catalog::Catalog;
use paddock_admission::phase::ServicePhase;
use paddock_supervisor::Failpoint;
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

/// A connection as the acceptor hands it over: not registered with a runtime yet.
#[derive(Debug)]
pub enum AcceptedConnection {
    /// A TCP connection.
    Tcp(std::net::TcpStream),
    /// A unix socket connection.
    Unix(std::os::unix::net::UnixStream),
    /// An end of a socket pair, made in this process on behalf of an operator.
    InProcess(std::os::unix::net::UnixStream),
}

impl AsFd for AcceptedConnection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(stream) => stream.as_fd(),
            Self::Unix(stream) | Self::InProcess(stream) => stream.as_fd(),
        }
    }
}

impl AcceptedConnection {
    /// Registers the connection with this runtime.
    pub(crate) fn register(self) -> io::Result<Stream> {
        match self {
            Self::Tcp(stream) => Stream::tcp(stream),
            Self::Unix(stream) | Self::InProcess(stream) => Stream::unix(stream),
        }
    }
}

/// Changes that workers receive.
#[derive(Debug, Clone)]
pub struct WorkerUpdates {
    /// Phase of the service.
    pub phase: watch::Receiver<ServicePhase>,
    /// A counter that changes when the idle connections to a child must close.
    pub hangups: watch::Receiver<u64>,
    /// Models, keys and rules for web pages.
    pub catalog: watch::Receiver<Arc<Catalog>>,
}

/// The threads that serve clients.
#[derive(Debug)]
pub struct WorkerThreads {
    pub(crate) handles: Vec<WorkerHandle>,
    threads: Vec<thread::JoinHandle<()>>,
    /// Closed when every thread has ended; a panicking thread sends.
    running: mpsc::Receiver<()>,
}

/// Capacity of a worker's command queue.
const COMMAND_QUEUE_LEN: usize = 256;

/// Time for connections to send their last bytes after everything in flight is cut.
const CUT_GRACE: Duration = Duration::from_millis(500);

impl WorkerThreads {
    /// Returns a handle that sends commands to all workers.
    pub fn handle(&self) -> WorkersHandle {
        WorkersHandle {
            workers: self.handles.iter().map(WorkerHandle::downgrade).collect(),
        }
    }

    /// Starts `count` threads. Each ends when every acceptor is gone and its connections are closed.
    ///
    /// # Errors
    /// The system has no more threads or file descriptors.
    pub fn start(
        count: usize,
        context: &Arc<WorkerContext>,
        updates: &WorkerUpdates,
    ) -> io::Result<Self> {
        let (alive, running) = mpsc::channel(1);
        let (ready, readiness) = std::sync::mpsc::channel();
        let mut workers = Self {
            handles: Vec::new(),
            threads: Vec::new(),
            running,
        };
        for number in 0..count {
            let (sender, commands) = mpsc::channel(COMMAND_QUEUE_LEN);
            let connections = Arc::new(AtomicUsize::new(0));
            let handle = WorkerHandle {
                connections: Arc::clone(&connections),
                sender,
            };
            let (context, updates, ready) = (Arc::clone(context), updates.clone(), ready.clone());
            let alive = RunningGuard(alive.clone());
            let thread = thread::Builder::new()
                .name(format!("worker-{number}"))
                .spawn(move || {
                    let runtime = Builder::new_current_thread()
                        .enable_all()
                        .build_local(LocalOptions::default());
                    // `start` waits for this.
                    match runtime {
                        Ok(runtime) => {
                            let _ = ready.send(Ok(()));
                            runtime.block_on(serve(context, commands, connections, updates));
                        }
                        Err(error) => {
                            let _ = ready.send(Err(error));
                        }
                    }
                    drop(alive);
                })?;
            workers.threads.push(thread);
            workers.handles.push(handle);
        }
        // Each thread builds its own runtime.
        readiness.iter().take(count).collect::<io::Result<()>>()?;
        Ok(workers)
    }

    /// Waits until a thread has panicked.
    pub async fn panicked(&mut self) {
        let _ = self.running.recv().await;
    }

    /// Waits until every thread has ended.
    pub async fn join(mut self) {
        self.handles.clear();
        while self.running.recv().await.is_some() {}
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a worker thread panicked");
            }
        }
    }
}

/// Held by a running thread; reports a panic on drop.
struct RunningGuard(mpsc::Sender<()>);

impl Drop for RunningGuard {
    fn drop(&mut self) {
        if thread::panicking() {
            // Full: another panic has been reported.
            let _ = self.0.try_send(());
        }
    }
}

/// Receives the next command; `None` once the queue is closed. Can be cancelled without losing a command.
async fn next_command(commands: &mut mpsc::Receiver<WorkerCommand>) -> Option<WorkerCommand> {
    let command = commands.recv().await;
    Failpoint::Worker.check();
    command
}

/// Runs a worker until its command queue closes and its connections have ended.
async fn serve(
    context: Arc<WorkerContext>,
    mut commands: mpsc::Receiver<WorkerCommand>,
    count: Arc<AtomicUsize>,
    mut updates: WorkerUpdates,
) {
    let catalog = Arc::clone(&updates.catalog.borrow_and_update());
    let worker = Rc::new(Worker::new(context, catalog, updates.phase.clone()));
    let tasks = TaskTracker::new();
    let mut upstream_cleanup = pin!(worker.upstreams.run_cleanup());
    let mut row_delivery = pin!(worker.meter.hand_over());
    let mut open = true;
    while open {
        tokio::select! {
            () = &mut upstream_cleanup => {}
            () = &mut row_delivery => {}
            command = next_command(&mut commands) => match command {
                Some(WorkerCommand::Accept(connection, permit)) => {
                    accept(&worker, &tasks, connection, permit, &count);
                }
                Some(WorkerCommand::CloseIdle(reply)) => {
                    // Fails only if the sender no longer waits.
                    let _ = reply.try_send(worker.close_idle());
                }
                Some(WorkerCommand::CancelRequests { name, reply }) => {
                    // Fails only if the sender no longer waits.
                    let _ = reply.try_send(worker.cancel_requests(&name));
                }
                Some(WorkerCommand::Snapshot(reply)) => {
                    let _ = reply.try_send(worker.meter.counts());
                }
                Some(WorkerCommand::ListActive { max, reply }) => {
                    let _ = reply.try_send(worker.list_active(max));
                }
                None => open = false,
            },
            Ok(()) = updates.phase.changed() => worker.set_phase(*updates.phase.borrow_and_update()),
            Ok(()) = updates.hangups.changed() => {
                updates.hangups.mark_unchanged();
                worker.close_stopping_upstreams();
            }
            Ok(()) = updates.catalog.changed() => {
                let catalog = Arc::clone(&updates.catalog.borrow_and_update());
                worker.set_catalog(catalog);
            }
        }
    }
    let mut phase = updates.phase;
    tasks.close();
    loop {
        worker.set_phase(*phase.borrow_and_update());
        let cut = async {
            match worker.phase() {
                ServicePhase::Cut => tokio::time::sleep(CUT_GRACE).await,
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

fn accept(
    worker: &Rc<Worker>,
    tasks: &TaskTracker,
    connection: AcceptedConnection,
    permit: Option<ConnectionPermit>,
    count: &Arc<AtomicUsize>,
) {
    let counted = OpenConnection {
        count: Arc::clone(count),
        _permit: permit,
    };
    let is_in_process = matches!(connection, AcceptedConnection::InProcess(_));
    match connection.register() {
        Ok(stream) => {
            let serving = client_connection::serve(Rc::clone(worker), stream, is_in_process);
            tasks.spawn_local(async move {
                let _counted = counted;
                serving.await;
            });
        }
        Err(error) => tracing::warn!(%error, "cannot register an accepted connection"),
    }
}

/// Counts a connection as the worker's; on drop, uncounts it and releases its permit.
struct OpenConnection {
    count: Arc<AtomicUsize>,
    /// None for a connection made in this process.
    _permit: Option<ConnectionPermit>,
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}
