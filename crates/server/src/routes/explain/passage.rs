//! A request as the record of requests has it: where it went, and its time inside the child.

use crate::routes::Admin;
use crate::routes::in_flight;
use paddock_admission::error::unix_seconds;
use paddock_proxy::{ActiveRequest, RequestStage};
use paddock_telemetry::{ActivityQuery, LoggedRequest, Outcome};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};

/// A request that is in flight or has ended.
#[derive(Debug)]
pub(super) struct Passage {
    model: Option<String>,
    at: SystemTime,
    /// The time that it waited in paddock's queue.
    queued: Duration,
    engine_wait: Duration,
    state: PassageState,
}

#[derive(Debug, PartialEq, Eq)]
enum PassageState {
    /// It has not reached its model.
    Queued,
    /// It waits inside the child.
    WaitsInEngine,
    /// It has, or had, a slot of its model.
    Passed,
    /// paddock refused it, for an error of this kind.
    Refused(String),
}

/// Finds a request by its `x-request-id`, among those in flight first.
pub(super) async fn find(admin: &Admin, id: &str) -> Option<Passage> {
    let active = admin.workers.active_requests(in_flight::MOST).await;
    if let Some(request) = active.oldest.iter().find(|request| request.id == id) {
        return Some(Passage::in_flight(request));
    }
    let wanted = ActivityQuery {
        limit: 1,
        id: Some(id.to_owned()),
        ..ActivityQuery::default()
    };
    let ended = admin.activity.requests(wanted).await;
    ended.first().map(|(_, listed)| Passage::ended(listed))
}

impl Passage {
    fn in_flight(request: &ActiveRequest) -> Self {
        let now = SystemTime::now();
        Self {
            model: request.model.as_deref().map(str::to_owned),
            at: now.checked_sub(request.since.elapsed()).unwrap_or(now),
            queued: Duration::ZERO,
            engine_wait: request.engine_wait,
            state: match request.stage {
                RequestStage::Queued => PassageState::Queued,
                RequestStage::WaitingInEngine => PassageState::WaitsInEngine,
                RequestStage::Waiting if request.model.is_none() => PassageState::Queued,
                RequestStage::Waiting | RequestStage::Streaming => PassageState::Passed,
            },
        }
    }

    fn ended(listed: &LoggedRequest) -> Self {
        let is_refused = listed.outcome == Outcome::Refused.as_str();
        Self {
            model: listed.model.as_deref().map(str::to_owned),
            at: listed.at,
            queued: listed.queue + listed.load,
            engine_wait: listed.engine_wait,
            state: match &listed.error {
                Some(kind) if is_refused => PassageState::Refused(kind.to_string()),
                _ => PassageState::Passed,
            },
        }
    }

    pub(super) fn engine_wait_seconds(&self) -> f64 {
        self.engine_wait.as_secs_f64()
    }

    /// Describes a request that no decision of the scheduler is remembered of.
    pub(super) fn unqueued(&self, name: &str) -> Value {
        let (outcome, error) = match &self.state {
            PassageState::Queued => ("waiting", None),
            PassageState::WaitsInEngine | PassageState::Passed => ("granted", None),
            PassageState::Refused(kind) => ("refused", Some(kind)),
        };
        let error = error.map(|kind| {
            json!({ "kind": kind, "message": "it was refused before it waited for a model" })
        });
        json!({
            "request": name,
            "model": self.model,
            "arrived": unix_seconds(self.at),
            "waited_seconds": self.queued.as_secs_f64(),
            "outcome": outcome,
            "error": error,
            "meanwhile": [],
        })
    }

    /// Says in a sentence where the request went from paddock's queue, as one of the things that happened meanwhile.
    pub(super) fn told(&self) -> Option<Value> {
        let seconds = self.engine_wait_seconds();
        let message = match &self.state {
            PassageState::Queued | PassageState::Refused(_) => return None,
            PassageState::WaitsInEngine => format!(
                "it has waited {seconds:.2} s inside the engine for a slot, and waits still (estimated)"
            ),
            PassageState::Passed if self.engine_wait.is_zero() => {
                "its model's engine took it at once (estimated)".to_owned()
            }
            PassageState::Passed => format!(
                "it waited {seconds:.2} s inside the engine, which had more requests than slots (estimated)"
            ),
        };
        let at = unix_seconds(self.at + self.queued + self.engine_wait);
        Some(json!({ "at": at, "what": "engine_wait", "message": message }))
    }
}
