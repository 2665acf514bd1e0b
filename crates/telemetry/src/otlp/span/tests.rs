//! Tests of spans: names, attributes, times and errors.

use super::*;
use crate::request_record::tests::sample_record;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use paddock_wire::Usage;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::time::Instant;

const BEGIN: u64 = 1_700_000_000_000_000_000;
const MS: u64 = 1_000_000;
const THEIRS: &str = "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n";

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn trace(lines: &str) -> Trace {
    Trace::begin(format!("POST /x HTTP/1.1\r\nHost: h\r\n{lines}\r\n").as_bytes()).unwrap()
}

/// Returns the spans of one request that arrived at `BEGIN`.
fn spans(record: RequestRecord, trace: Trace) -> Vec<Span> {
    let time = SystemTime::UNIX_EPOCH + Duration::from_nanos(BEGIN);
    let batch = RecordBatch {
        clocks: (record.arrived + ms(2_000), time + ms(2_000)),
        records: vec![(record, 2)],
        ids: b"r7".to_vec(),
        traces: vec![(0, trace)],
        names: Arc::new([Some("gemma".into())]),
    };
    spans_from_batch(&batch).collect()
}

fn root_span_of(record: RequestRecord) -> Span {
    spans(record, trace("")).swap_remove(0)
}

fn attributes_of(span: &Span) -> BTreeMap<&str, String> {
    let value = |it: &KeyValue| match it.value.clone().and_then(|value| value.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        other => panic!("{other:?}"),
    };
    let all = span.attributes.iter();
    all.map(|it| (it.key.as_str(), value(it))).collect()
}

#[test]
fn a_stream_that_waited_has_a_span_for_each_part() {
    let mut record = sample_record();
    (record.queue, record.load) = (ms(100), ms(200));
    (record.ttft, record.total) = (Some(ms(400)), ms(1_000));
    let mut trace = trace(&format!("{THEIRS}tracestate: a=1\r\n"));
    trace.set_lease_wait(ms(5), true);
    let spans = spans(record, trace);
    let shown: Vec<_> = spans
        .iter()
        .map(|span| {
            let (from, to) = (span.start_time_unix_nano, span.end_time_unix_nano);
            (span.name.as_str(), (from - BEGIN) / MS, (to - BEGIN) / MS)
        })
        .collect();
    let expected = [
        ("chat gemma", 0, 1_000),
        ("queue", 5, 105),
        ("load", 105, 305),
        ("upstream", 305, 400),
        ("stream", 400, 1_000),
    ];
    assert_eq!(shown, expected);
    let own = &spans[0];
    assert_eq!(own.kind(), SpanKind::Server);
    assert_eq!(own.parent_span_id, 0x00f0_67aa_0ba9_02b7_u64.to_be_bytes());
    assert_eq!(own.flags, 0x301, "sampled, and the parent is remote");
    for child in &spans[1..] {
        assert_eq!(child.kind(), SpanKind::Internal);
        assert_eq!(child.parent_span_id, own.span_id);
        assert_eq!(child.flags, 0x101);
    }
    for span in &spans {
        assert_eq!(span.trace_id[..2], [0x4b, 0xf9]);
        assert_eq!(span.trace_state, "a=1");
        assert_eq!(span.status, None);
    }
    let ids = spans.iter().map(|span| &span.span_id);
    assert_eq!(ids.collect::<std::collections::BTreeSet<_>>().len(), 5);
}

#[test]
fn a_span_says_what_is_known_of_the_request() {
    let mut record = sample_record();
    record.usage = Usage {
        prompt_tokens: Some(26),
        cached_tokens: Some(20),
        generated_tokens: Some(5),
        ..Usage::default()
    };
    (record.bytes_in, record.bytes_out) = (10, 20);
    let span = root_span_of(record);
    assert_eq!(span.parent_span_id, b"");
    assert_eq!(span.flags, 0x101);
    let expected = [
        ("error.type", None),
        ("gen_ai.operation.name", Some("chat")),
        ("gen_ai.provider.name", Some("llama.cpp")),
        ("gen_ai.request.model", Some("gemma")),
        ("gen_ai.usage.cache_read.input_tokens", Some("20")),
        ("gen_ai.usage.input_tokens", Some("26")),
        ("gen_ai.usage.output_tokens", Some("5")),
        ("http.request.body.size", Some("10")),
        ("http.request.method", Some("POST")),
        ("http.response.body.size", Some("20")),
        ("http.response.status_code", Some("200")),
        ("http.route", Some("/v1/chat/completions")),
        ("paddock.outcome", Some("complete")),
        ("paddock.request.id", Some("r7")),
    ];
    let expected = expected.iter();
    let expected = expected.filter_map(|(key, value)| Some((*key, (*value)?.to_owned())));
    assert_eq!(attributes_of(&span), expected.collect());
}

#[test]
fn spans_are_named_after_what_is_asked() {
    for (route, model, name) in [
        (Route::ChatCompletions, true, "chat gemma"),
        (Route::Embeddings, true, "embeddings gemma"),
        (Route::Infill, false, "text_completion"),
        (Route::Slots, true, "POST /slots"),
        (Route::Other, true, "POST"),
    ] {
        let mut record = sample_record();
        record.route = route;
        record.model = record.model.filter(|_| model);
        assert_eq!(root_span_of(record).name, name);
    }
    let mut unreadable = sample_record();
    (unreadable.route, unreadable.model) = (Route::Other, None);
    let trace = Trace::begin(b"").unwrap();
    let spans = spans(unreadable, trace);
    assert_eq!(spans[0].name, "HTTP");
    assert_eq!(spans.len(), 1);
}

#[test]
fn errors_are_the_servers_or_the_clients() {
    for (status, outcome, error, fails, reason) in [
        (Some(200), Outcome::Complete, None, false, None),
        (Some(400), Outcome::Complete, None, false, None),
        (Some(500), Outcome::Complete, None, true, Some("500")),
        (None, Outcome::ClientGone, None, false, None),
        (
            Some(404),
            Outcome::Refused,
            Some("unknown_model"),
            false,
            Some("unknown_model"),
        ),
        (
            Some(503),
            Outcome::Refused,
            Some("queue_timeout"),
            true,
            Some("queue_timeout"),
        ),
        (
            Some(200),
            Outcome::UpstreamError,
            Some("upstream_closed"),
            true,
            Some("upstream_closed"),
        ),
        (
            Some(200),
            Outcome::UpstreamError,
            None,
            true,
            Some("upstream_error"),
        ),
    ] {
        let mut record = sample_record();
        (record.status, record.outcome, record.error) = (status, outcome, error);
        let span = root_span_of(record);
        let failed = span
            .status
            .as_ref()
            .is_some_and(|it| it.code() == StatusCode::Error);
        assert_eq!(failed, fails, "{status:?} {outcome:?}");
        let told = attributes_of(&span).remove("error.type");
        assert_eq!(told.as_deref(), reason, "{status:?} {outcome:?}");
    }
}

#[test]
fn what_breaks_an_answer_is_in_its_last_part() {
    let mut record = sample_record();
    record.outcome = Outcome::UpstreamError;
    (record.ttft, record.total) = (Some(ms(10)), ms(20));
    let spans = spans(record, trace(""));
    let failed = spans.iter().filter(|span| span.status.is_some());
    let failed: Vec<_> = failed.map(|span| span.name.as_str()).collect();
    assert_eq!(failed, ["chat gemma", "stream"]);
}

#[test]
fn times_that_cannot_be_stay_in_bounds() {
    assert_eq!(unix_nanos(SystemTime::UNIX_EPOCH - ms(1)), 0);
    assert_eq!(add_nanos(u64::MAX, ms(1)), u64::MAX);
    assert_eq!(add_nanos(1, Duration::MAX), u64::MAX);
    let mut record = sample_record();
    record.arrived = Instant::now() + ms(500);
    record.ttft = Some(ms(5));
    for span in spans(record, trace("")) {
        assert!(span.start_time_unix_nano <= span.end_time_unix_nano);
    }
}
