//! What has happened, posted to a receiver of the operator's: requests that have ended and what became of
//! models, as `/api/requests` and `/api/lifecycle` list them.
//!
//! The thread that lists them puts them in a bounded queue, without waiting; one task posts what is in it, in
//! batches, one after the other. A batch that is not taken is posted again, and the queue fills meanwhile: what
//! comes when it is full is dropped and counted. No request waits for any of this.
//!
//! | file | holds |
//! |---|---|
//! | `batch.rs` | what is posted together, as JSON |
//! | `policy.rs` | whether a batch is posted again, and when |
//! | `post.rs` | what is posted with a batch, and the token |

mod batch;
mod policy;
mod post;

use crate::outgoing::{Answer, Client, in_words};
use crate::{Ended, Lifecycle};
use batch::Batch;
use paddock_config::Events;
use policy::Verdict;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How many facts may wait while a batch is under way.
const QUEUE: usize = 8192;

/// How long facts are gathered for a batch.
const GATHER: Duration = Duration::from_secs(1);

/// How long the end of paddock waits for what is left to be taken.
const FLUSH: Duration = Duration::from_secs(5);

/// The longest pause between two posts while paddock ends.
const HURRIED: Duration = Duration::from_millis(250);

/// Something that has happened, and its place in the list that it is in.
#[derive(Debug, Clone)]
pub(crate) enum Fact {
    /// A request has ended.
    Request(Ended),
    /// Something has happened to a model, or to paddock.
    Lifecycle(Box<(u64, Lifecycle)>),
}

/// Takes what is to be posted.
#[derive(Debug, Clone)]
pub struct Feed {
    to: mpsc::Sender<Fact>,
    counts: Arc<Counts>,
}

impl Feed {
    /// Puts a fact in the queue. If there is no room it is dropped and counted.
    pub(crate) fn tell(&self, fact: Fact) {
        if self.to.try_send(fact).is_err() {
            add(&self.counts.overload, 1);
        }
    }
}

/// What has become of facts, by their number.
#[derive(Debug, Default)]
pub struct Counts {
    posted: AtomicU64,
    overload: AtomicU64,
    refused: AtomicU64,
    expired: AtomicU64,
}

impl Counts {
    /// How many the receiver has taken.
    pub fn posted(&self) -> u64 {
        self.posted.load(Ordering::Relaxed)
    }

    /// How many it never gets, by the reason.
    pub fn dropped(&self) -> [(&'static str, u64); 3] {
        [
            ("overload", &self.overload),
            ("refused", &self.refused),
            ("expired", &self.expired),
        ]
        .map(|(reason, count)| (reason, count.load(Ordering::Relaxed)))
    }
}

fn add(count: &AtomicU64, facts: usize) {
    count.fetch_add(facts as u64, Ordering::Relaxed);
}

/// The task that posts.
#[derive(Debug)]
pub struct Sink {
    task: JoinHandle<()>,
    ending: CancellationToken,
    /// Counts of posts, for status and metrics.
    pub counts: Arc<Counts>,
}

/// Starts to post what is fed, until nobody feeds any more.
pub fn start(events: Events) -> (Feed, Sink) {
    let (to, facts) = mpsc::channel(QUEUE);
    let counts = Arc::<Counts>::default();
    let ending = CancellationToken::new();
    let poster = Poster {
        events,
        client: Client::default(),
        facts,
        counts: Arc::clone(&counts),
        ending: ending.clone(),
        run: format!("{:032x}", fastrand::u128(..)),
        troubled: false,
    };
    let task = TaskTracker::new().spawn(poster.run());
    let feed = Feed {
        to,
        counts: Arc::clone(&counts),
    };
    let sink = Sink {
        task,
        ending,
        counts,
    };
    (feed, sink)
}

impl Sink {
    /// Waits, not for long, until what was fed is posted. Nobody feeds any more.
    pub async fn finish(mut self) {
        self.ending.cancel();
        if timeout(FLUSH, &mut self.task).await.is_err() {
            self.task.abort();
            tracing::warn!(
                "not every event was taken before the end: those that are left are lost"
            );
        }
    }
}

/// What posts.
struct Poster {
    events: Events,
    client: Client,
    facts: mpsc::Receiver<Fact>,
    counts: Arc<Counts>,
    ending: CancellationToken,
    /// What the keys of this run's batches begin with.
    run: String,
    /// The last batch was not taken at once. It has been said.
    troubled: bool,
}

impl Poster {
    async fn run(mut self) {
        let mut number = 0_u64;
        loop {
            let facts = self.gather().await;
            if facts.is_empty() {
                return;
            }
            number += 1;
            let key = format!("{}-{number}", self.run);
            self.deliver(&Batch::of(&facts, key)).await;
        }
    }

    /// The facts of the next batch. None when nobody feeds any more.
    async fn gather(&mut self) -> Vec<Fact> {
        let mut facts = Vec::new();
        self.facts.recv_many(&mut facts, batch::MOST).await;
        let whole = async {
            while facts.len() < batch::MOST {
                let room = batch::MOST - facts.len();
                if self.facts.recv_many(&mut facts, room).await == 0 {
                    break;
                }
            }
        };
        // What is there when the time is over is the batch.
        let _ = timeout(GATHER, whole).await;
        facts
    }

    /// Posts a batch until it is taken, or given up.
    async fn deliver(&mut self, batch: &Batch) {
        let begun = Instant::now();
        let mut pauses = 0;
        loop {
            let posted = post::post(&self.client, &self.events, batch).await;
            match policy::verdict(&posted, begun.elapsed()) {
                Verdict::Taken => {
                    add(&self.counts.posted, batch.facts);
                    return self.trouble_is_over();
                }
                Verdict::Again { asked } => {
                    self.trouble(&posted);
                    let pause = policy::pause(pauses, asked, fastrand::f64());
                    self.pause(pause).await;
                    pauses += 1;
                }
                Verdict::Refused => {
                    self.trouble(&posted);
                    return add(&self.counts.refused, batch.facts);
                }
                Verdict::Expired => return add(&self.counts.expired, batch.facts),
            }
        }
    }

    /// Waits before the next post. The end of paddock cuts it short.
    async fn pause(&self, pause: Duration) {
        if self.ending.is_cancelled() {
            return sleep(pause.min(HURRIED)).await;
        }
        tokio::select! {
            () = sleep(pause) => {}
            () = self.ending.cancelled() => {}
        }
    }

    fn trouble(&mut self, posted: &Result<Answer, post::PostError>) {
        if std::mem::replace(&mut self.troubled, true) {
            return;
        }
        tracing::warn!(
            url = %self.events.url,
            answer = in_words(posted),
            "events are not taken: they are posted again for as long as that may help, and up to {QUEUE} \
             wait meanwhile"
        );
    }

    fn trouble_is_over(&mut self) {
        if std::mem::take(&mut self.troubled) {
            tracing::info!(url = %self.events.url, "events are taken again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::SystemTime;

    fn fact() -> Fact {
        let event = Lifecycle {
            at: SystemTime::UNIX_EPOCH,
            model: "m".into(),
            event: "ready".into(),
            reason: None,
            message: String::new(),
        };
        Fact::Lifecycle(Box::new((1, event)))
    }

    #[test]
    fn what_finds_no_room_is_counted() {
        let (to, facts) = mpsc::channel(2);
        let counts = Arc::default();
        let feed = Feed { to, counts };
        for _ in 0..5 {
            feed.tell(fact());
        }
        assert_eq!(feed.counts.dropped()[0], ("overload", 3));
        assert_eq!(facts.len(), 2);
    }
}
