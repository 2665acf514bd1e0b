//! Streams changes as server-sent events (`GET /api/events`).
//!
//! A subscriber is one client of the stream. When it can receive data and the state has changed, paddock takes a
//! snapshot and sends the difference to the last snapshot sent. So a slow subscriber misses intermediate states of a
//! model but not the last one; of ended requests that it missed, it gets the number. Snapshots are taken only for
//! subscribers.

mod status_diff;

use self::status_diff::SentStatus;
use super::openapi::responses::Denied;
use super::{AdminContext, active_requests, status};
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use paddock_api::{Event, MissedRequests};
use paddock_proxy::ActiveRequests;
use paddock_telemetry::NumberedRequest;
use std::convert::Infallible;
use std::fmt::Write;
use std::time::Duration;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::{broadcast, watch};
use tokio::time::{Instant, sleep_until};

/// Time during which changes are combined into one difference.
const COALESCE_INTERVAL: Duration = Duration::from_millis(100);

/// Time between two queries of the workers (the threads that serve clients) for active requests.
const IN_FLIGHT_POLL_INTERVAL: Duration = Duration::from_millis(500);

/// Longest silence before a comment is sent. Comments let either side notice that the other has gone.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// Size of a chunk of ended requests at which further ones wait for the next chunk.
const MAX_CHUNK_BYTES: usize = 32 * 1024;

/// Streams a snapshot, then each change, as server-sent events until paddock has stopped.
///
/// The events, and the types of their data:
///
/// - `snapshot`: `Status`, without `connections`
/// - `model`: `Model`
/// - `removed`: `RemovedModel`
/// - `memory`: `MemoryUsage`
/// - `request`: `EndedRequest`
/// - `in_flight`: `ActiveRequests`
/// - `missed`: `MissedRequests`
///
/// Ignore events with other names.
#[utoipa::path(
    get,
    path = "/api/events",
    operation_id = "events",
    tag = "paddock",
    responses(
        (status = 200, description = "The events, first a `snapshot`.", content(("text/event-stream"))),
        Denied,
    ),
)]
pub(super) async fn events(State(admin): State<AdminContext>) -> Response {
    let chunks = stream::unfold(Subscriber::new(admin), |mut subscriber| async move {
        let chunk = subscriber.next().await?;
        Some((Ok::<_, Infallible>(Bytes::from(chunk)), subscriber))
    });
    let fields = [
        (CONTENT_TYPE, "text/event-stream"),
        (CACHE_CONTROL, "no-store"),
    ];
    (fields, Body::from_stream(chunks)).into_response()
}

/// A subscriber and the last state sent to it.
struct Subscriber {
    admin: AdminContext,
    changes: watch::Receiver<u64>,
    ended: broadcast::Receiver<NumberedRequest>,
    sent: Option<SentStatus>,
    in_flight: ActiveRequests,
    /// Time to send the next difference, if anything has changed.
    next_status: Option<Instant>,
    /// Time to query the workers again.
    next_poll: Instant,
    /// Time to send a comment.
    next_keepalive: Instant,
}

impl Subscriber {
    fn new(admin: AdminContext) -> Self {
        let now = Instant::now();
        Self {
            changes: admin.shared.runtime.changes(),
            ended: admin.activity.subscribe(),
            admin,
            sent: None,
            in_flight: ActiveRequests::default(),
            next_status: None,
            next_poll: now,
            next_keepalive: now + KEEPALIVE_INTERVAL,
        }
    }

    /// Waits for the next events. Returns `None` when the runtime actor has ended.
    async fn next(&mut self) -> Option<String> {
        let mut text = String::new();
        if self.sent.is_none() {
            self.write_status(&mut text).await?;
        }
        while text.is_empty() {
            tokio::select! {
                changed = self.changes.changed(), if self.next_status.is_none() => {
                    changed.ok()?;
                    self.schedule_status();
                }
                ended = self.ended.recv() => self.write_ended(ended, &mut text)?,
                () = sleep_until(self.next_status.unwrap_or(self.next_keepalive)), if self.next_status.is_some() => {
                    self.write_status(&mut text).await?;
                }
                () = sleep_until(self.next_poll) => self.write_in_flight(&mut text).await,
                () = sleep_until(self.next_keepalive) => text.push_str(":\n\n"),
            }
        }
        self.next_keepalive = Instant::now() + KEEPALIVE_INTERVAL;
        Some(text)
    }

    fn schedule_status(&mut self) {
        self.next_status
            .get_or_insert_with(|| Instant::now() + COALESCE_INTERVAL);
    }

    /// Writes the difference to the last status sent; the first time, the whole status.
    async fn write_status(&mut self, text: &mut String) -> Option<()> {
        self.next_status = None;
        self.changes.mark_unchanged();
        let status = status::to_api(&self.admin.shared.runtime.snapshot().await?);
        match &mut self.sent {
            Some(sent) => {
                for event in sent.changes_to(&status) {
                    write_event(text, &event);
                }
            }
            unsent => {
                *unsent = Some(SentStatus::new(&status));
                write_event(text, &Event::Snapshot(Box::new(status)));
            }
        }
        Some(())
    }

    /// Writes the active requests if they have changed. Also schedules a status, because a warm request passes its
    /// model's gate without a message to the runtime actor.
    async fn write_in_flight(&mut self, text: &mut String) {
        let in_flight = self
            .admin
            .workers
            .active_requests(active_requests::MAX_LISTED)
            .await;
        if in_flight != self.in_flight {
            let listed = active_requests::to_api(&in_flight);
            write_event(text, &Event::InFlight(listed));
            self.in_flight = in_flight;
            self.schedule_status();
        }
        self.next_poll = Instant::now() + IN_FLIGHT_POLL_INTERVAL;
    }

    /// Writes ended requests: the first, and those queued behind it.
    fn write_ended(
        &mut self,
        first: Result<NumberedRequest, RecvError>,
        text: &mut String,
    ) -> Option<()> {
        self.schedule_status();
        match first {
            Ok(listed) => write_event(text, &ended_request(&listed)),
            Err(RecvError::Lagged(count)) => write_event(text, &missed_requests(count)),
            Err(RecvError::Closed) => return None,
        }
        while text.len() < MAX_CHUNK_BYTES {
            match self.ended.try_recv() {
                Ok(listed) => write_event(text, &ended_request(&listed)),
                Err(TryRecvError::Lagged(count)) => write_event(text, &missed_requests(count)),
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        Some(())
    }
}

/// Writes an event. Compact JSON contains no line ends.
fn write_event(text: &mut String, event: &Event) {
    let name = event.name();
    match serde_json::to_string(event) {
        // Writing to a string cannot fail.
        Ok(data) => drop(write!(text, "event: {name}\ndata: {data}\n\n")),
        Err(error) => tracing::error!(%error, event = name, "cannot serialize an event"),
    }
}

fn ended_request(ended: &NumberedRequest) -> Event {
    let (seq, request) = &**ended;
    Event::Request(Box::new(request.to_api(*seq)))
}

const fn missed_requests(count: u64) -> Event {
    Event::Missed(MissedRequests { count })
}
