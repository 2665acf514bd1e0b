//! Keeps the W3C trace context of a request, and divides a traced request into phases, which become spans.
//!
//! A request to a model needs a lease before it is sent to a child, the model's llama-server process. A lease is the
//! permission to send one request to a loaded model; the model stays in memory until the lease ends.

use super::{Outcome, RequestRecord};
use paddock_wire::{TraceParentField, parse_trace_state};
use std::time::Duration;

/// Length of the `traceparent` field line: name, version, trace, span, flags and end.
const TRACEPARENT_LINE_BYTES: usize = "traceparent: 00-".len() + 32 + 1 + 16 + "-01\r\n".len();

/// Methods that spans name; OpenTelemetry calls every other method `_OTHER`.
const KNOWN_METHODS: [&str; 9] = [
    "POST", "GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT",
];

/// Trace context of a request, of bounded size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// Trace id.
    pub id: [u8; 16],
    /// Span id of the request.
    pub span: [u8; 8],
    /// Client's span id, if the client began the trace.
    pub parent: Option<[u8; 8]>,
    /// `tracestate` of the client's trace.
    pub(crate) state: Option<Box<str>>,
    /// Method of the request.
    pub method: &'static str,
    /// True if paddock adds a `traceparent` line for the child, because the request has none.
    needs_traceparent: bool,
    /// The wait for a lease; `None` if the request did not wait.
    lease_wait: Option<LeaseWait>,
}

/// A request's wait for a lease. If it waited repeatedly, the first start and the last result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct LeaseWait {
    /// Start of the wait, after the request's first byte.
    after: Duration,
    /// False if the wait ended without a lease, for instance because the client left. The request then did not reach
    /// the child, and has no `upstream` span.
    granted: bool,
}

/// A phase of a request, timed from its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RequestPhase {
    pub(crate) name: &'static str,
    pub(crate) from: Duration,
    pub(crate) to: Duration,
}

impl Trace {
    /// Continues the trace in a request's head, or begins one. None if the client's trace is not sampled.
    pub(super) fn begin(head: &[u8]) -> Option<Self> {
        let traced = TraceParentField::from_head(head);
        let (id, parent, state) = match traced {
            TraceParentField::Valid(parent) if !parent.sampled => return None,
            TraceParentField::Valid(parent) => {
                (parent.trace, Some(parent.parent), parse_trace_state(head))
            }
            TraceParentField::Absent | TraceParentField::Malformed => {
                (fastrand::u128(1..).to_be_bytes(), None, None)
            }
        };
        Some(Self {
            id,
            span: new_span(),
            parent,
            state,
            method: parse_method(head),
            needs_traceparent: traced == TraceParentField::Absent,
            lease_wait: None,
        })
    }

    /// Returns the field line for the child, if it needs one.
    pub(super) fn line(&self) -> Option<TraceLine> {
        self.needs_traceparent.then(|| TraceLine::new(self))
    }

    /// Records a wait for a lease that began `after` the first byte, and whether it was granted.
    pub(super) fn set_lease_wait(&mut self, after: Duration, granted: bool) {
        let first = self.lease_wait.map_or(after, |first| first.after);
        self.lease_wait = Some(LeaseWait {
            after: first,
            granted,
        });
    }

    /// Returns the number of spans, including the request's own.
    pub(super) fn span_count(&self, record: &RequestRecord) -> usize {
        1 + self.phases(record).count()
    }

    /// Returns the request's phases in order.
    pub(crate) fn phases(&self, record: &RequestRecord) -> impl Iterator<Item = RequestPhase> {
        let began = self
            .lease_wait
            .map_or(Duration::ZERO, |waited| waited.after);
        let loads = (began + record.queue).min(record.total);
        let leaves = (loads + record.load).min(record.total);
        let first = record.ttft.map(|first| first.clamp(leaves, record.total));
        let reached = record.model.is_some()
            && record.outcome != Outcome::Refused
            && self.lease_wait.is_none_or(|waited| waited.granted);
        let part = |name, from, to| RequestPhase { name, from, to };
        [
            (!record.queue.is_zero()).then(|| part("queue", began, loads)),
            (!record.load.is_zero()).then(|| part("load", loads, leaves)),
            reached.then(|| part("upstream", leaves, first.unwrap_or(record.total))),
            first.map(|first| part("stream", first, record.total)),
        ]
        .into_iter()
        .flatten()
    }
}

/// Returns a new span id.
pub(crate) fn new_span() -> [u8; 8] {
    fastrand::u64(1..).to_be_bytes()
}

fn parse_method(head: &[u8]) -> &'static str {
    let is = |method: &&str| {
        let rest = head.strip_prefix(method.as_bytes());
        rest.is_some_and(|rest| rest.first() == Some(&b' '))
    };
    KNOWN_METHODS.into_iter().find(is).unwrap_or("_OTHER")
}

/// The `traceparent` field line of a span.
#[derive(Debug, Clone, Copy)]
pub struct TraceLine([u8; TRACEPARENT_LINE_BYTES]);

impl TraceLine {
    fn new(trace: &Trace) -> Self {
        let mut line = *b"traceparent: 00-????????????????????????????????-????????????????-01\r\n";
        let (head, span) = line.split_at_mut(49);
        write_hex(&trace.id, &mut head[16..]);
        write_hex(&trace.span, span);
        Self(line)
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

fn write_hex(bytes: &[u8], out: &mut [u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (byte, pair) in bytes.iter().zip(out.chunks_exact_mut(2)) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
}

#[cfg(test)]
mod tests {
    use super::super::request_record::tests::sample_record;
    use super::*;

    const HEAD: &str = "POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\n";
    const THEIRS: &str = "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-";

    fn begin(lines: &str) -> Option<Trace> {
        Trace::begin(format!("{HEAD}{lines}\r\n").as_bytes())
    }

    fn text(line: TraceLine) -> String {
        String::from_utf8(line.as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn a_request_without_a_trace_begins_one_and_the_child_is_told() {
        let (one, two) = (begin("").unwrap(), begin("").unwrap());
        assert_ne!((one.id, one.span), (two.id, two.span));
        assert_eq!((one.parent, one.method), (None, "POST"));
        let line = text(one.line().unwrap());
        let told = format!("GET / HTTP/1.1\r\n{line}\r\n");
        let TraceParentField::Valid(parent) = TraceParentField::from_head(told.as_bytes()) else {
            panic!("{line}");
        };
        assert_eq!((parent.trace, parent.parent), (one.id, one.span));
        assert!(parent.sampled);
    }

    #[test]
    fn a_trace_is_gone_on_with_if_it_is_kept() {
        let trace = begin(&format!("{THEIRS}01\r\n")).unwrap();
        assert_eq!(trace.id[..2], [0x4b, 0xf9]);
        assert_eq!(trace.parent.unwrap()[..2], [0x00, 0xf0]);
        assert_ne!(Some(trace.span), trace.parent);
        assert!(trace.line().is_none(), "the client's own line passes");
        assert_eq!(begin(&format!("{THEIRS}00\r\n")), None);
    }

    #[test]
    fn the_state_belongs_to_the_clients_trace() {
        let state = |lines: &str| begin(lines).unwrap().state.map(String::from);
        let theirs = format!("{THEIRS}01\r\ntracestate: a=1\r\nTracestate: b=2\r\n");
        assert_eq!(state(&theirs).as_deref(), Some("a=1,b=2"));
        assert_eq!(state(&format!("{THEIRS}01\r\n")), None);
        assert_eq!(state("tracestate: a=1\r\n"), None, "of no trace");
        let unreadable = format!("{THEIRS}0\r\ntracestate: a=1\r\n");
        assert_eq!(state(&unreadable), None);
    }

    #[test]
    fn what_does_not_count_begins_a_trace_and_is_let_alone() {
        let trace = begin(&format!("{THEIRS}0\r\n")).unwrap();
        assert_eq!(trace.parent, None);
        assert_ne!(trace.id[..2], [0x4b, 0xf9]);
        assert!(trace.line().is_none());
    }

    #[test]
    fn methods_are_few() {
        for (head, method) in [
            ("GET / HTTP/1.1\r\n", "GET"),
            ("get / HTTP/1.1\r\n", "_OTHER"),
            ("GETS / HTTP/1.1\r\n", "_OTHER"),
            ("PATCH /x HTTP/1.1\r\n", "PATCH"),
            ("", "_OTHER"),
            ("GET", "_OTHER"),
        ] {
            assert_eq!(parse_method(head.as_bytes()), method, "{head}");
        }
    }

    /// Returns the phases in milliseconds.
    fn parts(
        record: &RequestRecord,
        lease_wait: Option<(u64, bool)>,
    ) -> Vec<(&'static str, u128, u128)> {
        let mut trace = begin("").unwrap();
        if let Some((after, granted)) = lease_wait {
            trace.set_lease_wait(Duration::from_millis(after), granted);
        }
        let parts = trace.phases(record);
        parts
            .map(|part| (part.name, part.from.as_millis(), part.to.as_millis()))
            .collect()
    }

    #[test]
    fn parts_follow_each_other() {
        let ms = Duration::from_millis;
        let mut record = sample_record();
        (record.total, record.ttft) = (ms(1000), None);
        assert_eq!(parts(&record, None), [("upstream", 0, 1000)]);
        record.ttft = Some(ms(400));
        let streamed = [("upstream", 0, 400), ("stream", 400, 1000)];
        assert_eq!(parts(&record, None), streamed);
        record.queue = ms(100);
        record.load = ms(200);
        let waited = [
            ("queue", 5, 105),
            ("load", 105, 305),
            ("upstream", 305, 400),
            ("stream", 400, 1000),
        ];
        assert_eq!(parts(&record, Some((5, true))), waited);
        // Clocks are read one after the other; a phase never begins before the previous one ends.
        record.queue = ms(300);
        let crossed = [
            ("queue", 5, 305),
            ("load", 305, 505),
            ("upstream", 505, 505),
            ("stream", 505, 1000),
        ];
        assert_eq!(parts(&record, Some((5, true))), crossed);
    }

    #[test]
    fn who_gets_no_lease_does_not_reach_the_child() {
        let mut record = sample_record();
        (record.queue, record.total) = (Duration::from_millis(90), Duration::from_millis(100));
        for outcome in [Outcome::ClientGone, Outcome::Cancelled, Outcome::Refused] {
            record.outcome = outcome;
            assert_eq!(parts(&record, Some((10, false))), [("queue", 10, 100)]);
        }
        record.queue = Duration::ZERO;
        assert_eq!(parts(&record, None), []);
        record.outcome = Outcome::Complete;
        record.model = None;
        assert_eq!(parts(&record, None), []);
    }
}
