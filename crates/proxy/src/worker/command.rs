//! Commands to worker threads, and the handle that other parts of paddock send them with.

use crate::active_requests::ActiveRequests;
use crate::connection_limiter::ConnectionPermit;
use crate::worker::handle::{WeakWorkerHandle, WorkerHandle};
use crate::worker::threads::AcceptedConnection;
use paddock_telemetry::{ModelNames, WorkerCounts};
use std::os::unix::net::UnixStream;
use tokio::sync::mpsc;

/// Command to a worker. Workers answer on the sender in the command.
#[derive(Debug)]
pub(crate) enum WorkerCommand {
    /// Serve a connection. The permit is the connection's share of the connection limit; a connection made in this
    /// process needs none.
    Accept(AcceptedConnection, Option<ConnectionPermit>),
    /// Close some of the connections that have been idle longest, and return how many.
    CloseIdle(mpsc::Sender<usize>),
    /// Cancel the requests whose `x-request-id` is `name`, and return whether there was one.
    CancelRequests {
        name: Vec<u8>,
        reply: mpsc::Sender<bool>,
    },
    /// Return the counters.
    Snapshot(mpsc::Sender<(WorkerCounts, ModelNames)>),
    /// List the `max` oldest active requests.
    ListActive {
        max: usize,
        reply: mpsc::Sender<ActiveRequests>,
    },
}

/// Sends commands to all workers. A worker can end although this handle exists.
#[derive(Debug, Clone)]
pub struct WorkersHandle {
    pub(crate) workers: Vec<WeakWorkerHandle>,
}

impl WorkersHandle {
    /// Returns handles of the workers that still run.
    fn running(&self) -> Vec<WorkerHandle> {
        self.workers
            .iter()
            .filter_map(WeakWorkerHandle::upgrade)
            .collect()
    }

    /// Gives the worker with the fewest connections one that needs no key. Returns false if no worker runs.
    pub async fn accept(&self, stream: UnixStream) -> bool {
        WorkerHandle::assign(&self.running(), AcceptedConnection::InProcess(stream), None).await
    }

    /// Sends a command to each worker and returns the replies. A worker that has ended sends none.
    pub(crate) async fn ask<T>(
        &self,
        command: impl Fn(mpsc::Sender<T>) -> WorkerCommand,
    ) -> Vec<T> {
        let (answer, mut answers) = mpsc::channel(self.workers.len().max(1));
        for worker in self.running() {
            let _ = worker.sender.send(command(answer.clone())).await;
        }
        drop(answer);
        let mut all = Vec::new();
        while let Some(one) = answers.recv().await {
            all.push(one);
        }
        all
    }

    /// Returns each worker's counters. Those of a worker that has ended are lost.
    pub async fn counts(&self) -> Vec<(WorkerCounts, ModelNames)> {
        self.ask(WorkerCommand::Snapshot).await
    }
}
