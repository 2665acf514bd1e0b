use super::trace::{Trace, TraceLine};
use super::{Meter, Outcome, Route, Row, tokens};
use paddock_admission::error::ProxyError;
use paddock_admission::keys::{Key, OpenStream, StreamEnd, StreamUse, Visit};
use paddock_admission::slots::{EngineWait, SlotTicket};
use paddock_scheduler::ModelId;
use paddock_wire::{self as wire, Body, ChunkError, ResponseHead, UsageParser};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// What is known of the request that a connection is busy with. It is told what happens, and reads
/// the answer beside its way to the client. When the request ends, or the connection with it, that
/// is what is recorded.
#[derive(Debug)]
pub struct Record {
    meter: Rc<Meter>,
    /// The `x-request-id` field line.
    id_line: Vec<u8>,
    under_way: Option<UnderWay>,
    trace: Option<Trace>,
}

#[derive(Debug)]
struct UnderWay {
    arrived: Instant,
    route: Route,
    /// It is asked of paddock itself.
    own: bool,
    model: Option<ModelId>,
    /// With the key that it shows.
    visit: Option<Visit>,
    status: Option<u16>,
    error: Option<(&'static str, Outcome)>,
    queue: Duration,
    load: Duration,
    engine_wait: EngineWait,
    /// When the first byte came of a streamed answer's body.
    first: Option<Instant>,
    streams: bool,
    usage_parser: Option<UsageParser>,
    bytes_in: u64,
    /// Of paddock's own answer.
    bytes_out: u64,
}

impl Record {
    /// A connection's, of a worker's.
    pub fn new(meter: Rc<Meter>) -> Self {
        Self {
            meter,
            id_line: Vec::new(),
            under_way: None,
            trace: None,
        }
    }

    /// A request has begun with its first byte at this time; `id_line` is its field line.
    pub fn begin(&mut self, arrived: Instant, route: Route, id_line: &[u8]) {
        self.id_line.clear();
        self.id_line.extend_from_slice(id_line);
        self.under_way = Some(UnderWay {
            arrived,
            route,
            own: false,
            model: None,
            visit: None,
            status: None,
            error: None,
            queue: Duration::ZERO,
            load: Duration::ZERO,
            engine_wait: EngineWait::default(),
            first: None,
            streams: false,
            usage_parser: None,
            bytes_in: 0,
            bytes_out: 0,
        });
    }

    /// Its head is this one. Looks for its trace, or begins one, where somebody takes traces.
    pub fn trace(&mut self, head: &[u8]) {
        if self.meter.traces() {
            self.trace = Trace::begin(head);
        }
    }

    /// The field line that takes the trace on to the child, where there is to be one.
    pub fn trace_line(&self) -> Option<TraceLine> {
        self.trace.as_ref()?.line()
    }

    /// It is for this model.
    pub fn for_model(&mut self, model: ModelId) {
        if let Some(it) = &mut self.under_way {
            it.model = Some(model);
        }
    }

    /// It shows a key.
    pub fn for_key(&mut self, visit: Visit) {
        if let Some(it) = &mut self.under_way {
            it.visit = Some(visit);
        }
    }

    /// The key that it shows.
    pub fn key(&self) -> Option<&Arc<Key>> {
        let visit = self.under_way.as_ref()?.visit.as_ref();
        visit.map(Visit::key)
    }

    /// Notes what the request wants of streams.
    pub fn wants_stream(&mut self, wants: StreamUse) {
        if let Some(visit) = self.visit_mut() {
            visit.wants = Some(wants);
        }
    }

    /// Takes what it wants of streams, to be checked.
    pub fn take_stream_use(&mut self) -> Option<StreamUse> {
        self.visit_mut()?.wants.take()
    }

    /// Notes the stream that the request opens.
    pub fn opens(&mut self, stream: OpenStream) {
        if let Some(visit) = self.visit_mut() {
            visit.opens(stream);
        }
    }

    fn visit_mut(&mut self) -> Option<&mut Visit> {
        self.under_way.as_mut()?.visit.as_mut()
    }

    /// It goes on to a model, if the limits of its key let it.
    pub fn begins(&mut self, now: Instant) -> Result<(), ProxyError> {
        let visit = self.visit_mut();
        visit.map_or(Ok(()), |visit| visit.begin(now))
    }

    /// It has waited this long for a lease, just now, and for so much of that the model was loading; without
    /// a time for that it got none.
    pub fn waited(&mut self, waited: Duration, load: Option<Duration>) {
        if let Some(it) = &mut self.under_way {
            if let Some(trace) = &mut self.trace {
                let after = it.arrived.elapsed().saturating_sub(waited);
                trace.waited(after, load.is_some());
            }
            let load = load.unwrap_or_default().min(waited);
            it.load += load;
            it.queue += waited.saturating_sub(load);
        }
    }

    /// Notes that the request goes to a child, and stands there in line for a slot.
    pub fn takes_slot(&mut self, ticket: SlotTicket) {
        if let Some(it) = &mut self.under_way {
            it.engine_wait.begin(ticket);
        }
    }

    /// So much of its body has come.
    pub fn took(&mut self, bytes: u64) {
        if let Some(it) = &mut self.under_way {
            it.bytes_in = bytes;
        }
    }

    /// The head of the child's answer has come.
    pub fn answer(&mut self, head: &ResponseHead) {
        if let Some(it) = &mut self.under_way {
            it.status = Some(head.status);
            it.engine_wait.settle(Instant::now());
            it.streams = head.is_event_stream;
            let mut usage_parser = UsageParser::for_response(head);
            if it.visit.as_ref().is_some_and(Visit::pays_for_tokens) {
                usage_parser.count_events();
            }
            it.usage_parser = Some(usage_parser);
        }
    }

    /// Returns what is asked for, and the status of its answer once there is one.
    pub fn outcome(&self) -> Option<(Route, u16)> {
        let it = self.under_way.as_ref()?;
        Some((it.route, it.status?))
    }

    /// These bytes of the answer's body, framing and all, have come at this time. Follows the body through
    /// them and says how many belong to it.
    pub fn follow(
        &mut self,
        body: &mut Body,
        bytes: &[u8],
        at: Instant,
    ) -> Result<usize, ChunkError> {
        let Some(it) = &mut self.under_way else {
            return body.follow(bytes);
        };
        let (first, streams) = (&mut it.first, it.streams);
        let mut reading = it
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

    /// A piece of the answer's body, framing left out, has come at this time.
    pub fn piece(&mut self, data: &[u8], at: Instant) {
        let Some(it) = &mut self.under_way else {
            return;
        };
        if it.streams && it.first.is_none() && !data.is_empty() && !is_comment(data) {
            it.first = Some(at);
        }
        if let Some(usage_parser) = &mut it.usage_parser {
            usage_parser.feed(data);
        }
    }

    /// The answer that has begun breaks off for this reason. The first one counts.
    pub fn breaks(&mut self, error: &ProxyError) {
        if let Some(it) = &mut self.under_way {
            let why = (error.kind(), Outcome::of(error, true));
            it.error.get_or_insert(why);
        }
    }

    /// paddock answers in the model's place, with a body of so many bytes.
    pub fn refuses(&mut self, error: &ProxyError, bytes: usize) {
        if let Some(it) = &mut self.under_way {
            it.status = Some(error.status());
            it.error = Some((error.kind(), Outcome::of(error, false)));
            it.bytes_out = bytes as u64;
        }
    }

    /// paddock has answered what was asked of itself.
    pub fn own(&mut self, status: u16, bytes: usize) {
        if let Some(it) = &mut self.under_way {
            it.own = true;
            it.model = None;
            it.status = Some(status);
            it.bytes_out = bytes as u64;
        }
    }

    /// The answer has passed, the child's or paddock's own; its last byte went at this time.
    pub fn passed(&mut self, at: Instant) {
        let refused = self.under_way.as_ref().and_then(|it| it.error);
        self.end(
            refused.map_or(Outcome::Complete, |(_, outcome)| outcome),
            at,
        );
    }

    /// The answer has broken off.
    pub fn broke(&mut self) {
        let why = self.under_way.as_ref().and_then(|it| it.error);
        let outcome = why.map_or(Outcome::UpstreamError, |(_, outcome)| outcome);
        self.end(outcome, Instant::now());
    }

    /// The client has left.
    pub fn client_left(&mut self) {
        self.end(Outcome::ClientGone, Instant::now());
    }

    fn end(&mut self, outcome: Outcome, at: Instant) {
        let Some(it) = &mut self.under_way else {
            return;
        };
        let report = it.usage_parser.as_ref().map(UsageParser::report);
        let outcome = match report.map(|report| report.outcome) {
            Some(wire::BodyOutcome::Failed) if outcome == Outcome::Complete => {
                Outcome::UpstreamError
            }
            _ => outcome,
        };
        if let Some(visit) = &mut it.visit {
            visit.ends(match outcome {
                Outcome::Refused => StreamEnd::Unopened,
                Outcome::Complete => StreamEnd::Whole,
                _ => StreamEnd::Left,
            });
        }
        if let Some((visit, report)) = it.visit.as_ref().zip(report) {
            visit.used(tokens::charged(&report, it.streams, it.bytes_in), at);
        }
        let row = Row {
            arrived: it.arrived,
            model: it.model,
            key: it.visit.as_ref().map(|visit| Arc::clone(visit.key())),
            route: it.route,
            status: it.status,
            outcome,
            error: it.error.map(|(kind, _)| kind),
            queue: it.queue,
            load: it.load,
            engine_wait: it.engine_wait.waited(at),
            ttft: it.first.map(|first| first.duration_since(it.arrived)),
            total: at.duration_since(it.arrived),
            usage: report
                .map(|report| tokens::believed(report.usage, it.bytes_in, report.bytes))
                .unwrap_or_default(),
            bytes_in: it.bytes_in,
            bytes_out: report.map_or(it.bytes_out, |report| report.bytes),
        };
        let id = self.id_line.strip_prefix(b"x-request-id: ");
        let id = id.unwrap_or_default().trim_ascii_end();
        self.meter.take(row, id, &mut self.trace, !it.own);
        self.under_way = None;
        self.trace = None;
    }
}

/// A comment keeps a stream alive that has nothing to say yet.
fn is_comment(data: &[u8]) -> bool {
    data.first() == Some(&b':')
}

impl Drop for Record {
    fn drop(&mut self) {
        // A connection is let go of in the middle of a request only when paddock stops.
        self.end(Outcome::Cancelled, Instant::now());
    }
}
