//! Records of requests, for every way in which a request can end.

use super::harness::{Harness, expect, head, rest, run, send};
use paddock_admission::phase::ServicePhase;
use paddock_telemetry::{Operation, Outcome, RequestRecord};
use paddock_wire::Usage;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio::time::advance;

const ASK: &str = "POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nX-Request-Id: r7\r\n\
    Content-Length: 2\r\n\r\n{}";
const STREAM: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\
    Transfer-Encoding: chunked\r\n\r\n";
const LAST: &str = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":26,\"completion_tokens\":5,\
    \"prompt_tokens_details\":{\"cached_tokens\":20}}}\n\ndata: [DONE]\n\n";

fn chunk(data: &str) -> String {
    format!("{:x}\r\n{data}\r\n", data.len())
}

/// Sends a request that reaches the child.
async fn asked(harness: &Harness) -> (UnixStream, UnixStream) {
    let mut upstream = harness.upstream();
    let mut client = harness.client();
    send(&mut client, ASK).await;
    head(&mut upstream).await;
    expect(&mut upstream, b"{}").await;
    (client, upstream)
}

/// Begins a stream.
async fn begun(harness: &Harness) -> (UnixStream, UnixStream) {
    let (mut client, mut upstream) = asked(harness).await;
    send(&mut upstream, format!("{STREAM}{}", chunk("data: 1\n\n"))).await;
    head(&mut client).await;
    expect(&mut client, chunk("data: 1\n\n").as_bytes()).await;
    (client, upstream)
}

/// Returns the record of the one request that has ended.
async fn record(harness: &Harness) -> RequestRecord {
    let records = harness.records().await;
    assert_eq!(records.len(), 1, "{records:?}");
    assert_eq!(records[0].1, "r7");
    let (counts, names) = harness.worker.meter.counts();
    assert_eq!(names[0].as_deref(), Some("m"));
    let counted = counts.models.iter().chain([&counts.without_model]);
    let counted: Vec<_> = counted.flat_map(|model| &model.requests).collect();
    assert_eq!(counted.len(), 1, "{counted:?}");
    let (row, _) = records.into_iter().next().unwrap();
    let (key, count) = counted[0];
    assert_eq!(
        (key.route, key.outcome, *count),
        (row.route, row.outcome, 1)
    );
    assert_eq!(key.status, row.status.unwrap_or(0));
    row
}

fn ended(row: &RequestRecord) -> (Option<u16>, Outcome, Option<&'static str>) {
    (row.status, row.outcome, row.error)
}

#[test]
fn a_stream_is_timed_and_its_tokens_are_read() {
    run(async {
        let harness = Harness::new();
        let (mut client, mut upstream) = asked(&harness).await;
        advance(Duration::from_secs(1)).await;
        send(&mut upstream, format!("{STREAM}{}", chunk(": wait\n\n"))).await;
        head(&mut client).await;
        expect(&mut client, chunk(": wait\n\n").as_bytes()).await;
        advance(Duration::from_secs(2)).await;
        send(&mut upstream, chunk("data: 1\n\n")).await;
        expect(&mut client, chunk("data: 1\n\n").as_bytes()).await;
        advance(Duration::from_secs(4)).await;
        send(&mut upstream, format!("{}0\r\n\r\n", chunk(LAST))).await;
        expect(&mut client, format!("{}0\r\n\r\n", chunk(LAST)).as_bytes()).await;
        let row = record(&harness).await;
        assert_eq!(ended(&row), (Some(200), Outcome::Complete, None));
        assert_eq!(row.route.as_str(), "chat_completions");
        assert_eq!(row.ttft, Some(Duration::from_secs(3)), "no comment counts");
        assert_eq!(row.total, Duration::from_secs(7));
        assert_eq!(row.time_per_token(), Some(Duration::from_secs(1)));
        let usage = Usage {
            prompt_tokens: Some(26),
            cached_tokens: Some(20),
            generated_tokens: Some(5),
            ..Usage::default()
        };
        assert_eq!(row.usage, usage);
        let bytes = ": wait\n\n".len() + "data: 1\n\n".len() + LAST.len();
        assert_eq!((row.bytes_in, row.bytes_out), (2, bytes as u64));
        assert_eq!((row.queue, row.load), (Duration::ZERO, Duration::ZERO));
        let model = &harness.worker.meter.counts().0.models[0];
        let tokens = (
            model.prompt_tokens,
            model.cached_tokens,
            model.generated_tokens,
        );
        assert_eq!(tokens, (26, 20, 5));
        let [(Some(Operation::Chat), times)] = &model.times[..] else {
            panic!("{:?}", model.times);
        };
        let histograms = [&times.duration, &times.ttft, &times.per_token, &model.queue];
        assert!(histograms.iter().all(|histogram| histogram.count() == 1));
        assert_eq!(model.load.count(), 0);
    });
}

#[test]
fn requests_of_a_connection_are_recorded_one_by_one() {
    run(async {
        let harness = Harness::new();
        let mut upstream = harness.upstream();
        let mut client = harness.client();
        let get = |id| format!("GET /props HTTP/1.1\r\nHost: h\r\nx-request-id: {id}\r\n\r\n");
        send(&mut client, get(1) + &get(2)).await;
        for body in ["one", "second"] {
            head(&mut upstream).await;
            let head_ = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            send(&mut upstream, head_ + body).await;
            head(&mut client).await;
            expect(&mut client, body.as_bytes()).await;
        }
        let records = harness.records().await;
        let seen = records.iter().map(|(row, id)| (id.as_str(), row.bytes_out));
        assert_eq!(seen.collect::<Vec<_>>(), [("1", 3), ("2", 6)]);
        let unread = records.iter().all(|(row, _)| row.usage == Usage::default());
        assert!(unread, "what is not JSON states nothing");
    });
}

#[test]
fn the_childs_own_error_is_an_answer() {
    run(async {
        let harness = Harness::new();
        let (mut client, mut upstream) = asked(&harness).await;
        send(
            &mut upstream,
            "HTTP/1.1 400 Bad\r\nContent-Length: 1\r\n\r\n?",
        )
        .await;
        head(&mut client).await;
        expect(&mut client, b"?").await;
        let row = record(&harness).await;
        assert_eq!(ended(&row), (Some(400), Outcome::Complete, None));
        assert_eq!(row.ttft, None, "it is no stream");
    });
}

#[test]
fn an_error_that_the_child_puts_into_its_stream_is_its_failure() {
    run(async {
        let harness = Harness::new();
        let (mut client, mut upstream) = begun(&harness).await;
        let last = chunk("data: {\"error\":{\"message\":\"no\"}}\n\n") + "0\r\n\r\n";
        send(&mut upstream, &last).await;
        expect(&mut client, last.as_bytes()).await;
        let row = record(&harness).await;
        assert_eq!(ended(&row), (Some(200), Outcome::UpstreamError, None));
    });
}

#[test]
fn a_child_that_dies_is_the_one_that_failed() {
    run(async {
        let harness = Harness::new();
        let (mut client, upstream) = begun(&harness).await;
        drop(upstream);
        rest(&mut client).await;
        let row = record(&harness).await;
        let closed = Some("upstream_closed");
        assert_eq!(ended(&row), (Some(200), Outcome::UpstreamError, closed));

        let harness = Harness::new();
        let (mut client, mut upstream) = asked(&harness).await;
        send(&mut upstream, "HTTP/1.1 200 O").await;
        drop(upstream);
        assert!(head(&mut client).await.starts_with("HTTP/1.1 502 "));
        let row = record(&harness).await;
        assert_eq!(ended(&row), (Some(502), Outcome::UpstreamError, closed));
    });
}

#[test]
fn a_silent_child_is_the_one_that_failed() {
    run(async {
        let harness = Harness::new();
        let (mut client, _upstream) = asked(&harness).await;
        assert!(head(&mut client).await.starts_with("HTTP/1.1 504 "));
        let row = record(&harness).await;
        let timeout = Some("upstream_timeout");
        assert_eq!(ended(&row), (Some(504), Outcome::UpstreamError, timeout));
        assert_eq!(row.total, super::harness::LIMITS.first_byte);
    });
}

#[test]
fn a_client_that_leaves_is_gone() {
    run(async {
        let harness = Harness::new();
        let (client, mut upstream) = begun(&harness).await;
        drop(client);
        upstream.read_to_end(&mut Vec::new()).await.unwrap();
        let row = record(&harness).await;
        assert_eq!(ended(&row), (Some(200), Outcome::ClientGone, None));
        assert_eq!(row.bytes_out, 9);

        let harness = Harness::new();
        let (client, mut upstream) = asked(&harness).await;
        drop(client);
        upstream.read_to_end(&mut Vec::new()).await.unwrap();
        let row = record(&harness).await;
        assert_eq!(ended(&row), (None, Outcome::ClientGone, None));
    });
}

#[test]
fn what_paddock_refuses_is_refused() {
    run(async {
        let harness = Harness::with_body_limit(1);
        let mut client = harness.client();
        send(&mut client, ASK).await;
        assert!(head(&mut client).await.starts_with("HTTP/1.1 413 "));
        let row = record(&harness).await;
        let large = Some("body_too_large");
        assert_eq!(ended(&row), (Some(413), Outcome::Refused, large));
        assert_eq!(row.model, None);

        let harness = Harness::new();
        let mut client = harness.client();
        send(&mut client, "nonsense\r\n\r\n").await;
        let answer = rest(&mut client).await;
        let (row, _) = harness.records().await.pop().unwrap();
        let bad = Some("bad_request");
        assert_eq!(ended(&row), (Some(400), Outcome::Refused, bad));
        assert!(row.bytes_out > 0 && row.bytes_out < answer.len() as u64);
    });
}

#[test]
fn what_is_cut_is_cancelled() {
    run(async {
        let harness = Harness::new();
        let (mut client, _upstream) = begun(&harness).await;
        harness.worker.set_phase(ServicePhase::Cut);
        rest(&mut client).await;
        let row = record(&harness).await;
        let stopping = Some("shutting_down");
        assert_eq!(ended(&row), (Some(200), Outcome::Cancelled, stopping));

        let harness = Harness::new();
        let (mut client, _upstream) = begun(&harness).await;
        assert!(harness.worker.cancel_requests(b"r7"));
        rest(&mut client).await;
        let row = record(&harness).await;
        let cancelled = Some("cancelled");
        assert_eq!(ended(&row), (Some(200), Outcome::Cancelled, cancelled));
    });
}

#[test]
fn a_connection_that_is_let_go_of_is_recorded_all_the_same() {
    let harness = Rc::new(Harness::new());
    let serving = Rc::clone(&harness);
    // The sockets outlive the worker's tasks.
    let _sockets = run(async move { begun(&serving).await });
    run(async move {
        let row = record(&harness).await;
        assert_eq!(ended(&row), (Some(200), Outcome::Cancelled, None));
    });
}

#[test]
fn a_body_that_cannot_be_read_states_nothing() {
    run(async {
        let harness = Harness::new();
        let (mut client, mut upstream) = asked(&harness).await;
        let answer = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\
            Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f{}}";
        send(&mut upstream, answer).await;
        head(&mut client).await;
        expect(&mut client, b"\x1f{}}").await;
        let row = record(&harness).await;
        assert_eq!(ended(&row), (Some(200), Outcome::Complete, None));
        assert_eq!((row.usage, row.bytes_out), (Usage::default(), 4));
    });
}

#[test]
fn an_old_client_gets_an_answer_without_chunks_and_its_data_are_read() {
    run(async {
        let harness = Harness::new();
        let mut upstream = harness.upstream();
        let mut client = harness.client();
        send(&mut client, ASK.replace("HTTP/1.1", "HTTP/1.0")).await;
        head(&mut upstream).await;
        expect(&mut upstream, b"{}").await;
        send(&mut upstream, format!("{STREAM}{}0\r\n\r\n", chunk(LAST))).await;
        head(&mut client).await;
        assert_eq!(rest(&mut client).await, LAST.as_bytes());
        let row = record(&harness).await;
        assert_eq!(row.usage.generated_tokens, Some(5));
        assert_eq!(row.bytes_out, LAST.len() as u64);
    });
}

#[test]
fn more_rows_than_may_be_are_counted_and_not_listed() {
    run(async {
        let harness = Harness::new();
        let mut upstream = harness.upstream();
        let mut client = harness.client();
        for _ in 0..134 {
            send(&mut client, "GET /props HTTP/1.1\r\nHost: h\r\n\r\n").await;
            head(&mut upstream).await;
            send(&mut upstream, "HTTP/1.1 204 No\r\n\r\n").await;
            head(&mut client).await;
        }
        assert_eq!(harness.records().await.len(), 128);
        let (counts, _) = harness.worker.meter.counts();
        assert_eq!(counts.dropped, 6);
        assert_eq!(counts.models[0].requests[0].1, 134);
    });
}
