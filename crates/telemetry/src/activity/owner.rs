//! The thread that owns the record of requests.
//!
//! `SQLite` blocks for the disk, so one thread has the file, and others send it what is to be written and
//! ask it for what is wanted. It waits for all of them at once in a runtime of its own.

use super::keeper::Keeper;
use super::{Lifecycle, Listed, Page, Wanted, paddock};
use crate::Batch;
use crate::sink::{Fact, Feed};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};
use tokio::runtime::Builder;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};

/// How many questions may stand before it at once.
const QUESTIONS: usize = 64;

/// How many events may stand before it at once. A load is three or four.
const EVENTS: usize = 256;

/// How many requests are kept for those who follow them as they end; who is slower misses some.
const FOLLOWED: usize = 1024;

/// How long rows are gathered before they are written together. Workers have gathered them before for a
/// quarter of a second, and within a second they are to be in the file.
const GATHER: Duration = Duration::from_millis(500);

/// How long it is until a disk is tried again that took nothing.
const RETRY: Duration = Duration::from_secs(5);

/// How long after a write what is too old or too much is looked for.
const TIDY: Duration = Duration::from_secs(30);

/// How often what has become too old is looked for while nothing is written: seldom, so that nothing wakes
/// an idle machine.
const IDLE: Duration = Duration::from_hours(1);

/// How long others may go first between two steps of deleting.
const STEP: Duration = Duration::from_millis(20);

/// For how long requests are kept in the file; without a time there is none.
pub type Settings = Option<Duration>;

/// Asks for lists.
#[derive(Debug, Clone)]
pub struct Asker {
    questions: mpsc::Sender<Question>,
    ended: broadcast::Sender<Ended>,
    lost: Arc<AtomicU64>,
}

/// A request that has ended, and its place.
pub type Ended = Arc<(u64, Listed)>;

#[derive(Debug)]
enum Question {
    Requests(Wanted, oneshot::Sender<Page<Listed>>),
    Events(Wanted, oneshot::Sender<Page<Lifecycle>>),
}

impl Asker {
    /// The requests that are wanted, newest first. None when paddock ends.
    pub async fn requests(&self, wanted: Wanted) -> Page<Listed> {
        let (answer, answered) = oneshot::channel();
        // The thread ends with paddock.
        let _ = self
            .questions
            .send(Question::Requests(wanted, answer))
            .await;
        answered.await.unwrap_or_default()
    }

    /// The events that are wanted, newest first. None when paddock ends.
    pub async fn events(&self, wanted: Wanted) -> Page<Lifecycle> {
        let (answer, answered) = oneshot::channel();
        let _ = self.questions.send(Question::Events(wanted, answer)).await;
        answered.await.unwrap_or_default()
    }

    /// Each request from now on, as it is listed.
    pub fn follow(&self) -> broadcast::Receiver<Ended> {
        self.ended.subscribe()
    }

    /// How many rows are not kept because the disk took none for too long, or there were too many.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

/// Hands over what happens to models.
#[derive(Debug, Clone)]
pub struct Biographer {
    events: mpsc::Sender<Lifecycle>,
    lost: Arc<AtomicU64>,
}

impl Biographer {
    /// Hands an event over, without waiting. If the thread is that far behind, it is lost and counted.
    pub fn tell(&self, event: Lifecycle) {
        if self.events.try_send(event).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Tells when the thread has ended.
#[derive(Debug)]
pub struct Owner {
    last: oneshot::Sender<Lifecycle>,
    ended: oneshot::Receiver<()>,
}

impl Owner {
    /// Waits until the thread has written what it was given and, behind all of it, what happened last, and
    /// has closed the file. It does so once nobody hands batches over any more.
    pub async fn join(self, last: Lifecycle) {
        // Nobody there is one who panicked.
        let _ = self.last.send(last);
        // A thread that panicked has ended as well.
        let _ = self.ended.await;
    }
}

/// Starts the thread, which keeps what comes in these batches in a state directory, where there is one, and
/// feeds what it keeps to who posts it.
///
/// # Errors
/// The system has no thread for it.
pub fn start(
    directory: Option<PathBuf>,
    settings: watch::Receiver<Settings>,
    batches: mpsc::Receiver<Arc<Batch>>,
    feed: Option<Feed>,
) -> io::Result<(Asker, Biographer, Owner)> {
    let (asker, questions) = mpsc::channel(QUESTIONS);
    let (teller, events) = mpsc::channel(EVENTS);
    let (follow, _) = broadcast::channel(FOLLOWED);
    let (end, ended) = oneshot::channel();
    let (last, heard_last) = oneshot::channel();
    let lost = Arc::new(AtomicU64::new(0));
    let inbox = Inbox {
        batches,
        events,
        questions,
        settings,
        ended: follow.clone(),
        feed,
        last: heard_last,
    };
    let counted = Arc::clone(&lost);
    let runtime = Builder::new_current_thread().enable_time().build()?;
    thread::Builder::new()
        .name("paddock-activity".to_owned())
        .spawn(move || {
            runtime.block_on(inbox.serve(directory, counted));
            // Nobody may wait for it.
            let _ = end.send(());
        })?;
    let asker = Asker {
        questions: asker,
        ended: follow,
        lost: Arc::clone(&lost),
    };
    let teller = Biographer {
        events: teller,
        lost,
    };
    Ok((asker, teller, Owner { last, ended }))
}

/// What comes to the thread.
#[derive(Debug)]
struct Inbox {
    batches: mpsc::Receiver<Arc<Batch>>,
    events: mpsc::Receiver<Lifecycle>,
    questions: mpsc::Receiver<Question>,
    settings: watch::Receiver<Settings>,
    ended: broadcast::Sender<Ended>,
    feed: Option<Feed>,
    /// What happens last. Nothing where paddock does not get that far.
    last: oneshot::Receiver<Lifecycle>,
}

impl Inbox {
    async fn serve(mut self, directory: Option<PathBuf>, lost: Arc<AtomicU64>) {
        let age = *self.settings.borrow_and_update();
        let mut keeper = Keeper::new(directory, age, lost);
        let started = paddock::started(keeper.was_cut_off());
        self.note(&mut keeper, started);
        let mut write = Some(Instant::now() + GATHER);
        let mut tidy = Instant::now();
        loop {
            tokio::select! {
                batch = self.batches.recv() => match batch {
                    Some(batch) => {
                        let at = write.get_or_insert_with(|| Instant::now() + GATHER);
                        if keeper.take(&batch) && !keeper.is_troubled() {
                            *at = Instant::now();
                        }
                        self.tell(keeper.newest(batch.len()));
                    }
                    None => break,
                },
                Some(event) = self.events.recv() => {
                    self.note(&mut keeper, event);
                    write.get_or_insert_with(|| Instant::now() + GATHER);
                }
                Some(question) = self.questions.recv() => answer(&mut keeper, question),
                Ok(()) = self.settings.changed() => {
                    keeper.keep_for(*self.settings.borrow_and_update());
                    write = Some(Instant::now());
                    tidy = Instant::now();
                }
                () = sleep_until(write.unwrap_or(tidy)), if write.is_some() => {
                    keeper.write();
                    tidy = tidy.min(Instant::now() + TIDY);
                    write = keeper.is_troubled().then(|| Instant::now() + RETRY);
                }
                () = sleep_until(tidy) => {
                    let more = keeper.tidy(SystemTime::now());
                    tidy = Instant::now() + if more { STEP } else { IDLE };
                }
            }
        }
        while let Ok(event) = self.events.try_recv() {
            self.note(&mut keeper, event);
        }
        if let Ok(last) = (&mut self.last).await {
            self.note(&mut keeper, last);
        }
        keeper.write();
    }

    fn note(&self, keeper: &mut Keeper, event: Lifecycle) {
        keeper.note(event);
        if let (Some(feed), Some(noted)) = (&self.feed, keeper.newest_event()) {
            feed.tell(Fact::Lifecycle(Box::new(noted.clone())));
        }
    }

    /// Tells those who follow.
    fn tell<'a>(&self, requests: impl Iterator<Item = &'a (u64, Listed)>) {
        if self.ended.receiver_count() == 0 && self.feed.is_none() {
            return;
        }
        for request in requests {
            let ended = Arc::new(request.clone());
            if let Some(feed) = &self.feed {
                feed.tell(Fact::Request(Arc::clone(&ended)));
            }
            // They may have gone just now.
            let _ = self.ended.send(ended);
        }
    }
}

fn answer(keeper: &mut Keeper, question: Question) {
    // Who asked may have gone.
    match question {
        Question::Requests(wanted, answer) => drop(answer.send(keeper.requests(&wanted))),
        Question::Events(wanted, answer) => drop(answer.send(keeper.events(&wanted))),
    }
}
