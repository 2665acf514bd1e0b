use crate::{Batch, Outcome, Row};
use paddock_admission::error::unix;
use paddock_api::{EndedRequest, LifecycleEvent, Tokens};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// A word out of few.
pub(crate) type Word = Cow<'static, str>;

/// A request that has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// When its first byte came.
    pub at: SystemTime,
    pub(crate) id: String,
    /// The model it reached.
    pub model: Option<Arc<str>>,
    /// What the key is called that it came with.
    pub(crate) key: Option<Arc<str>>,
    pub(crate) route: Word,
    /// What the client was told.
    pub(crate) status: Option<u16>,
    /// End of the exchange.
    pub outcome: Word,
    /// The kind of paddock's own error, where there was one.
    pub error: Option<Word>,
    /// How long it waited for its turn.
    pub queue: Duration,
    /// How long, besides, the model was loading while it waited.
    pub load: Duration,
    /// The time that it waited inside the child for a slot, by estimate.
    pub engine_wait: Duration,
    /// From its first byte to the first of a streamed answer's body.
    pub(crate) ttft: Option<Duration>,
    /// From its first byte to the answer's last one.
    pub(crate) total: Duration,
    /// How long a token took after the first one.
    pub(crate) per_token: Option<Duration>,
    /// Tokens, as the answer states them.
    pub(crate) prompt: Option<u64>,
    pub(crate) cached: Option<u64>,
    pub(crate) generated: Option<u64>,
    /// Of its body.
    pub(crate) bytes_in: u64,
    /// Of the answer's body.
    pub(crate) bytes_out: u64,
}

impl Listed {
    /// Returns the request as the admin API shows it.
    pub fn to_api(&self, seq: u64) -> EndedRequest {
        let seconds = |time: Option<Duration>| time.map(|time| time.as_secs_f64());
        EndedRequest {
            seq,
            at: unix(self.at),
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
            tokens: Tokens {
                prompt: self.prompt,
                cached: self.cached,
                generated: self.generated,
            },
            tokens_per_second: self.per_token.map(|time| 1.0 / time.as_secs_f64()),
            bytes_in: self.bytes_in,
            bytes_out: self.bytes_out,
        }
    }

    /// True for rows of which [`Row::is_anonymous_refusal`] is true.
    pub(super) fn is_anonymous_refusal(&self) -> bool {
        self.key.is_none() && self.model.is_none() && self.outcome == Outcome::Refused.as_str()
    }

    /// A row of a batch, with its id.
    pub(super) fn of(row: &Row, id: &[u8], batch: &Batch) -> Self {
        let name = |model: paddock_scheduler::ModelId| batch.names.get(model.0).cloned();
        Self {
            at: batch.time_of(row.arrived),
            id: String::from_utf8_lossy(id).into_owned(),
            model: row.model.and_then(name).flatten(),
            key: row.key.as_ref().map(|key| Arc::clone(&key.name)),
            route: row.route.as_str().into(),
            status: row.status,
            outcome: row.outcome.as_str().into(),
            error: row.error.map(Word::from),
            queue: row.queue,
            load: row.load,
            engine_wait: row.engine_wait,
            ttft: row.ttft,
            total: row.total,
            per_token: row.time_per_token(),
            prompt: row.usage.prompt_tokens,
            cached: row.usage.cached_tokens,
            generated: row.usage.generated_tokens,
            bytes_in: row.bytes_in,
            bytes_out: row.bytes_out,
        }
    }
}

/// Something that happened to a model, or to paddock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lifecycle {
    /// Time of the event.
    pub at: SystemTime,
    /// The model; empty for paddock itself.
    pub model: Arc<str>,
    /// What it was, in one word.
    pub event: Word,
    /// Why, in one word.
    pub reason: Option<Word>,
    /// All of it, in a sentence.
    pub message: String,
}

impl Lifecycle {
    /// Returns the event as the admin API shows it.
    pub fn to_api(&self, seq: u64) -> LifecycleEvent {
        LifecycleEvent {
            seq,
            at: unix(self.at),
            model: Some(self.model.to_string()).filter(|model| !model.is_empty()),
            event: self.event.clone().into_owned(),
            reason: self.reason.clone().map(Cow::into_owned),
            message: self.message.clone(),
        }
    }
}

/// Some of them, each with its place: a later one has a greater one.
pub(crate) type Page<T> = Vec<(u64, T)>;

/// Which of them are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The most that are given.
    pub limit: usize,
    /// Of this model.
    pub model: Option<String>,
    /// Of this name.
    pub id: Option<String>,
    /// Only those that ended before this one.
    pub before: Option<u64>,
    /// Only those that ended after this one, and of those the first.
    pub after: Option<u64>,
}

impl Wanted {
    /// Whether a place is among them.
    pub(super) fn has(&self, seq: u64) -> bool {
        self.before.is_none_or(|before| seq < before) && self.after.is_none_or(|after| seq > after)
    }
}
