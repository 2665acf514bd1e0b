//! Position of a request in a trace, and the trace fields that the child gets.

use super::harness::{Harness, expect, head, run, send, without_id};
use paddock_telemetry::Trace;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";
const EMPTY: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| {
            [byte >> 4, byte & 15].map(|digit| char::from_digit(digit.into(), 16).unwrap())
        })
        .collect()
}

/// Returns the head that the child receives for a request with these lines, and its trace.
async fn pass(harness: &Harness, lines: &str) -> (String, Option<Trace>) {
    let mut upstream = harness.upstream();
    let mut client = harness.client();
    let asked = format!("GET /props HTTP/1.1\r\nHost: h\r\nX-Request-Id: r7\r\n{lines}\r\n");
    send(&mut client, &asked).await;
    let seen = head(&mut upstream).await;
    send(&mut upstream, EMPTY).await;
    head(&mut client).await;
    assert_eq!(harness.records().await.len(), 1);
    let mut traces = harness.traces();
    assert!(traces.len() < 2, "{traces:?}");
    let trace = traces.pop().map(|(trace, id)| {
        assert_eq!(id, "r7");
        trace
    });
    let rest = seen.strip_prefix(&asked[..asked.len() - 2]).unwrap();
    (rest.strip_suffix("\r\n").unwrap().to_owned(), trace)
}

#[test]
fn the_child_is_told_of_the_trace_that_is_begun() {
    run(async {
        let harness = Harness::with_traces();
        let (added, trace) = pass(&harness, "").await;
        let trace = trace.unwrap();
        let (id, span) = (hex(&trace.id), hex(&trace.span));
        assert_eq!(added, format!("traceparent: 00-{id}-{span}-01\r\n"));
        assert_eq!((trace.parent, trace.method), (None, "GET"));
        let (_, next) = pass(&harness, "").await;
        assert_ne!(next.unwrap().id, trace.id);
    });
}

#[test]
fn the_clients_trace_passes_as_it_is() {
    run(async {
        let harness = Harness::with_traces();
        let line = |flags: &str| format!("TraceParent: 00-{TRACE}-{PARENT}-{flags}\r\n");
        let (added, trace) = pass(&harness, &line("01")).await;
        let trace = trace.unwrap();
        assert_eq!(hex(&trace.id), TRACE);
        assert_eq!(
            trace.parent.as_ref().map(|id| hex(id)).as_deref(),
            Some(PARENT)
        );
        assert_eq!(added, "");
        let (added, trace) = pass(&harness, &line("00")).await;
        assert_eq!((added.as_str(), trace), ("", None), "nobody keeps it");
    });
}

#[test]
fn a_trace_that_does_not_count_passes_and_is_not_doubled() {
    run(async {
        let harness = Harness::with_traces();
        let valid = format!("traceparent: 00-{TRACE}-{PARENT}-01\r\n");
        for lines in ["traceparent: what\r\n".to_owned(), valid.repeat(2)] {
            let (added, trace) = pass(&harness, &lines).await;
            let trace = trace.unwrap();
            assert_eq!((added.as_str(), trace.parent), ("", None), "{lines}");
            assert_ne!(hex(&trace.id), TRACE);
        }
    });
}

#[test]
fn requests_of_a_connection_have_traces_of_their_own() {
    run(async {
        let harness = Harness::with_traces();
        let mut upstream = harness.upstream();
        let mut client = harness.client();
        let sampled = format!("traceparent: 00-{TRACE}-{PARENT}-01\r\n");
        for lines in [sampled.as_str(), "traceparent: 00-x\r\n", ""] {
            let asked = format!("GET /props HTTP/1.1\r\nHost: h\r\n{lines}\r\n");
            send(&mut client, asked).await;
            head(&mut upstream).await;
            send(&mut upstream, EMPTY).await;
            head(&mut client).await;
        }
        // The head is malformed: the request must not inherit the previous one's trace.
        send(&mut client, "GET / HTTP/1.1\r\nHost\r\n\r\n").await;
        head(&mut client).await;
        assert_eq!(harness.records().await.len(), 4);
        let traces = harness.traces();
        let ids: Vec<String> = traces.iter().map(|(trace, _)| hex(&trace.id)).collect();
        assert_eq!(ids.len(), 4);
        assert_eq!(ids.iter().filter(|id| *id == TRACE).count(), 1);
        assert_eq!(traces[3].0.method, "_OTHER");
    });
}

#[test]
fn nobody_who_collects_is_no_trace() {
    run(async {
        let harness = Harness::new();
        let mut upstream = harness.upstream();
        let mut client = harness.client();
        let asked = "GET /props HTTP/1.1\r\nHost: h\r\n\r\n";
        send(&mut client, asked).await;
        assert_eq!(without_id(&head(&mut upstream).await), asked);
        send(&mut upstream, EMPTY).await;
        expect(&mut client, b"HTTP/1.1 200 OK\r\n").await;
        harness.records().await;
        assert!(harness.traces().is_empty());
    });
}
