use super::at_hand::AllAtHand;
use super::connections::Place;
use super::desk::{Desk, WeakDesk};
use super::workers::Accepted;
use paddock_telemetry::{ModelNames, WorkerCounts};
use std::os::unix::net::UnixStream;
use tokio::sync::mpsc;

/// What a worker is asked to do.
#[derive(Debug)]
pub(super) enum Errand {
    /// Serve another connection. One that was made in this process has no place among clients'.
    Serve(Accepted, Option<Place>),
    /// Close some of the connections that have been idle longest, and say how many.
    CloseIdle(mpsc::Sender<usize>),
    /// End the request of this name, and say whether there was one.
    Cancel {
        name: Vec<u8>,
        found: mpsc::Sender<bool>,
    },
    /// Say what has been counted.
    Count(mpsc::Sender<(WorkerCounts, ModelNames)>),
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
pub struct Errands {
    pub(super) desks: Vec<WeakDesk>,
}

impl Errands {
    /// The workers that have not ended.
    fn desks(&self) -> Vec<Desk> {
        self.desks.iter().filter_map(WeakDesk::upgrade).collect()
    }

    /// Has the worker with the fewest connections serve one more, as if a client had opened it that needs no
    /// key. Whether there is a worker.
    pub async fn serve(&self, stream: UnixStream) -> bool {
        Desk::hand_over(&self.desks(), Accepted::Inside(stream), None).await
    }

    /// What each worker answers. One that has ended answers nothing.
    async fn ask<T>(&self, errand: impl Fn(mpsc::Sender<T>) -> Errand) -> Vec<T> {
        let (answer, mut answers) = mpsc::channel(self.desks.len().max(1));
        for desk in self.desks() {
            let _ = desk.sender.send(errand(answer.clone())).await;
        }
        drop(answer);
        let mut all = Vec::new();
        while let Some(one) = answers.recv().await {
            all.push(one);
        }
        all
    }

    /// Ends the requests of a name that are in flight or queued. How many there were.
    pub async fn cancel(&self, name: &str) -> usize {
        let cancel = |found| Errand::Cancel {
            name: name.as_bytes().to_vec(),
            found,
        };
        let found = self.ask(cancel).await.into_iter();
        found.filter(|found| *found).count()
    }

    /// What each worker has counted. What one has counted that has ended is lost.
    pub async fn counts(&self) -> Vec<(WorkerCounts, ModelNames)> {
        self.ask(Errand::Count).await
    }

    /// The oldest requests that have begun and not ended, up to so many.
    pub async fn at_hand(&self, most: usize) -> AllAtHand {
        let each = self.ask(|told| Errand::AtHand { most, told }).await;
        let mut all = AllAtHand::default();
        for one in each {
            all.merge(one, most);
        }
        all
    }

    /// Makes one worker panic.
    #[cfg(debug_assertions)]
    pub async fn panic(&self) {
        if let Some(desk) = self.desks().first() {
            let _ = desk.sender.send(Errand::Panic).await;
        }
    }
}
