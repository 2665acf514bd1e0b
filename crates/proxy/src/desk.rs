use super::connections::Place;
use super::errand::Errand;
use super::workers::Accepted;
use std::cmp::Reverse;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::mpsc;

/// A way to give a worker connections and errands. The worker runs for as long as there is one.
#[derive(Debug, Clone)]
pub(super) struct Desk {
    pub(super) connections: Arc<AtomicUsize>,
    pub(super) sender: mpsc::Sender<Errand>,
}

/// The same, and the worker may end.
#[derive(Debug, Clone)]
pub(super) struct WeakDesk {
    connections: Arc<AtomicUsize>,
    sender: mpsc::WeakSender<Errand>,
}

impl Desk {
    pub(super) fn downgrade(&self) -> WeakDesk {
        WeakDesk {
            connections: Arc::clone(&self.connections),
            sender: self.sender.downgrade(),
        }
    }

    /// Gives a connection to the worker that has the fewest. Whether one is there to take it.
    pub(super) async fn hand_over(
        desks: &[Self],
        accepted: Accepted,
        place: Option<Place>,
    ) -> bool {
        let least = desks
            .iter()
            .min_by_key(|desk| desk.connections.load(Ordering::Relaxed));
        let Some(desk) = least else {
            return false;
        };
        desk.connections.fetch_add(1, Ordering::Relaxed);
        let serve = Errand::Serve(accepted, place);
        let given = desk.sender.send(serve).await.is_ok();
        if !given {
            desk.connections.fetch_sub(1, Ordering::Relaxed);
        }
        given
    }

    /// Has connections closed that are idle, by the worker with the most connections that has any. Returns
    /// how many are about to close.
    pub(super) async fn close_idle(desks: &[Self]) -> usize {
        let mut desks: Vec<&Self> = desks.iter().collect();
        desks.sort_by_key(|desk| Reverse(desk.connections.load(Ordering::Relaxed)));
        for desk in desks {
            let (closed, mut answer) = mpsc::channel(1);
            // A worker that has ended has no connections.
            let _ = desk.sender.send(Errand::CloseIdle(closed)).await;
            if let Some(closed @ 1..) = answer.recv().await {
                return closed;
            }
        }
        0
    }
}

impl WeakDesk {
    /// Nothing where the worker has ended.
    pub(super) fn upgrade(&self) -> Option<Desk> {
        Some(Desk {
            connections: Arc::clone(&self.connections),
            sender: self.sender.upgrade()?,
        })
    }
}
