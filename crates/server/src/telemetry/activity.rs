//! The requests that have ended, listed: the last of them, in memory.

use super::{Batch, Row};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::SystemTime;
use tokio::sync::{broadcast, mpsc, oneshot};

/// How many are kept.
const KEPT: usize = 10_000;

/// How many questions may stand before the list at once.
const QUESTIONS: usize = 64;

/// How many are kept for those who follow them as they end; who is slower misses some.
const FOLLOWED: usize = 1024;

/// A request that has ended, and what it is called.
#[derive(Debug, Clone)]
pub(crate) struct Listed {
    /// Its place: a later end has a greater one.
    pub(crate) seq: u64,
    /// When its first byte came.
    pub(crate) at: SystemTime,
    pub(crate) id: String,
    /// The model it reached.
    pub(crate) model: Option<Arc<str>>,
    pub(crate) row: Row,
}

/// Which of them are wanted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    pub(crate) limit: usize,
    pub(crate) model: Option<String>,
    /// Only those that ended before this one.
    pub(crate) before: Option<u64>,
}

/// Asks for a list.
#[derive(Debug, Clone)]
pub(crate) struct Asker {
    questions: mpsc::Sender<(Wanted, oneshot::Sender<Vec<Listed>>)>,
    ended: broadcast::Sender<Arc<Listed>>,
}

impl Asker {
    /// Those that are wanted, newest first. None when paddock ends.
    pub(crate) async fn list(&self, wanted: Wanted) -> Vec<Listed> {
        let (answer, answered) = oneshot::channel();
        // The list ends with paddock.
        let _ = self.questions.send((wanted, answer)).await;
        answered.await.unwrap_or_default()
    }

    /// Each from now on, as it is listed.
    pub(crate) fn follow(&self) -> broadcast::Receiver<Arc<Listed>> {
        self.ended.subscribe()
    }
}

/// Keeps the list. One task owns it.
#[derive(Debug)]
pub(crate) struct Activity {
    batches: mpsc::Receiver<Batch>,
    questions: mpsc::Receiver<(Wanted, oneshot::Sender<Vec<Listed>>)>,
    /// Those who follow.
    ended: broadcast::Sender<Arc<Listed>>,
    list: VecDeque<Listed>,
    next: u64,
}

impl Activity {
    /// A list of what comes in these batches.
    pub(crate) fn new(batches: mpsc::Receiver<Batch>) -> (Self, Asker) {
        let (asker, questions) = mpsc::channel(QUESTIONS);
        let (ended, _) = broadcast::channel(FOLLOWED);
        let activity = Self {
            batches,
            questions,
            ended: ended.clone(),
            list: VecDeque::new(),
            next: 1,
        };
        let asker = Asker {
            questions: asker,
            ended,
        };
        (activity, asker)
    }

    /// Runs until nobody hands anything over any more.
    pub(crate) async fn run(mut self) {
        loop {
            tokio::select! {
                batch = self.batches.recv() => match batch {
                    Some(batch) => self.take(&batch),
                    None => return,
                },
                Some((wanted, answer)) = self.questions.recv() => {
                    // Who asked may have gone.
                    let _ = answer.send(self.find(&wanted));
                }
            }
        }
    }

    fn take(&mut self, batch: &Batch) {
        for (row, id) in batch.rows() {
            if self.list.len() == KEPT {
                self.list.pop_front();
            }
            let name = |model: paddock_scheduler::ModelId| batch.names.get(model.0).cloned();
            let listed = Listed {
                seq: self.next,
                at: batch.time_of(row.arrived),
                id: String::from_utf8_lossy(id).into_owned(),
                model: row.model.and_then(name).flatten(),
                row: row.clone(),
            };
            if self.ended.receiver_count() > 0 {
                // They may have gone just now.
                let _ = self.ended.send(Arc::new(listed.clone()));
            }
            self.list.push_back(listed);
            self.next += 1;
        }
    }

    fn find(&self, wanted: &Wanted) -> Vec<Listed> {
        let older = |listed: &&Listed| wanted.before.is_none_or(|before| listed.seq < before);
        let of_it = |listed: &&Listed| match &wanted.model {
            Some(model) => listed.model.as_deref() == Some(model.as_str()),
            None => true,
        };
        let found = self.list.iter().rev().filter(older).filter(of_it);
        found.take(wanted.limit).cloned().collect()
    }
}
