//! Finds an active or ended request and describes how it passed through paddock's queue and the child (llama-server).

use crate::routes::AdminContext;
use crate::routes::active_requests;
use paddock_admission::error::unix_seconds;
use paddock_api::{Decision, RefusalReason, RequestExplanation};
use paddock_proxy::{ActiveRequest, RequestStage};
use paddock_telemetry::{ActivityQuery, LoggedRequest, Outcome};
use std::time::{Duration, SystemTime};

/// The history of a request that is queued, in flight or ended.
#[derive(Debug)]
pub(super) struct RequestHistory {
    model: Option<String>,
    arrived: SystemTime,
    /// Time in paddock's queue.
    queued: Duration,
    /// Estimated time spent waiting for a slot inside the child.
    engine_wait: Duration,
    progress: RequestProgress,
}

/// The furthest point that a request reached.
#[derive(Debug, PartialEq, Eq)]
enum RequestProgress {
    /// The request waits in paddock's queue.
    Queued,
    /// The request waits inside the child for a slot.
    WaitingInEngine,
    /// The request got a slot of its model.
    Granted,
    /// paddock refused the request with an error of this kind.
    Refused(String),
}

/// Finds a request by its `x-request-id`, first among active ones, then among ended ones.
pub(super) async fn find(admin: &AdminContext, id: &str) -> Option<RequestHistory> {
    let active = admin
        .workers
        .active_requests(active_requests::MAX_LISTED)
        .await;
    if let Some(request) = active.oldest.iter().find(|request| request.id == id) {
        return Some(RequestHistory::from_active(request));
    }
    let filter = ActivityQuery {
        limit: 1,
        id: Some(id.to_owned()),
        ..ActivityQuery::default()
    };
    let ended = admin.activity.requests(filter).await;
    ended
        .first()
        .map(|(_, listed)| RequestHistory::from_ended(listed))
}

impl RequestHistory {
    fn from_active(request: &ActiveRequest) -> Self {
        let now = SystemTime::now();
        Self {
            model: request.model.as_deref().map(str::to_owned),
            arrived: now.checked_sub(request.since.elapsed()).unwrap_or(now),
            queued: Duration::ZERO,
            engine_wait: request.engine_wait,
            progress: match request.stage {
                RequestStage::Queued => RequestProgress::Queued,
                RequestStage::WaitingInEngine => RequestProgress::WaitingInEngine,
                RequestStage::Waiting if request.model.is_none() => RequestProgress::Queued,
                RequestStage::Waiting | RequestStage::Streaming => RequestProgress::Granted,
            },
        }
    }

    fn from_ended(listed: &LoggedRequest) -> Self {
        let is_refused = listed.outcome == Outcome::Refused.as_str();
        Self {
            model: listed.model.as_deref().map(str::to_owned),
            arrived: listed.at,
            queued: listed.queue + listed.load,
            engine_wait: listed.engine_wait,
            progress: match &listed.error {
                Some(kind) if is_refused => RequestProgress::Refused(kind.to_string()),
                _ => RequestProgress::Granted,
            },
        }
    }

    pub(super) fn engine_wait_seconds(&self) -> f64 {
        self.engine_wait.as_secs_f64()
    }

    /// Describes a request of which the scheduler remembers no decision.
    pub(super) fn to_api(&self, name: String) -> RequestExplanation {
        let (outcome, error) = match &self.progress {
            RequestProgress::Queued => ("waiting", None),
            RequestProgress::WaitingInEngine | RequestProgress::Granted => ("granted", None),
            RequestProgress::Refused(kind) => ("refused", Some(kind)),
        };
        let error = error.map(|kind| RefusalReason {
            kind: kind.clone(),
            message: "the request was refused before it waited for a model".to_owned(),
        });
        RequestExplanation {
            arrived: unix_seconds(self.arrived),
            engine_wait_seconds: None,
            error,
            meanwhile: Vec::new(),
            model: self.model.clone(),
            outcome: outcome.to_owned(),
            request: name,
            waited_seconds: self.queued.as_secs_f64(),
        }
    }

    /// Returns an entry of `meanwhile` that says how long the request waited inside the engine.
    pub(super) fn engine_wait(&self) -> Option<Decision> {
        let seconds = self.engine_wait_seconds();
        let message = match &self.progress {
            RequestProgress::Queued | RequestProgress::Refused(_) => return None,
            RequestProgress::WaitingInEngine => format!(
                "the request has been waiting {seconds:.2} s for a slot in the engine (estimated)"
            ),
            RequestProgress::Granted if self.engine_wait.is_zero() => {
                "the engine gave the request a slot at once (estimated)".to_owned()
            }
            RequestProgress::Granted => format!(
                "the request waited {seconds:.2} s inside the engine, which had more requests than slots (estimated)"
            ),
        };
        Some(Decision {
            at: unix_seconds(self.arrived + self.queued + self.engine_wait),
            message,
            what: "engine_wait".to_owned(),
        })
    }
}
