//! Holds the measurements of an ended request, and batches of such records.

use super::{ModelNames, Route, Trace};
use paddock_admission::error::ProxyError;
use paddock_admission::keys::Key;
use paddock_scheduler::ModelId;
use paddock_wire::Usage;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// Result of an exchange (a request and its answer).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The answer passed completely.
    Complete,
    /// The child (the model's llama-server process) failed, before its answer or within it.
    UpstreamError,
    /// The client left or failed before the answer was complete.
    ClientGone,
    /// paddock answered instead of the model.
    Refused,
    /// The operator cancelled the request, or paddock stopped.
    Cancelled,
}

impl Outcome {
    /// Classifies an error; `begun` says that the answer had begun.
    pub(super) fn from_error(error: &ProxyError, begun: bool) -> Self {
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

    /// Returns the name used in metrics and lists.
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

/// Measurements of an ended request, as the worker hands them over.
#[derive(Debug, Clone)]
pub struct RequestRecord {
    /// Arrival of the request's first byte.
    pub(crate) arrived: Instant,
    /// Model that received the request.
    pub model: Option<ModelId>,
    /// API key of the request.
    pub(crate) key: Option<Arc<Key>>,
    /// Route of the request.
    pub route: Route,
    /// Status sent to the client.
    pub status: Option<u16>,
    /// End of the exchange.
    pub outcome: Outcome,
    /// Kind of paddock's own error, if any.
    pub error: Option<&'static str>,
    /// Time in the queue.
    pub queue: Duration,
    /// Time spent waiting for the model to load (not included in `queue`).
    pub load: Duration,
    /// Estimated wait inside the child for a slot.
    pub(crate) engine_wait: Duration,
    /// Time from the request's first byte to the first body byte of a streamed answer.
    pub ttft: Option<Duration>,
    /// Time from the request's first byte to the answer's last.
    pub total: Duration,
    /// Tokens and times, as stated by the answer.
    pub usage: Usage,
    /// Bytes of the request's body.
    pub bytes_in: u64,
    /// Bytes of the answer's body.
    pub bytes_out: u64,
}

impl RequestRecord {
    /// Returns true if paddock refused a request without a key before it reached a model. Anyone can cause any
    /// number of these.
    pub(crate) fn is_anonymous_refusal(&self) -> bool {
        self.key.is_none() && self.model.is_none() && self.outcome == Outcome::Refused
    }

    /// Returns the time per token after the first: as stated by the answer, else as measured on a stream.
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

/// Records on their way out of a worker.
#[derive(Debug)]
pub struct RecordBatch {
    /// Records, each with the end of its id in `ids`.
    pub(super) records: Vec<(RequestRecord, usize)>,
    pub(super) ids: Vec<u8>,
    /// Traces, each with the index of its record.
    pub(super) traces: Vec<(usize, Trace)>,
    /// Model names by index.
    pub(crate) names: ModelNames,
    /// The same moment by both clocks, to convert times.
    pub(crate) clocks: (Instant, SystemTime),
}

impl RecordBatch {
    /// Returns the records with their ids, in the order in which they ended.
    pub fn records(&self) -> impl Iterator<Item = (&RequestRecord, &[u8])> {
        let mut start = 0;
        self.records.iter().map(move |(record, end)| {
            let id = self.ids.get(start..*end).unwrap_or_default();
            start = *end;
            (record, id)
        })
    }

    /// Returns true if any record has a trace.
    pub(crate) fn has_traces(&self) -> bool {
        !self.traces.is_empty()
    }

    /// Returns the traced records with their ids.
    pub fn traced(&self) -> impl Iterator<Item = (&RequestRecord, &[u8], &Trace)> {
        let mut traces = self.traces.iter().peekable();
        self.records()
            .enumerate()
            .filter_map(move |(at, (record, id))| {
                let (_, trace) = traces.next_if(|(of, _)| *of == at)?;
                Some((record, id, trace))
            })
    }

    /// Returns the number of records.
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    /// Converts a time to the wall clock.
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

    /// Returns a complete chat that took no time.
    pub(crate) fn sample_record() -> RequestRecord {
        RequestRecord {
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
        let batch = RecordBatch {
            records: vec![
                (sample_record(), 1),
                (sample_record(), 2),
                (sample_record(), 3),
            ],
            ids: b"abc".to_vec(),
            traces: vec![(0, trace.clone()), (2, trace)],
            names: ModelNames::default(),
            clocks: (Instant::now(), SystemTime::now()),
        };
        let ids: Vec<&[u8]> = batch.traced().map(|(_, id, _)| id).collect();
        assert_eq!(ids, [b"a", b"c"]);
    }
}
