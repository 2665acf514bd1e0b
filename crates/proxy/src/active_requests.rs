//! Lists the requests that have begun and not ended, queued ones included, for operators. A request waits in
//! paddock's queue until its model is loaded and has a free slot; its model's llama-server is called the child.

use super::request_status::RequestStatus;
use super::worker::Worker;
use super::worker::command::{WorkerCommand, WorkersHandle};
use paddock_scheduler::ModelId;
use paddock_telemetry::{MAX_REQUEST_ID_BYTES, ModelNames, Route};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// A request that has begun and not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActiveRequest {
    /// `x-request-id`, cut at [`paddock_telemetry::MAX_REQUEST_ID_BYTES`] bytes.
    pub id: String,
    /// Model of the request, once known.
    pub model: Option<Arc<str>>,
    /// Name of the API key.
    pub key: Option<Arc<str>>,
    /// Route of the request.
    pub route: Route,
    /// Time of the first byte.
    pub since: Instant,
    /// Stage of the exchange.
    pub stage: RequestStage,
    /// Estimated time spent waiting inside the child for a slot, after paddock has passed the request on.
    pub engine_wait: Duration,
}

/// Progress of a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RequestStage {
    /// The request waits for its turn, or for its model to be loaded.
    Queued,
    /// No byte of the response has come yet.
    #[default]
    Waiting,
    /// The child has more requests than slots, and by estimate this one has none yet.
    WaitingInEngine,
    /// The response passes.
    Streaming,
}

impl RequestStage {
    /// Returns the stage's name in lists.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Waiting => "waiting",
            Self::WaitingInEngine => "waiting_in_engine",
            Self::Streaming => "streaming",
        }
    }
}

/// The oldest active requests, and how many there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ActiveRequests {
    /// The oldest requests, oldest first.
    pub oldest: Vec<ActiveRequest>,
    /// Number of all active requests.
    pub total: usize,
}

impl ActiveRequests {
    /// Adds another worker's requests and keeps the `max` oldest.
    pub(super) fn merge(&mut self, other: Self, max: usize) {
        self.oldest.extend(other.oldest);
        self.total += other.total;
        self.oldest.sort_by_key(|request| request.since);
        self.oldest.truncate(max);
    }
}

impl WorkersHandle {
    /// Returns the `max` oldest active requests of all workers.
    pub async fn active_requests(&self, max: usize) -> ActiveRequests {
        let each = self
            .ask(|reply| WorkerCommand::ListActive { max, reply })
            .await;
        let mut all = ActiveRequests::default();
        for one in each {
            all.merge(one, max);
        }
        all
    }
}

impl Worker {
    /// Returns the `max` oldest active requests of this worker.
    pub(crate) fn list_active(&self, max: usize) -> ActiveRequests {
        let statuses = self.statuses.borrow();
        let live = statuses.iter().filter_map(Weak::upgrade);
        let busy = live.filter_map(|status| Some((status.since()?, status)));
        let mut busy: Vec<(Instant, Rc<RequestStatus>)> = busy.collect();
        let total = busy.len();
        if total > max {
            busy.select_nth_unstable_by_key(max, |(since, _)| *since);
            busy.truncate(max);
        }
        busy.sort_by_key(|(since, _)| *since);
        let names = self.meter.names();
        let oldest = busy
            .iter()
            .filter_map(|(_, status)| status.to_active_request(&names));
        ActiveRequests {
            oldest: oldest.collect(),
            total,
        }
    }
}

impl RequestStatus {
    /// Returns the connection's request for a list, if there is one.
    fn to_active_request(&self, names: &ModelNames) -> Option<ActiveRequest> {
        let (since, route) = self.since_and_route.get()?;
        let name = self.id_line.borrow();
        let id = name.strip_prefix(b"x-request-id: ").unwrap_or_default();
        let id = id.trim_ascii_end();
        let name = |ModelId(place)| names.get(place).cloned().flatten();
        let wait = self.engine_wait.borrow();
        let stage = match self.stage.get() {
            RequestStage::Waiting if wait.is_waiting() => RequestStage::WaitingInEngine,
            stage => stage,
        };
        Some(ActiveRequest {
            id: String::from_utf8_lossy(id.get(..MAX_REQUEST_ID_BYTES).unwrap_or(id)).into_owned(),
            model: self.model.get().and_then(name),
            key: self.key.borrow().as_ref().map(|key| Arc::clone(&key.name)),
            route,
            since,
            stage,
            engine_wait: wait.wait_time(Instant::now()),
        })
    }
}
