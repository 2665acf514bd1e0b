//! Defines strong handles, which keep a worker thread running, and weak handles, which do not.

use crate::connection_limiter::ConnectionPermit;
use crate::worker::command::WorkerCommand;
use crate::worker::threads::AcceptedConnection;
use std::cmp::Reverse;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::mpsc;

/// Sends connections and commands to a worker, and keeps it running.
#[derive(Debug, Clone)]
pub(crate) struct WorkerHandle {
    /// Number of the worker's connections.
    pub(crate) connections: Arc<AtomicUsize>,
    pub(crate) sender: mpsc::Sender<WorkerCommand>,
}

/// A weak [`WorkerHandle`]: does not keep the worker running.
#[derive(Debug, Clone)]
pub(crate) struct WeakWorkerHandle {
    connections: Arc<AtomicUsize>,
    sender: mpsc::WeakSender<WorkerCommand>,
}

impl WorkerHandle {
    pub(crate) fn downgrade(&self) -> WeakWorkerHandle {
        WeakWorkerHandle {
            connections: Arc::clone(&self.connections),
            sender: self.sender.downgrade(),
        }
    }

    /// Gives a connection to the worker with the fewest connections. Returns false if no worker runs.
    pub(crate) async fn assign(
        workers: &[Self],
        accepted: AcceptedConnection,
        permit: Option<ConnectionPermit>,
    ) -> bool {
        let least = workers
            .iter()
            .min_by_key(|worker| worker.connections.load(Ordering::Relaxed));
        let Some(worker) = least else {
            return false;
        };
        worker.connections.fetch_add(1, Ordering::Relaxed);
        let serve = WorkerCommand::Accept(accepted, permit);
        let given = worker.sender.send(serve).await.is_ok();
        if !given {
            worker.connections.fetch_sub(1, Ordering::Relaxed);
        }
        given
    }

    /// Closes idle connections of the worker with the most connections that has idle ones. Returns how many.
    pub(crate) async fn close_idle(workers: &[Self]) -> usize {
        let mut workers: Vec<&Self> = workers.iter().collect();
        workers.sort_by_key(|worker| Reverse(worker.connections.load(Ordering::Relaxed)));
        for worker in workers {
            let (closed, mut answer) = mpsc::channel(1);
            // Fails only if the worker has ended; its connections are closed then.
            let _ = worker.sender.send(WorkerCommand::CloseIdle(closed)).await;
            if let Some(closed @ 1..) = answer.recv().await {
                return closed;
            }
        }
        0
    }
}

impl WeakWorkerHandle {
    /// Returns None if the worker has ended.
    pub(crate) fn upgrade(&self) -> Option<WorkerHandle> {
        Some(WorkerHandle {
            connections: Arc::clone(&self.connections),
            sender: self.sender.upgrade()?,
        })
    }
}
