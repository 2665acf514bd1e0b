//! Posts ended requests and lifecycle events to the operator's receiver, in the form of `/api/requests` and
//! `/api/lifecycle`.
//!
//! The activity thread puts events in a bounded queue without waiting; one task posts them in batches, one
//! after the other. A batch that is not accepted is posted again while the queue fills; events that exceed the
//! queue are dropped and counted. No request waits for this.
//!
//! | file | holds |
//! |---|---|
//! | `batch.rs` | a batch of events as JSON |
//! | `retry_policy.rs` | the decision to post a batch again, and when |
//! | `post.rs` | one post, its header fields and token |

mod batch;
mod post;
mod retry_policy;

use crate::http_client::{HttpAnswer, HttpClient, describe};
use crate::{LifecycleEvent, NumberedRequest};
use batch::PostBatch;
use paddock_config::EventReceiver;
use retry_policy::PostVerdict;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Maximum queued events.
const MAX_QUEUED_EVENTS: usize = 8192;

/// Time that events are gathered for a batch.
const GATHER_TIME: Duration = Duration::from_secs(1);

/// Time limit for posting the remaining events at shutdown.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);

/// Maximum pause between two posts at shutdown.
const MAX_PAUSE_AT_SHUTDOWN: Duration = Duration::from_millis(250);

/// An event to post, with its sequence number.
#[derive(Debug, Clone)]
pub(crate) enum SinkEvent {
    /// An ended request.
    Request(NumberedRequest),
    /// An event of a model or of paddock.
    Lifecycle(Box<(u64, LifecycleEvent)>),
}

/// Queues events to post.
#[derive(Debug, Clone)]
pub struct EventFeed {
    queue: mpsc::Sender<SinkEvent>,
    counts: Arc<PostCounts>,
}

impl EventFeed {
    /// Queues an event; if the queue is full, drops and counts it.
    pub(crate) fn offer(&self, event: SinkEvent) {
        if self.queue.try_send(event).is_err() {
            add(&self.counts.overload, 1);
        }
    }
}

/// Counts of events by their fate.
#[derive(Debug, Default)]
pub struct PostCounts {
    posted: AtomicU64,
    overload: AtomicU64,
    refused: AtomicU64,
    expired: AtomicU64,
}

impl PostCounts {
    /// Returns the number of events that the receiver accepted.
    pub fn posted(&self) -> u64 {
        self.posted.load(Ordering::Relaxed)
    }

    /// Returns the number of dropped events by reason.
    pub fn dropped(&self) -> [(&'static str, u64); 3] {
        [
            ("overload", &self.overload),
            ("refused", &self.refused),
            ("expired", &self.expired),
        ]
        .map(|(reason, count)| (reason, count.load(Ordering::Relaxed)))
    }
}

fn add(count: &AtomicU64, events: usize) {
    count.fetch_add(events as u64, Ordering::Relaxed);
}

/// The running post task.
#[derive(Debug)]
pub struct EventSink {
    task: JoinHandle<()>,
    ending: CancellationToken,
    /// Counts of posts, for status and metrics.
    pub counts: Arc<PostCounts>,
}

/// Starts posting, until every [`EventFeed`] is dropped.
pub fn start(config: EventReceiver) -> (EventFeed, EventSink) {
    let (queue, events) = mpsc::channel(MAX_QUEUED_EVENTS);
    let counts = Arc::<PostCounts>::default();
    let ending = CancellationToken::new();
    let poster = EventPoster {
        config,
        client: HttpClient::default(),
        events,
        counts: Arc::clone(&counts),
        ending: ending.clone(),
        run: format!("{:032x}", fastrand::u128(..)),
        failing: false,
    };
    let task = TaskTracker::new().spawn(poster.run());
    let feed = EventFeed {
        queue,
        counts: Arc::clone(&counts),
    };
    let sink = EventSink {
        task,
        ending,
        counts,
    };
    (feed, sink)
}

impl EventSink {
    /// Waits at most `FLUSH_TIMEOUT` for the queued events to be posted. Every feed must be dropped first.
    pub async fn finish(mut self) {
        self.ending.cancel();
        if timeout(FLUSH_TIMEOUT, &mut self.task).await.is_err() {
            self.task.abort();
            tracing::warn!("shutting down with undelivered events: they are lost");
        }
    }
}

/// Gathers and posts events.
struct EventPoster {
    config: EventReceiver,
    client: HttpClient,
    events: mpsc::Receiver<SinkEvent>,
    counts: Arc<PostCounts>,
    ending: CancellationToken,
    /// Prefix of this run's idempotency keys.
    run: String,
    /// The last batch was not accepted at once, and that has been logged.
    failing: bool,
}

impl EventPoster {
    async fn run(mut self) {
        let mut number = 0_u64;
        loop {
            let events = self.gather().await;
            if events.is_empty() {
                return;
            }
            number += 1;
            let key = format!("{}-{number}", self.run);
            self.deliver(&PostBatch::new(&events, key)).await;
        }
    }

    /// Returns the events of the next batch; empty once every feed is dropped.
    async fn gather(&mut self) -> Vec<SinkEvent> {
        let mut events = Vec::new();
        self.events
            .recv_many(&mut events, batch::MAX_BATCH_EVENTS)
            .await;
        let whole = async {
            while events.len() < batch::MAX_BATCH_EVENTS {
                let room = batch::MAX_BATCH_EVENTS - events.len();
                if self.events.recv_many(&mut events, room).await == 0 {
                    break;
                }
            }
        };
        // At the time limit, the events so far are the batch.
        let _ = timeout(GATHER_TIME, whole).await;
        events
    }

    /// Posts a batch until it is accepted, rejected or expired.
    async fn deliver(&mut self, batch: &PostBatch) {
        let begun = Instant::now();
        let mut retries = 0;
        loop {
            let posted = post::post(&self.client, &self.config, batch).await;
            match retry_policy::judge_post(&posted, begun.elapsed()) {
                PostVerdict::Accepted => {
                    add(&self.counts.posted, batch.events);
                    return self.report_recovery();
                }
                PostVerdict::Retry { asked } => {
                    self.report_failure(&posted);
                    let pause = retry_policy::pause_after(retries, asked, fastrand::f64());
                    self.pause(pause).await;
                    retries += 1;
                }
                PostVerdict::Rejected => {
                    self.report_failure(&posted);
                    return add(&self.counts.refused, batch.events);
                }
                PostVerdict::Expired => return add(&self.counts.expired, batch.events),
            }
        }
    }

    /// Waits before the next post. Shutdown shortens the pause.
    async fn pause(&self, pause: Duration) {
        if self.ending.is_cancelled() {
            return sleep(pause.min(MAX_PAUSE_AT_SHUTDOWN)).await;
        }
        tokio::select! {
            () = sleep(pause) => {}
            () = self.ending.cancelled() => {}
        }
    }

    fn report_failure(&mut self, posted: &Result<HttpAnswer, post::PostError>) {
        if std::mem::replace(&mut self.failing, true) {
            return;
        }
        tracing::warn!(
            url = %self.config.url,
            answer = describe(posted),
            "cannot deliver events; retrying, with up to {MAX_QUEUED_EVENTS} events queued"
        );
    }

    fn report_recovery(&mut self) {
        if std::mem::take(&mut self.failing) {
            tracing::info!(url = %self.config.url, "events are being delivered again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::SystemTime;

    fn event() -> SinkEvent {
        let event = LifecycleEvent {
            at: SystemTime::UNIX_EPOCH,
            model: "m".into(),
            event: "ready".into(),
            reason: None,
            message: String::new(),
        };
        SinkEvent::Lifecycle(Box::new((1, event)))
    }

    #[test]
    fn what_finds_no_room_is_counted() {
        let (queue, events) = mpsc::channel(2);
        let counts = Arc::default();
        let feed = EventFeed { queue, counts };
        for _ in 0..5 {
            feed.offer(event());
        }
        assert_eq!(feed.counts.dropped()[0], ("overload", 3));
        assert_eq!(events.len(), 2);
    }
}
