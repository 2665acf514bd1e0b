use super::{Names, Route, Trace};
use paddock_admission::error::ProxyError;
use paddock_admission::keys::Key;
use paddock_scheduler::ModelId;
use paddock_wire::Usage;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// How an exchange ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The answer passed to its end.
    Complete,
    /// The child failed, before its answer or inside it.
    UpstreamError,
    /// The client left, or failed, before its answer was whole.
    ClientGone,
    /// paddock answered in the model's place.
    Refused,
    /// paddock ended it: the operator said so, or paddock stops.
    Cancelled,
}

impl Outcome {
    /// How an exchange has ended for this reason, its answer begun or not.
    pub(super) fn of(error: &ProxyError, begun: bool) -> Self {
        match error {
            ProxyError::UpstreamUnreachable(_)
            | ProxyError::UpstreamClosed(_)
            | ProxyError::UpstreamExited(_)
            | ProxyError::UpstreamHung(_)
            | ProxyError::UpstreamMalformed(_)
            | ProxyError::UpstreamTimeout(_) => Self::UpstreamError,
            ProxyError::Cancelled => Self::Cancelled,
            ProxyError::ShuttingDown if begun => Self::Cancelled,
            _ if begun => Self::ClientGone,
            _ => Self::Refused,
        }
    }

    /// Its name in metrics and lists.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::UpstreamError => "upstream_error",
            Self::ClientGone => "client_gone",
            Self::Refused => "refused",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What is known of a request that has ended.
#[derive(Debug, Clone)]
pub struct Row {
    /// When its first byte came.
    pub(crate) arrived: Instant,
    /// The model it reached.
    pub model: Option<ModelId>,
    /// The key that it came with.
    pub(crate) key: Option<Arc<Key>>,
    /// Route of the request.
    pub route: Route,
    /// What the client was told.
    pub status: Option<u16>,
    /// End of the exchange.
    pub outcome: Outcome,
    /// The kind of paddock's own error, where there was one.
    pub error: Option<&'static str>,
    /// How long it waited for its turn.
    pub queue: Duration,
    /// How long, besides, the model was loading while it waited.
    pub load: Duration,
    /// The time that it waited inside the child for a slot, by estimate.
    pub(crate) engine_wait: Duration,
    /// From its first byte to the first of a streamed answer's body.
    pub ttft: Option<Duration>,
    /// From its first byte to the answer's last one.
    pub total: Duration,
    /// Tokens and times that the answer states.
    pub usage: Usage,
    /// Of its body.
    pub bytes_in: u64,
    /// Of the answer's body.
    pub bytes_out: u64,
}

impl Row {
    /// Returns whether paddock refused a request without a key before it reached a model. Anybody can have as many of
    /// these as they like.
    pub(crate) fn is_anonymous_refusal(&self) -> bool {
        self.key.is_none() && self.model.is_none() && self.outcome == Outcome::Refused
    }

    /// How long a token took after the first one: as the answer states it, else as a stream of it
    /// was seen to take.
    pub fn time_per_token(&self) -> Option<Duration> {
        let tokens = u32::try_from(self.usage.generated_tokens?).ok()?;
        let (time, tokens) = match (self.usage.generation_time, self.ttft) {
            (Some(time), _) => (time, tokens),
            (None, Some(ttft)) if self.outcome == Outcome::Complete => {
                (self.total.checked_sub(ttft)?, tokens.checked_sub(1)?)
            }
            _ => return None,
        };
        time.checked_div(tokens).filter(|time| !time.is_zero())
    }
}

/// Rows on their way out of a worker.
#[derive(Debug)]
pub struct Batch {
    /// Each with where its id ends in `ids`; they lie there one behind the other.
    pub(super) rows: Vec<(Row, usize)>,
    pub(super) ids: Vec<u8>,
    /// The traces of those that have one, by their places.
    pub(super) traces: Vec<(usize, Trace)>,
    /// What their models are called.
    pub(crate) names: Names,
    /// One moment by both clocks, to tell the time of each row.
    pub(crate) clocks: (Instant, SystemTime),
}

impl Batch {
    /// Its rows with their ids, in the order in which they ended.
    pub fn rows(&self) -> impl Iterator<Item = (&Row, &[u8])> {
        let mut start = 0;
        self.rows.iter().map(move |(row, end)| {
            let id = self.ids.get(start..*end).unwrap_or_default();
            start = *end;
            (row, id)
        })
    }

    /// Whether there are any with a trace.
    pub(crate) fn has_traces(&self) -> bool {
        !self.traces.is_empty()
    }

    /// Those that have a trace, with their ids.
    pub fn traced(&self) -> impl Iterator<Item = (&Row, &[u8], &Trace)> {
        let mut traces = self.traces.iter().peekable();
        self.rows().enumerate().filter_map(move |(at, (row, id))| {
            let (_, trace) = traces.next_if(|(of, _)| *of == at)?;
            Some((row, id, trace))
        })
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// When a moment was, by the clock on the wall.
    pub(crate) fn time_of(&self, at: Instant) -> SystemTime {
        let (instant, time) = self.clocks;
        let before = instant.saturating_duration_since(at);
        time.checked_sub(before).unwrap_or(time)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use paddock_scheduler::ModelId;

    /// A chat that was answered whole, in no time.
    pub(crate) fn row() -> Row {
        Row {
            arrived: Instant::now(),
            key: None,
            model: Some(ModelId(0)),
            route: Route::ChatCompletions,
            status: Some(200),
            outcome: Outcome::Complete,
            error: None,
            queue: Duration::ZERO,
            load: Duration::ZERO,
            engine_wait: Duration::ZERO,
            ttft: None,
            total: Duration::ZERO,
            usage: Usage::default(),
            bytes_in: 0,
            bytes_out: 0,
        }
    }

    #[test]
    fn rows_are_found_that_have_a_trace() {
        let trace = Trace::begin(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        let batch = Batch {
            rows: vec![(row(), 1), (row(), 2), (row(), 3)],
            ids: b"abc".to_vec(),
            traces: vec![(0, trace.clone()), (2, trace)],
            names: Names::default(),
            clocks: (Instant::now(), SystemTime::now()),
        };
        let ids: Vec<&[u8]> = batch.traced().map(|(_, id, _)| id).collect();
        assert_eq!(ids, [b"a", b"c"]);
    }
}
