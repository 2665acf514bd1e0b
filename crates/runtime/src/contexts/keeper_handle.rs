//! Ends the task that keeps the conversations of a child.

use std::time::Duration;

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};

use super::difference::{DifferenceError, DifferenceQuery};

/// Ends the keeper of a child. Dropping the handle ends it without a save.
#[derive(Debug)]
pub(crate) struct KeeperHandle {
    stop: oneshot::Sender<StopRequest>,
    queries: mpsc::Sender<DifferenceQuery>,
}

/// A request to save what is worth it for at most `limit`, before the child stops.
#[derive(Debug)]
pub(super) struct StopRequest {
    pub(super) limit: Duration,
    pub(super) saved: oneshot::Sender<()>,
}

impl KeeperHandle {
    pub(super) fn new(
        stop: oneshot::Sender<StopRequest>,
        queries: mpsc::Sender<DifferenceQuery>,
    ) -> Self {
        Self { stop, queries }
    }

    /// Passes a question to the keeper without waiting for the answer.
    ///
    /// # Errors
    ///
    /// Returns the question and the reason why the keeper does not take it.
    pub(crate) fn ask(
        &self,
        query: DifferenceQuery,
    ) -> Result<(), (DifferenceQuery, DifferenceError)> {
        self.queries.try_send(query).map_err(|error| match error {
            TrySendError::Full(query) => (query, DifferenceError::TooManyQueries),
            TrySendError::Closed(query) => (query, DifferenceError::NotLoaded),
        })
    }

    /// Saves the child's conversations until `deadline`, which may move. The keeper then commits the files and removes
    /// the child's directory while the child stops. Returns false if the child may still be saving.
    pub(crate) async fn save_all(self, mut deadline: watch::Receiver<Instant>) -> bool {
        let (saved, mut is_saved) = oneshot::channel();
        let limit = deadline.borrow().saturating_duration_since(Instant::now());
        if self.stop.send(StopRequest { limit, saved }).is_err() {
            return true;
        }
        loop {
            let until = *deadline.borrow_and_update();
            tokio::select! {
                biased;
                // An error means that the keeper has ended.
                _ = &mut is_saved => return true,
                () = sleep_until(until) => return false,
                Ok(()) = deadline.changed() => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handle(stop: oneshot::Sender<StopRequest>) -> KeeperHandle {
        KeeperHandle::new(stop, mpsc::channel(1).0)
    }

    #[tokio::test(start_paused = true)]
    async fn the_deadline_may_move() {
        let (stop, stopped) = oneshot::channel();
        let now = Instant::now();
        let (sender, deadline) = watch::channel(now + Duration::from_secs(5));
        let hurrying = async {
            let request: StopRequest = stopped.await.unwrap();
            assert_eq!(request.limit, Duration::from_secs(5));
            sender.send_replace(now + Duration::from_secs(1));
            request
        };
        let (is_saved, _request) = tokio::join!(handle(stop).save_all(deadline), hurrying);
        assert!(!is_saved, "the child may still be saving");
        assert_eq!(now.elapsed(), Duration::from_secs(1));
    }

    #[tokio::test]
    async fn a_keeper_that_has_saved_or_ended_is_not_waited_for() {
        for answers in [true, false] {
            let (stop, stopped) = oneshot::channel();
            let (_sender, deadline) = watch::channel(Instant::now() + Duration::from_mins(1));
            let answering = async {
                let request: StopRequest = stopped.await.unwrap();
                match answers {
                    true => request.saved.send(()).unwrap(),
                    false => drop(request),
                }
            };
            let (is_saved, ()) = tokio::join!(handle(stop).save_all(deadline), answering);
            assert!(is_saved);
        }
    }
}
