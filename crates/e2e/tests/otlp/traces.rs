//! The spans of requests: whose they are, how long their parts took, what they say.

use std::time::Duration;

use opentelemetry_proto::tonic::trace::v1::Span;
use paddock_e2e::harness::{Connection, LIMIT, Paddock, Signal, post, wait_for};
use serde_json::Value;

use crate::collector::{Collector, Mood, attributes};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

/// A stream of a chat with this id and these field lines.
fn stream(id: &str, lines: &str) -> String {
    let body = r#"{"stream":true,"messages":[{"role":"user","content":"hi"}],"model":"m"}"#;
    let lines = format!("\r\nX-Request-Id: {id}\r\n{lines}\r\n");
    post("/v1/chat/completions", body).replacen("\r\n\r\n", &lines, 1)
}

fn traceparent(flags: &str) -> String {
    format!("traceparent: 00-{TRACE}-{PARENT}-{flags}\r\n")
}

/// Asks for a stream and reads it to its end.
fn ask(client: &mut Connection, request: &str) {
    client.send(request);
    assert_eq!(client.head().status, 200);
    let (_, whole) = client.events();
    assert!(whole);
}

/// The request as paddock lists it.
fn listed(paddock: &Paddock, id: &str) -> Value {
    wait_for(LIMIT, &format!("{id} in the list"), || {
        let page = paddock.admin_get(&format!("/api/requests?id={id}")).json();
        page["requests"].get(0).cloned()
    })
}

#[test]
fn a_stream_has_a_span_for_each_part_and_their_times_add_up() {
    let collector = Collector::start(Mood::Takes);
    let pace = ["--fake-load-ms", "300", "--fake-token-ms", "10"];
    let mut paddock = collector
        .paddock()
        .config("models.m.preload = false")
        .engine_args(pace)
        .start();
    let theirs = traceparent("01") + "tracestate: one=1\r\nTraceState: , two=2\r\n";
    ask(&mut paddock.connect(), &stream("r1", &theirs));
    let row = listed(&paddock, "r1");
    assert_eq!(paddock.stop(Signal::TERM).code(), Some(0));
    let span = collector.request("r1");
    assert_eq!(hex(&span.trace_id), TRACE);
    assert_eq!(hex(&span.parent_span_id), PARENT);
    assert_eq!(span.trace_state, "one=1,two=2");
    assert_eq!(span.name, "chat m");
    let children = collector.children(&span);
    let names: Vec<&str> = children.iter().map(|child| child.name.as_str()).collect();
    // A moment before the load may count as one in the queue.
    let names = names.strip_prefix(&["queue"]).unwrap_or(&names);
    assert_eq!(names, ["load", "upstream", "stream"]);
    assert!(children[0].start_time_unix_nano >= span.start_time_unix_nano);
    for pair in children.windows(2) {
        assert_eq!(pair[0].end_time_unix_nano, pair[1].start_time_unix_nano);
    }
    let last = children.last().expect("children");
    assert_eq!(last.end_time_unix_nano, span.end_time_unix_nano);
    for child in &children {
        assert_eq!(child.trace_id, span.trace_id);
        assert_eq!(child.trace_state, span.trace_state);
        assert_ne!(child.span_id, span.span_id);
    }

    times_are_those_of(&row, &span, &children);
    says_what_is_known(&row, &span);
}

/// The list of requests has the same times.
fn times_are_those_of(row: &Value, span: &Span, children: &[Span]) {
    let time = Duration::from_nanos;
    let took = |name: &str| {
        let child = children.iter().find(|child| child.name == name);
        child.map_or(0, |it| it.end_time_unix_nano - it.start_time_unix_nano)
    };
    let begun = span.start_time_unix_nano;
    let stream = children.last().map_or(0, |it| it.start_time_unix_nano);
    for (name, took) in [
        ("at", begun),
        ("queue_seconds", took("queue")),
        ("load_seconds", took("load")),
        ("ttft_seconds", stream - begun),
        ("total_seconds", span.end_time_unix_nano - begun),
    ] {
        let (took, listed) = (time(took).as_secs_f64(), row[name].as_f64().expect(name));
        assert!((took - listed).abs() < 0.002, "{name}: {took}, {row}");
    }
    assert!(time(took("load")) > Duration::from_millis(200), "{row}");
}

fn says_what_is_known(row: &Value, span: &Span) {
    let told = attributes(&span.attributes);
    let (prompt, generated) = (&row["tokens"]["prompt"], &row["tokens"]["generated"]);
    assert!(prompt.is_u64() && generated.is_u64(), "{row}");
    for (key, value) in [
        ("gen_ai.operation.name", "chat"),
        ("gen_ai.request.model", "m"),
        ("gen_ai.usage.input_tokens", &prompt.to_string()),
        ("gen_ai.usage.output_tokens", &generated.to_string()),
        ("http.request.method", "POST"),
        ("http.response.status_code", "200"),
        ("http.route", "/v1/chat/completions"),
        ("paddock.outcome", "complete"),
    ] {
        assert_eq!(told.get(key).map(String::as_str), Some(value), "{told:?}");
    }
}

#[test]
fn what_is_refused_has_a_span_and_what_nobody_keeps_has_none() {
    let collector = Collector::start(Mood::Takes);
    let mut paddock = collector
        .paddock()
        .config("models.b.path = 'm.gguf'")
        .start();
    ask(
        &mut paddock.connect(),
        &stream("unsampled", &traceparent("00")),
    );
    let nobody = stream("nobody", "").replace(r#""model":"m""#, r#""model":"x""#);
    assert_eq!(paddock.ask(nobody).status, 404);
    assert_eq!(paddock.get("/v1/models").status, 200);
    assert_eq!(paddock.stop(Signal::TERM).code(), Some(0));
    let spans = collector.spans();
    assert_eq!(spans.len(), 1, "{spans:#?}");
    let told = attributes(&spans[0].attributes);
    assert_eq!(told["error.type"], "unknown_model");
    assert_eq!(told["http.response.status_code"], "404");
}
