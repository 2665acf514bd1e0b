//! Finds an active or ended request and describes how it passed through paddock's queue and the child (llama-server).

use super::cached_tokens::{CachedTokens, ContextFacts};
use super::first_difference;
use crate::routes::AdminContext;
use crate::routes::active_requests;
use paddock_admission::error::unix_seconds;
use paddock_admission::recent_answers::AnswerTokens;
use paddock_api::{Decision, FirstDifference, RefusalReason, RequestExplanation, Tokens};
use paddock_proxy::{ActiveRequest, RequestStage};
use paddock_runtime::contexts::DifferenceError;
use paddock_runtime::{ModelDetails, RuntimeHandle, RuntimeSnapshot};
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
    /// Token counts and the time of the end; `None` while the request is active.
    ended: Option<(Tokens, SystemTime)>,
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
            ended: None,
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
            ended: Some((listed.tokens(), listed.at + listed.total)),
            progress: match &listed.error {
                Some(kind) if is_refused => RequestProgress::Refused(kind.to_string()),
                _ => RequestProgress::Granted,
            },
        }
    }

    pub(super) fn engine_wait_seconds(&self) -> f64 {
        self.engine_wait.as_secs_f64()
    }

    /// Returns the token counts that the response stated; `None` while the request is active.
    pub(super) fn tokens(&self) -> Option<Tokens> {
        self.ended.map(|(tokens, _)| tokens)
    }

    /// Returns an entry for `meanwhile` that explains how many tokens of the prompt were cached. Returns `None` while
    /// the request is active, or if the response did not state the number.
    pub(super) async fn cached_tokens(&self, runtime: &RuntimeHandle) -> Option<Decision> {
        let snapshot = runtime.snapshot().await;
        let cached_tokens = self.describe_cache(snapshot.as_ref())?;
        Some(Decision {
            at: unix_seconds(self.arrived + self.queued + self.engine_wait),
            message: cached_tokens.sentence(),
            what: "cached_tokens".to_owned(),
        })
    }

    /// Finds the first place where the prompt differs from the contexts that had been restored. Returns `None` unless
    /// few of its tokens were cached although contexts had been restored. The result has the text of prompts only if
    /// `shows_text`.
    pub(super) async fn first_difference(
        &self,
        runtime: &RuntimeHandle,
        shows_text: bool,
    ) -> Option<FirstDifference> {
        let snapshot = runtime.snapshot().await;
        let cached_tokens = self.describe_cache(snapshot.as_ref())?;
        if !cached_tokens.missed_contexts() {
            return None;
        }
        let model = self.find_model(snapshot.as_ref())?;
        let (tokens, end) = self.ended?;
        let count = |tokens: Option<u64>| u32::try_from(tokens?).ok();
        let answer = AnswerTokens {
            prompt: count(tokens.prompt)?,
            cached: count(tokens.cached)?,
            generated: count(tokens.generated)?,
        };
        let is_same_load = model.contexts.restore_before(end) == model.contexts.last_restore();
        let found = match is_same_load {
            true => runtime.find_difference(model.id, answer).await,
            false => Err(DifferenceError::LoadedAgain),
        };
        Some(first_difference::to_api(found, shows_text))
    }

    fn find_model<'a>(&self, snapshot: Option<&'a RuntimeSnapshot>) -> Option<&'a ModelDetails> {
        let name = self.model.as_deref()?;
        let mut models = snapshot?.models.iter();
        models.find(|model| model.config.id == name)
    }

    /// Returns the cached part of the prompt, and the facts that explain it.
    fn describe_cache<'a>(
        &'a self,
        snapshot: Option<&'a RuntimeSnapshot>,
    ) -> Option<CachedTokens<'a>> {
        let (tokens, end) = self.ended?;
        let contexts = self.find_model(snapshot).map(|model| ContextFacts {
            not_kept: model.contexts.not_kept.as_deref(),
            deleted: model.counters.contexts.deleted,
            restore: model.contexts.restore_before(end).copied(),
        });
        Some(CachedTokens {
            model: self.model.as_deref()?,
            prompt: tokens.prompt?,
            cached: tokens.cached?,
            contexts,
        })
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
            first_difference: None,
            meanwhile: Vec::new(),
            model: self.model.clone(),
            outcome: outcome.to_owned(),
            request: name,
            tokens: None,
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
