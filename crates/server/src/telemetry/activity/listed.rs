use crate::telemetry::{Batch, Outcome, Row};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// A word out of few.
pub(crate) type Word = Cow<'static, str>;

/// A request that has ended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Listed {
    /// When its first byte came.
    pub(crate) at: SystemTime,
    pub(crate) id: String,
    /// The model it reached.
    pub(crate) model: Option<Arc<str>>,
    /// What the key is called that it came with.
    pub(crate) key: Option<Arc<str>>,
    pub(crate) route: Word,
    /// What the client was told.
    pub(crate) status: Option<u16>,
    pub(crate) outcome: Word,
    /// The kind of paddock's own error, where there was one.
    pub(crate) error: Option<Word>,
    /// How long it waited for its turn.
    pub(crate) queue: Duration,
    /// How long, besides, the model was loading while it waited.
    pub(crate) load: Duration,
    /// The time that it waited inside the child for a slot, by estimate.
    pub(crate) engine_wait: Duration,
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
pub(crate) struct Lifecycle {
    pub(crate) at: SystemTime,
    /// The model; empty for paddock itself.
    pub(crate) model: Arc<str>,
    /// What it was, in one word.
    pub(crate) event: Word,
    /// Why, in one word.
    pub(crate) reason: Option<Word>,
    /// All of it, in a sentence.
    pub(crate) message: String,
}

/// Some of them, each with its place: a later one has a greater one.
pub(crate) type Page<T> = Vec<(u64, T)>;

/// Which of them are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// The most that are given.
    pub(crate) limit: usize,
    /// Of this model.
    pub(crate) model: Option<String>,
    /// Of this name.
    pub(crate) id: Option<String>,
    /// Only those that ended before this one.
    pub(crate) before: Option<u64>,
    /// Only those that ended after this one, and of those the first.
    pub(crate) after: Option<u64>,
}

impl Wanted {
    /// Whether a place is among them.
    pub(super) fn has(&self, seq: u64) -> bool {
        self.before.is_none_or(|before| seq < before) && self.after.is_none_or(|after| seq > after)
    }
}
