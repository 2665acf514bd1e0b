//! Defines the entries of the activity log, and the query that selects them.

use crate::{Outcome, RecordBatch, RequestRecord};
use paddock_admission::error::unix_seconds;
use paddock_api::{EndedRequest, Tokens};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// A word from a small fixed set.
pub(crate) type Keyword = Cow<'static, str>;

/// An ended request, as the activity log keeps it.
#[derive(Debug, Clone, PartialEq)]
pub struct LoggedRequest {
    /// Arrival of the request's first byte.
    pub at: SystemTime,
    pub(crate) id: String,
    /// Model that received the request.
    pub model: Option<Arc<str>>,
    /// Name of the API key.
    pub(crate) key: Option<Arc<str>>,
    pub(crate) route: Keyword,
    /// Status sent to the client.
    pub(crate) status: Option<u16>,
    /// Result of the exchange, such as `complete` or `refused`.
    pub outcome: Keyword,
    /// Kind of paddock's own error, if any.
    pub error: Option<Keyword>,
    /// Time in paddock's queue for the model.
    pub queue: Duration,
    /// Time spent waiting for the model to load (not included in `queue`).
    pub load: Duration,
    /// Estimated wait for a slot inside the model's llama-server process.
    pub engine_wait: Duration,
    /// Time from the request's first byte to the first body byte of a streamed answer.
    pub(crate) ttft: Option<Duration>,
    /// Time from the request's first byte to the answer's last.
    pub total: Duration,
    /// Time per token after the first.
    pub(crate) per_token: Option<Duration>,
    /// Tokens, as stated by the answer.
    pub(crate) prompt: Option<u64>,
    pub(crate) cached: Option<u64>,
    pub(crate) generated: Option<u64>,
    /// Bytes of the request's body.
    pub(crate) bytes_in: u64,
    /// Bytes of the answer's body.
    pub(crate) bytes_out: u64,
}

impl LoggedRequest {
    /// Returns the request as the admin API shows it.
    pub fn to_api(&self, seq: u64) -> EndedRequest {
        let seconds = |time: Option<Duration>| time.map(|time| time.as_secs_f64());
        EndedRequest {
            seq,
            at: unix_seconds(self.at),
            id: self.id.clone(),
            model: self.model.as_deref().map(str::to_owned),
            key: self.key.as_deref().map(str::to_owned),
            route: self.route.clone().into_owned(),
            status: self.status,
            outcome: self.outcome.clone().into_owned(),
            error: self.error.clone().map(Cow::into_owned),
            queue_seconds: self.queue.as_secs_f64(),
            load_seconds: self.load.as_secs_f64(),
            engine_wait_seconds: self.engine_wait.as_secs_f64(),
            ttft_seconds: seconds(self.ttft),
            total_seconds: self.total.as_secs_f64(),
            tokens: self.tokens(),
            tokens_per_second: self.per_token.map(|time| 1.0 / time.as_secs_f64()),
            bytes_in: self.bytes_in,
            bytes_out: self.bytes_out,
        }
    }

    /// Returns the token counts that the answer stated.
    pub const fn tokens(&self) -> Tokens {
        Tokens {
            prompt: self.prompt,
            cached: self.cached,
            generated: self.generated,
        }
    }

    /// Returns true if [`RequestRecord::is_anonymous_refusal`] was true of the request.
    pub(super) fn is_anonymous_refusal(&self) -> bool {
        self.key.is_none() && self.model.is_none() && self.outcome == Outcome::Refused.as_str()
    }

    /// Creates the entry for one record of a batch.
    pub(super) fn from_record(record: &RequestRecord, id: &[u8], batch: &RecordBatch) -> Self {
        let name = |model: paddock_scheduler::ModelId| batch.names.get(model.0).cloned();
        Self {
            at: batch.time_of(record.arrived),
            id: String::from_utf8_lossy(id).into_owned(),
            model: record.model.and_then(name).flatten(),
            key: record.key.as_ref().map(|key| Arc::clone(&key.name)),
            route: record.route.as_str().into(),
            status: record.status,
            outcome: record.outcome.as_str().into(),
            error: record.error.map(Keyword::from),
            queue: record.queue,
            load: record.load,
            engine_wait: record.engine_wait,
            ttft: record.ttft,
            total: record.total,
            per_token: record.time_per_token(),
            prompt: record.usage.prompt_tokens,
            cached: record.usage.cached_tokens,
            generated: record.usage.generated_tokens,
            bytes_in: record.bytes_in,
            bytes_out: record.bytes_out,
        }
    }
}

/// An event in the life of a model, or of paddock itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LifecycleEvent {
    /// Time of the event.
    pub at: SystemTime,
    /// The model; empty for paddock itself.
    pub model: Arc<str>,
    /// Event name, one word.
    pub event: Keyword,
    /// Reason, one word.
    pub reason: Option<Keyword>,
    /// Sentence that describes the event.
    pub message: String,
}

impl LifecycleEvent {
    /// Returns the event as the admin API shows it.
    pub fn to_api(&self, seq: u64) -> paddock_api::LifecycleEvent {
        paddock_api::LifecycleEvent {
            seq,
            at: unix_seconds(self.at),
            model: Some(self.model.to_string()).filter(|model| !model.is_empty()),
            event: self.event.clone().into_owned(),
            reason: self.reason.clone().map(Cow::into_owned),
            message: self.message.clone(),
        }
    }
}

/// Entries with their sequence numbers; later entries have greater numbers.
pub(crate) type Page<T> = Vec<(u64, T)>;

/// Selects entries of the activity log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ActivityQuery {
    /// Maximum number of entries.
    pub limit: usize,
    /// Only entries of this model.
    pub model: Option<String>,
    /// Only requests with this id.
    pub id: Option<String>,
    /// Only entries with a smaller sequence number.
    pub before: Option<u64>,
    /// Only entries with a greater sequence number, starting with the oldest.
    pub after: Option<u64>,
}

impl ActivityQuery {
    /// Returns true if `seq` lies between `after` and `before`.
    pub(super) fn includes(&self, seq: u64) -> bool {
        self.before.is_none_or(|before| seq < before) && self.after.is_none_or(|after| seq > after)
    }
}
