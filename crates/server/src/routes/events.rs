//! Every change, as server-sent events.
//!
//! Each reader looks for itself, and only when it can be written to: it compares what there is with what
//! it was told last. So a slow one misses no change of a model, only the steps between; of the requests
//! that have ended it is told how many it missed. Without readers nothing of this runs.

mod seen;

use self::seen::Seen;
use super::status::shown;
use super::{Admin, in_flight};
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use paddock_api::EndedRequest;
use paddock_proxy::ActiveRequests;
use paddock_telemetry::NumberedRequest;
use serde::Serialize;
use serde_json::json;
use std::convert::Infallible;
use std::fmt::Write;
use std::time::Duration;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::{broadcast, watch};
use tokio::time::{Instant, sleep_until};

/// How long changes are gathered.
const GATHER: Duration = Duration::from_millis(100);

/// How often the workers are asked which requests are in flight.
const ASK: Duration = Duration::from_millis(500);

/// The longest silence. A comment breaks it, so that either side sees that the other is gone.
const SILENCE: Duration = Duration::from_secs(15);

/// Bytes of ended requests that are sent at once.
const PIECE: usize = 32 * 1024;

/// A snapshot, then every change, until paddock has stopped.
pub(super) async fn events(State(admin): State<Admin>) -> Response {
    let pieces = stream::unfold(Reader::new(admin), |mut reader| async move {
        let piece = reader.next().await?;
        Some((Ok::<_, Infallible>(Bytes::from(piece)), reader))
    });
    let fields = [
        (CONTENT_TYPE, "text/event-stream"),
        (CACHE_CONTROL, "no-store"),
    ];
    (fields, Body::from_stream(pieces)).into_response()
}

/// One who reads, and what it has been told.
struct Reader {
    admin: Admin,
    changes: watch::Receiver<u64>,
    ended: broadcast::Receiver<NumberedRequest>,
    seen: Option<Seen>,
    in_flight: ActiveRequests,
    /// When changes are looked at, if there are any.
    look: Option<Instant>,
    /// When the workers are asked again.
    ask: Instant,
    /// When a comment is due.
    comment: Instant,
}

impl Reader {
    fn new(admin: Admin) -> Self {
        let now = Instant::now();
        Self {
            changes: admin.view.runtime.changes(),
            ended: admin.activity.subscribe(),
            admin,
            seen: None,
            in_flight: ActiveRequests::default(),
            look: None,
            ask: now,
            comment: now + SILENCE,
        }
    }

    /// What is to be told next. Nothing when the runtime actor has ended.
    async fn next(&mut self) -> Option<String> {
        let mut text = String::new();
        if self.seen.is_none() {
            self.look(&mut text).await?;
        }
        while text.is_empty() {
            tokio::select! {
                changed = self.changes.changed(), if self.look.is_none() => {
                    changed.ok()?;
                    self.look_soon();
                }
                ended = self.ended.recv() => self.tell_ended(ended, &mut text)?,
                () = sleep_until(self.look.unwrap_or(self.comment)), if self.look.is_some() => {
                    self.look(&mut text).await?;
                }
                () = sleep_until(self.ask) => self.ask(&mut text).await,
                () = sleep_until(self.comment) => text.push_str(":\n\n"),
            }
        }
        self.comment = Instant::now() + SILENCE;
        Some(text)
    }

    fn look_soon(&mut self) {
        self.look.get_or_insert_with(|| Instant::now() + GATHER);
    }

    /// Tells what has changed since the last look; the first time, everything.
    async fn look(&mut self, text: &mut String) -> Option<()> {
        self.look = None;
        self.changes.mark_unchanged();
        let status = shown(&self.admin.view.runtime.snapshot().await?);
        match &mut self.seen {
            Some(seen) => {
                for (event, data) in seen.news(&status) {
                    tell(text, event, &data);
                }
            }
            none => {
                *none = Some(Seen::of(&status));
                tell(text, "snapshot", &status);
            }
        }
        Some(())
    }

    /// Tells which requests are in flight, where that has changed. A request passes its model's gate
    /// without a word to the runtime actor, so this is also how a change of its count is noticed.
    async fn ask(&mut self, text: &mut String) {
        let in_flight = self.admin.workers.active_requests(in_flight::MOST).await;
        if in_flight != self.in_flight {
            tell(text, "in_flight", &in_flight::to_api(&in_flight));
            self.in_flight = in_flight;
            self.look_soon();
        }
        self.ask = Instant::now() + ASK;
    }

    /// Tells of requests that have ended: this one, and those behind it.
    fn tell_ended(
        &mut self,
        first: Result<NumberedRequest, RecvError>,
        text: &mut String,
    ) -> Option<()> {
        self.look_soon();
        match first {
            Ok(listed) => tell(text, "request", &ended_request(&listed)),
            Err(RecvError::Lagged(count)) => tell(text, "missed", &json!({ "count": count })),
            Err(RecvError::Closed) => return None,
        }
        while text.len() < PIECE {
            match self.ended.try_recv() {
                Ok(listed) => tell(text, "request", &ended_request(&listed)),
                Err(TryRecvError::Lagged(count)) => {
                    tell(text, "missed", &json!({ "count": count }));
                }
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        Some(())
    }
}

/// Writes an event. JSON on one line has no line's end in it.
fn tell(text: &mut String, event: &str, data: &impl Serialize) {
    match serde_json::to_string(data) {
        // Writing to a text cannot fail.
        Ok(data) => drop(write!(text, "event: {event}\ndata: {data}\n\n")),
        Err(error) => tracing::error!(%error, event, "an event is not JSON"),
    }
}

fn ended_request(ended: &NumberedRequest) -> EndedRequest {
    let (seq, request) = &**ended;
    request.to_api(*seq)
}
