//! Runs the thread that owns the activity log.
//!
//! `SQLite` blocks for the disk, so one thread owns the file; other tasks send it entries and queries. A
//! runtime of its own waits for all inputs at once.

use super::activity_log::ActivityLog;
use super::{ActivityQuery, LifecycleEvent, LoggedRequest, Page, paddock_events};
use crate::RecordBatch;
use crate::sink::{EventFeed, SinkEvent};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};
use tokio::runtime::Builder;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};

/// Maximum queued queries.
const MAX_QUEUED_COMMANDS: usize = 64;

/// Maximum queued events. One load causes three or four.
const MAX_QUEUED_EVENTS: usize = 256;

/// Ended requests buffered for subscribers; a slower subscriber misses some.
const MAX_UNREAD_REQUESTS: usize = 1024;

/// Delay between the first new entry and the write. Workers have gathered records for a quarter of a second
/// before, and an entry should be in the file within a second.
const WRITE_DELAY: Duration = Duration::from_millis(500);

/// Time between write attempts while the disk fails.
const RETRY_INTERVAL: Duration = Duration::from_secs(5);

/// Time from a write to the next pruning.
const PRUNE_DELAY: Duration = Duration::from_secs(30);

/// Time between prunings while nothing is written: long, so that an idle machine sleeps.
const IDLE_PRUNE_INTERVAL: Duration = Duration::from_hours(1);

/// Pause between two pruning steps, for other work.
const PRUNE_STEP_INTERVAL: Duration = Duration::from_millis(20);

/// Retention of requests in the file; None disables the file.
pub type ActivityRetention = Option<Duration>;

/// Queries the activity log.
#[derive(Debug, Clone)]
pub struct ActivityHandle {
    commands: mpsc::Sender<ActivityCommand>,
    ended_requests: broadcast::Sender<NumberedRequest>,
    lost: Arc<AtomicU64>,
}

/// An ended request and its sequence number.
pub type NumberedRequest = Arc<(u64, LoggedRequest)>;

/// A query, with the channel for its result.
#[derive(Debug)]
enum ActivityCommand {
    ListRequests(ActivityQuery, oneshot::Sender<Page<LoggedRequest>>),
    ListEvents(ActivityQuery, oneshot::Sender<Page<LifecycleEvent>>),
}

impl ActivityHandle {
    /// Returns the selected requests, newest first; empty once paddock stops.
    pub async fn requests(&self, query: ActivityQuery) -> Page<LoggedRequest> {
        let (answer, answered) = oneshot::channel();
        // Sending fails only while paddock stops.
        let _ = self
            .commands
            .send(ActivityCommand::ListRequests(query, answer))
            .await;
        answered.await.unwrap_or_default()
    }

    /// Returns the selected events, newest first; empty once paddock stops.
    pub async fn events(&self, query: ActivityQuery) -> Page<LifecycleEvent> {
        let (answer, answered) = oneshot::channel();
        let _ = self
            .commands
            .send(ActivityCommand::ListEvents(query, answer))
            .await;
        answered.await.unwrap_or_default()
    }

    /// Subscribes to requests as they end.
    pub fn subscribe(&self) -> broadcast::Receiver<NumberedRequest> {
        self.ended_requests.subscribe()
    }

    /// Returns the number of entries lost to a failing disk or a full queue.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

/// Sends lifecycle events to the activity log.
#[derive(Debug, Clone)]
pub struct LifecycleSender {
    events: mpsc::Sender<LifecycleEvent>,
    lost: Arc<AtomicU64>,
}

impl LifecycleSender {
    /// Queues an event without waiting. If the queue is full, the event is dropped and counted.
    pub fn send(&self, event: LifecycleEvent) {
        if self.events.try_send(event).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The running thread.
#[derive(Debug)]
pub struct ActivityThread {
    last: oneshot::Sender<LifecycleEvent>,
    ended: oneshot::Receiver<()>,
}

impl ActivityThread {
    /// Waits until the thread has written all queued entries and `last`, and has closed the file. All senders
    /// of batches must be dropped first.
    pub async fn join(self, last: LifecycleEvent) {
        // Sending fails only if the thread has panicked.
        let _ = self.last.send(last);
        // A thread that panicked has ended as well.
        let _ = self.ended.await;
    }
}

/// Starts the thread, which logs these batches in the state directory, if any, and passes the entries on to
/// `feed`.
///
/// # Errors
/// The system cannot start a thread.
pub fn start_activity_thread(
    directory: Option<PathBuf>,
    retention: watch::Receiver<ActivityRetention>,
    batches: mpsc::Receiver<Arc<RecordBatch>>,
    feed: Option<EventFeed>,
) -> io::Result<(ActivityHandle, LifecycleSender, ActivityThread)> {
    let (handle, commands) = mpsc::channel(MAX_QUEUED_COMMANDS);
    let (sender, events) = mpsc::channel(MAX_QUEUED_EVENTS);
    let (ended_requests, _) = broadcast::channel(MAX_UNREAD_REQUESTS);
    let (end, ended) = oneshot::channel();
    let (last, last_event) = oneshot::channel();
    let lost = Arc::new(AtomicU64::new(0));
    let inbox = Inbox {
        batches,
        events,
        commands,
        retention,
        ended_requests: ended_requests.clone(),
        feed,
        last: last_event,
    };
    let lost_counter = Arc::clone(&lost);
    let runtime = Builder::new_current_thread().enable_time().build()?;
    thread::Builder::new()
        .name("paddock-activity".to_owned())
        .spawn(move || {
            runtime.block_on(inbox.serve(directory, lost_counter));
            // Sending fails if nothing waits for the end.
            let _ = end.send(());
        })?;
    let handle = ActivityHandle {
        commands: handle,
        ended_requests,
        lost: Arc::clone(&lost),
    };
    let sender = LifecycleSender {
        events: sender,
        lost,
    };
    Ok((handle, sender, ActivityThread { last, ended }))
}

/// Inputs of the thread.
#[derive(Debug)]
struct Inbox {
    batches: mpsc::Receiver<Arc<RecordBatch>>,
    events: mpsc::Receiver<LifecycleEvent>,
    commands: mpsc::Receiver<ActivityCommand>,
    retention: watch::Receiver<ActivityRetention>,
    ended_requests: broadcast::Sender<NumberedRequest>,
    feed: Option<EventFeed>,
    /// The last event; the sender is dropped unsent if paddock fails early.
    last: oneshot::Receiver<LifecycleEvent>,
}

impl Inbox {
    async fn serve(mut self, directory: Option<PathBuf>, lost: Arc<AtomicU64>) {
        let retention = *self.retention.borrow_and_update();
        let mut log = ActivityLog::new(directory, retention, lost);
        let started = paddock_events::started_event(log.was_previous_run_cut_off());
        self.add_event(&mut log, started);
        let mut write_at = Some(Instant::now() + WRITE_DELAY);
        let mut prune_at = Instant::now();
        loop {
            tokio::select! {
                batch = self.batches.recv() => match batch {
                    Some(batch) => {
                        let at = write_at.get_or_insert_with(|| Instant::now() + WRITE_DELAY);
                        if log.add_requests(&batch) && !log.is_failing() {
                            *at = Instant::now();
                        }
                        self.publish(log.newest_requests(batch.len()));
                    }
                    None => break,
                },
                Some(event) = self.events.recv() => {
                    self.add_event(&mut log, event);
                    write_at.get_or_insert_with(|| Instant::now() + WRITE_DELAY);
                }
                Some(command) = self.commands.recv() => handle_command(&mut log, command),
                Ok(()) = self.retention.changed() => {
                    log.set_retention(*self.retention.borrow_and_update());
                    write_at = Some(Instant::now());
                    prune_at = Instant::now();
                }
                () = sleep_until(write_at.unwrap_or(prune_at)), if write_at.is_some() => {
                    log.write();
                    prune_at = prune_at.min(Instant::now() + PRUNE_DELAY);
                    write_at = log.is_failing().then(|| Instant::now() + RETRY_INTERVAL);
                }
                () = sleep_until(prune_at) => {
                    let more = log.prune(SystemTime::now());
                    prune_at = Instant::now() + if more { PRUNE_STEP_INTERVAL } else { IDLE_PRUNE_INTERVAL };
                }
            }
        }
        while let Ok(event) = self.events.try_recv() {
            self.add_event(&mut log, event);
        }
        if let Ok(last) = (&mut self.last).await {
            self.add_event(&mut log, last);
        }
        log.write();
    }

    fn add_event(&self, log: &mut ActivityLog, event: LifecycleEvent) {
        log.add_event(event);
        if let (Some(feed), Some(noted)) = (&self.feed, log.newest_event()) {
            feed.offer(SinkEvent::Lifecycle(Box::new(noted.clone())));
        }
    }

    /// Sends requests to subscribers and to the event sink.
    fn publish<'a>(&self, requests: impl Iterator<Item = &'a (u64, LoggedRequest)>) {
        if self.ended_requests.receiver_count() == 0 && self.feed.is_none() {
            return;
        }
        for request in requests {
            let ended = Arc::new(request.clone());
            if let Some(feed) = &self.feed {
                feed.offer(SinkEvent::Request(Arc::clone(&ended)));
            }
            // The last subscriber may have left meanwhile.
            let _ = self.ended_requests.send(ended);
        }
    }
}

fn handle_command(log: &mut ActivityLog, command: ActivityCommand) {
    // The caller may have left meanwhile.
    match command {
        ActivityCommand::ListRequests(query, answer) => drop(answer.send(log.requests(&query))),
        ActivityCommand::ListEvents(query, answer) => drop(answer.send(log.events(&query))),
    }
}
