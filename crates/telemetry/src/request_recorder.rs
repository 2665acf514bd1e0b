//! Records the request in flight on a connection.
//!
//! The connection reports each step; the recorder reads usage from the passing answer without altering it.

use super::trace::{Trace, TraceLine};
use super::{Meter, Outcome, RequestRecord, Route, token_charge};
use paddock_admission::error::ProxyError;
use paddock_admission::keys::{Key, KeyUse, OpenStream, StreamEnd, StreamUse};
use paddock_admission::recent_answers::AnswerTokens;
use paddock_admission::slot_queue::EngineWait;
use paddock_scheduler::ModelId;
use paddock_wire::{self as wire, Body, ChunkError, ResponseHead, Usage, UsageParser, UsageReport};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Collects measurements of a connection's current request, and reads the passing answer's usage. Hands a
/// [`RequestRecord`] to the meter when the request or the connection ends.
#[derive(Debug)]
pub struct RequestRecorder {
    /// Receiver of the records of ended requests; one per worker thread.
    meter: Rc<Meter>,
    /// The `x-request-id` field line.
    id_line: Vec<u8>,
    in_flight: Option<InFlightRequest>,
    /// The request's wait for a slot inside the child, which the connection counts.
    engine_wait: Rc<RefCell<EngineWait>>,
    trace: Option<Trace>,
}

/// Measurements of the current request so far.
#[derive(Debug)]
struct InFlightRequest {
    arrived: Instant,
    route: Route,
    /// True if the request is for paddock itself, not for a model.
    is_own: bool,
    model: Option<ModelId>,
    /// Use of the request's API key.
    visit: Option<KeyUse>,
    status: Option<u16>,
    error: Option<(&'static str, Outcome)>,
    /// Wait for permission to use the model, without `load`.
    queue: Duration,
    /// Wait for the model to load.
    load: Duration,
    /// Arrival of the first body byte of a streamed answer.
    first_byte: Option<Instant>,
    is_stream: bool,
    usage_parser: Option<UsageParser>,
    /// Usage of the answer, once the answer has ended and the usage was read from the parser.
    usage: Option<AnswerUsage>,
    bytes_in: u64,
    /// Bytes of paddock's own answer.
    bytes_out: u64,
}

/// The usage that an answer states.
#[derive(Debug, Clone, Copy)]
struct AnswerUsage {
    report: UsageReport,
    /// The numbers of the report that are plausible.
    plausible: Usage,
}

impl InFlightRequest {
    /// Returns the usage of the answer, which must have ended. Reads the parser only once.
    fn read_usage(&mut self) -> Option<&AnswerUsage> {
        if self.usage.is_none() {
            let report = self.usage_parser.as_ref()?.report();
            let plausible =
                token_charge::plausible_usage(report.usage, self.bytes_in, report.bytes);
            self.usage = Some(AnswerUsage { report, plausible });
        }
        self.usage.as_ref()
    }
}

impl RequestRecorder {
    /// Creates the recorder of a connection, which counts in `engine_wait` how long its request waits for a slot.
    pub fn new(meter: Rc<Meter>, engine_wait: Rc<RefCell<EngineWait>>) -> Self {
        Self {
            meter,
            id_line: Vec::new(),
            in_flight: None,
            engine_wait,
            trace: None,
        }
    }

    /// Begins a request whose first byte came at `arrived`; `id_line` is its request id's field line.
    pub fn begin(&mut self, arrived: Instant, route: Route, id_line: &[u8]) {
        self.id_line.clear();
        self.id_line.extend_from_slice(id_line);
        self.in_flight = Some(InFlightRequest {
            arrived,
            route,
            is_own: false,
            model: None,
            visit: None,
            status: None,
            error: None,
            queue: Duration::ZERO,
            load: Duration::ZERO,
            first_byte: None,
            is_stream: false,
            usage_parser: None,
            usage: None,
            bytes_in: 0,
            bytes_out: 0,
        });
    }

    /// Continues the trace of this head, or begins one, if a collector takes traces.
    pub fn start_trace(&mut self, head: &[u8]) {
        if self.meter.is_tracing() {
            self.trace = Trace::begin(head);
        }
    }

    /// Returns the field line that passes the trace to the child, if one is needed.
    pub fn trace_line(&self) -> Option<TraceLine> {
        self.trace.as_ref()?.line()
    }

    /// Sets the model that the request is for.
    pub fn set_model(&mut self, model: ModelId) {
        if let Some(request) = &mut self.in_flight {
            request.model = Some(model);
        }
    }

    /// Sets the use of the request's API key.
    pub fn set_visit(&mut self, visit: KeyUse) {
        if let Some(request) = &mut self.in_flight {
            request.visit = Some(visit);
        }
    }

    /// Returns the request's API key.
    pub fn key(&self) -> Option<&Arc<Key>> {
        let visit = self.in_flight.as_ref()?.visit.as_ref();
        visit.map(KeyUse::key)
    }

    /// Sets the streams that the request refers to.
    pub fn set_stream_use(&mut self, wants: StreamUse) {
        if let Some(visit) = self.visit_mut() {
            visit.stream_use = Some(wants);
        }
    }

    /// Takes the streams that the request refers to, for a check.
    pub fn take_stream_use(&mut self) -> Option<StreamUse> {
        self.visit_mut()?.stream_use.take()
    }

    /// Sets the stream that the request opens.
    pub fn set_opened_stream(&mut self, stream: OpenStream) {
        if let Some(visit) = self.visit_mut() {
            visit.set_stream(stream);
        }
    }

    fn visit_mut(&mut self) -> Option<&mut KeyUse> {
        self.in_flight.as_mut()?.visit.as_mut()
    }

    /// Counts the request against its key's limits, and fails if they are exceeded.
    pub fn start_key_use(&mut self, now: Instant) -> Result<(), ProxyError> {
        let visit = self.visit_mut();
        visit.map_or(Ok(()), |visit| visit.begin(now))
    }

    /// Adds a wait for a lease that ends now. `load` is the share spent loading the model, or None if no lease
    /// was granted.
    pub fn add_lease_wait(&mut self, waited: Duration, load: Option<Duration>) {
        if let Some(request) = &mut self.in_flight {
            if let Some(trace) = &mut self.trace {
                let after = request.arrived.elapsed().saturating_sub(waited);
                trace.set_lease_wait(after, load.is_some());
            }
            let load = load.unwrap_or_default().min(waited);
            request.load += load;
            request.queue += waited.saturating_sub(load);
        }
    }

    /// Sets the number of body bytes received.
    pub fn set_body_bytes(&mut self, bytes: u64) {
        if let Some(request) = &mut self.in_flight {
            request.bytes_in = bytes;
        }
    }

    /// Starts the child's answer with its head.
    pub fn start_answer(&mut self, head: &ResponseHead) {
        if let Some(request) = &mut self.in_flight {
            request.status = Some(head.status);
            request.is_stream = head.is_event_stream;
            let mut usage_parser = UsageParser::for_response(head);
            if request.visit.as_ref().is_some_and(KeyUse::has_token_limit) {
                usage_parser.count_events();
            }
            request.usage_parser = Some(usage_parser);
        }
    }

    /// Returns the route and the status, once the answer has begun.
    pub fn route_and_status(&self) -> Option<(Route, u16)> {
        let request = self.in_flight.as_ref()?;
        Some((request.route, request.status?))
    }

    /// Follows framed bytes of the answer's body that came at `at`, and returns the number that belong to it.
    pub fn read_framed(
        &mut self,
        body: &mut Body,
        bytes: &[u8],
        at: Instant,
    ) -> Result<usize, ChunkError> {
        let Some(request) = &mut self.in_flight else {
            return body.follow(bytes);
        };
        let (first, streams) = (&mut request.first_byte, request.is_stream);
        let mut reading = request
            .usage_parser
            .as_mut()
            .map(|usage_parser| usage_parser.begin_batch(bytes));
        body.follow_with(bytes, |data| {
            if streams && first.is_none() && !is_comment(data) {
                *first = Some(at);
            }
            if let Some(reading) = &mut reading {
                reading.feed(data);
            }
        })
    }

    /// Reads unframed bytes of the answer's body that came at `at`.
    pub fn read_data(&mut self, data: &[u8], at: Instant) {
        let Some(request) = &mut self.in_flight else {
            return;
        };
        if request.is_stream
            && request.first_byte.is_none()
            && !data.is_empty()
            && !is_comment(data)
        {
            request.first_byte = Some(at);
        }
        if let Some(usage_parser) = &mut request.usage_parser {
            usage_parser.feed(data);
        }
    }

    /// Returns the token counts of an answer that has ended. Returns `None` unless the answer states the number of
    /// prompt tokens and of generated tokens, and no error.
    pub fn answer_tokens(&mut self) -> Option<AnswerTokens> {
        let AnswerUsage {
            report,
            plausible: usage,
        } = self.in_flight.as_mut()?.read_usage()?;
        if report.outcome == wire::BodyOutcome::Failed {
            return None;
        }
        let prompt = u32::try_from(usage.prompt_tokens?).ok()?;
        let generated = u32::try_from(usage.generated_tokens?).ok()?;
        // An answer without this number may have used the cache; paddock claims no saving for it.
        let cached = u32::try_from(usage.cached_tokens.unwrap_or(0)).ok()?;
        Some(AnswerTokens {
            prompt,
            cached: cached.min(prompt),
            generated,
        })
    }

    /// Sets the reason for breaking off an answer that has begun. The first reason counts.
    pub fn set_failure(&mut self, error: &ProxyError) {
        if let Some(request) = &mut self.in_flight {
            let why = (error.kind(), Outcome::from_error(error, true));
            request.error.get_or_insert(why);
        }
    }

    /// Sets paddock's error answer, with a body of `bytes` bytes.
    pub fn set_refusal(&mut self, error: &ProxyError, bytes: usize) {
        if let Some(request) = &mut self.in_flight {
            request.status = Some(error.status());
            request.error = Some((error.kind(), Outcome::from_error(error, false)));
            request.bytes_out = bytes as u64;
        }
    }

    /// Sets paddock's answer to a request for itself.
    pub fn set_own_answer(&mut self, status: u16, bytes: usize) {
        if let Some(request) = &mut self.in_flight {
            request.is_own = true;
            request.model = None;
            request.status = Some(status);
            request.bytes_out = bytes as u64;
        }
    }

    /// Ends the request: its answer has passed, with the last byte at `at`.
    pub fn finish(&mut self, at: Instant) {
        let refused = self.in_flight.as_ref().and_then(|request| request.error);
        self.end(
            refused.map_or(Outcome::Complete, |(_, outcome)| outcome),
            at,
        );
    }

    /// Ends the request: its answer broke off.
    pub fn finish_broken(&mut self) {
        let why = self.in_flight.as_ref().and_then(|request| request.error);
        let outcome = why.map_or(Outcome::UpstreamError, |(_, outcome)| outcome);
        self.end(outcome, Instant::now());
    }

    /// Ends the request: the client left.
    pub fn finish_client_left(&mut self) {
        self.end(Outcome::ClientGone, Instant::now());
    }

    fn end(&mut self, outcome: Outcome, at: Instant) {
        let Some(request) = &mut self.in_flight else {
            return;
        };
        let usage = request.read_usage().copied();
        let report = usage.map(|usage| usage.report);
        let outcome = match report.map(|report| report.outcome) {
            Some(wire::BodyOutcome::Failed) if outcome == Outcome::Complete => {
                Outcome::UpstreamError
            }
            _ => outcome,
        };
        if let Some(visit) = &mut request.visit {
            visit.set_end(match outcome {
                Outcome::Refused => StreamEnd::NotSent,
                Outcome::Complete => StreamEnd::Complete,
                _ => StreamEnd::Abandoned,
            });
        }
        if let Some((visit, report)) = request.visit.as_ref().zip(report) {
            visit.debit_tokens(
                token_charge::charged_tokens(&report, request.is_stream, request.bytes_in),
                at,
            );
        }
        let record = RequestRecord {
            arrived: request.arrived,
            model: request.model,
            key: request.visit.as_ref().map(|visit| Arc::clone(visit.key())),
            route: request.route,
            status: request.status,
            outcome,
            error: request.error.map(|(kind, _)| kind),
            queue: request.queue,
            load: request.load,
            engine_wait: self.engine_wait.borrow().wait_time(at),
            ttft: request
                .first_byte
                .map(|first| first.duration_since(request.arrived)),
            total: at.duration_since(request.arrived),
            usage: usage.map(|usage| usage.plausible).unwrap_or_default(),
            bytes_in: request.bytes_in,
            bytes_out: report.map_or(request.bytes_out, |report| report.bytes),
        };
        let id = self.id_line.strip_prefix(b"x-request-id: ");
        let id = id.unwrap_or_default().trim_ascii_end();
        self.meter
            .record(record, id, &mut self.trace, !request.is_own);
        self.in_flight = None;
        self.trace = None;
    }
}

/// Returns true for an SSE comment, which keeps an idle stream alive.
fn is_comment(data: &[u8]) -> bool {
    data.first() == Some(&b':')
}

impl Drop for RequestRecorder {
    fn drop(&mut self) {
        // A connection is dropped within a request only when paddock stops.
        self.end(Outcome::Cancelled, Instant::now());
    }
}
