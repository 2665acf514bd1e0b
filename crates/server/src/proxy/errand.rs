use super::at_hand::AllAtHand;
use super::workers::{Accepted, Desk};
use crate::telemetry::{Counts, Names};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::mpsc;

/// What a worker is asked to do.
#[derive(Debug)]
pub(super) enum Errand {
    /// Serve another connection.
    Serve(Accepted),
    /// End the request of this name, and say whether there was one.
    Cancel {
        name: Vec<u8>,
        found: mpsc::Sender<bool>,
    },
    /// Say what has been counted.
    Count(mpsc::Sender<(Counts, Names)>),
    /// Say which requests are at hand, the oldest so many of them.
    AtHand {
        most: usize,
        told: mpsc::Sender<AllAtHand>,
    },
    /// Panic, for tests of what follows.
    #[cfg(debug_assertions)]
    Panic,
}

/// A way to ask all workers for something. It keeps none of them running.
#[derive(Debug, Clone)]
pub(crate) struct Errands {
    pub(super) workers: Vec<mpsc::WeakSender<Errand>>,
    /// How many connections each has.
    pub(super) connections: Vec<Arc<AtomicUsize>>,
}

impl Errands {
    /// Has the worker with the fewest connections serve one more, as if a client had opened it. Whether
    /// there is a worker.
    pub(crate) async fn serve(&self, stream: std::os::unix::net::UnixStream) -> bool {
        let workers = self.workers.iter().zip(&self.connections);
        let least = workers.min_by_key(|(_, connections)| connections.load(Ordering::Relaxed));
        let Some((sender, connections)) =
            least.and_then(|(worker, connections)| Some((worker.upgrade()?, connections)))
        else {
            return false;
        };
        let connections = Arc::clone(connections);
        let desk = Desk {
            connections,
            sender,
        };
        desk.hand_over(Accepted::Unix(stream)).await
    }

    /// Ends the requests of a name that are in flight or queued. How many there were.
    pub(crate) async fn cancel(&self, name: &str) -> usize {
        let (found, mut answers) = mpsc::channel(self.workers.len().max(1));
        for worker in &self.workers {
            if let Some(worker) = worker.upgrade() {
                let errand = Errand::Cancel {
                    name: name.as_bytes().to_vec(),
                    found: found.clone(),
                };
                // A worker that has ended has no requests.
                let _ = worker.send(errand).await;
            }
        }
        drop(found);
        let mut count = 0;
        while let Some(found) = answers.recv().await {
            count += usize::from(found);
        }
        count
    }

    /// What each worker has counted.
    pub(crate) async fn counts(&self) -> Vec<(Counts, Names)> {
        let (counted, mut answers) = mpsc::channel(self.workers.len().max(1));
        for worker in &self.workers {
            if let Some(worker) = worker.upgrade() {
                // What a worker has counted that has ended is lost.
                let _ = worker.send(Errand::Count(counted.clone())).await;
            }
        }
        drop(counted);
        let mut all = Vec::new();
        while let Some(counts) = answers.recv().await {
            all.push(counts);
        }
        all
    }

    /// The oldest requests that have begun and not ended, up to so many.
    pub(crate) async fn at_hand(&self, most: usize) -> AllAtHand {
        let (told, mut answers) = mpsc::channel(self.workers.len().max(1));
        for worker in &self.workers {
            if let Some(worker) = worker.upgrade() {
                let told = told.clone();
                // A worker that has ended has no requests.
                let _ = worker.send(Errand::AtHand { most, told }).await;
            }
        }
        drop(told);
        let mut all = AllAtHand::default();
        while let Some(one) = answers.recv().await {
            all.merge(one, most);
        }
        all
    }

    /// Makes one worker panic.
    #[cfg(debug_assertions)]
    pub(crate) async fn panic(&self) {
        if let Some(worker) = self.workers.first().and_then(mpsc::WeakSender::upgrade) {
            let _ = worker.send(Errand::Panic).await;
        }
    }
}
