//! Streaming clients that wait for their model.

use super::harness::{GENERATION, Harness, LIMITS, expect, head, run, send, without_id};
use paddock_admission::error::ProxyError;
use paddock_admission::lease_queue::{AdmissionMessage, AdmissionReceiver, GrantedLease};
use paddock_admission::model::{ExchangeLimits, Model};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};

const ON: ExchangeLimits = ExchangeLimits {
    loading_heartbeat: true,
    ..LIMITS
};

const CHAT: &str = "/v1/chat/completions";
const STREAMS: &str = r#"{"stream":true,"messages":[]}"#;
const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\
    Transfer-Encoding: chunked\r\n\r\n";
const COMMENT: &str = "19\r\n: waiting for the model\n\n\r\n";

fn ask(path: &str, body: &str) -> String {
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n{body}")
}

/// Waits for a request, and returns its model and the channel to answer on.
async fn next(
    queue: &mut AdmissionReceiver,
) -> (
    Arc<Model>,
    oneshot::Sender<Result<GrantedLease, ProxyError>>,
) {
    match queue.messages.recv().await {
        Some(AdmissionMessage::Acquire { request, reply, .. }) => (request.model, reply),
        other => panic!("no request waits: {other:?}"),
    }
}

/// Waits until a request has left the queue.
async fn left(queue: &mut AdmissionReceiver) {
    let message = queue.messages.recv().await;
    assert!(
        matches!(message, Some(AdmissionMessage::Leave(_))),
        "{message:?}"
    );
}

/// Grants a waiting request its lease.
async fn grant(harness: &Harness, queue: &mut AdmissionReceiver) {
    let (model, reply) = next(queue).await;
    harness.model.gate.open_for_tests(GENERATION);
    let granted = GrantedLease {
        lease: model.try_acquire().unwrap(),
        load: Duration::ZERO,
    };
    assert!(reply.send(Ok(granted)).is_ok());
}

/// Refuses a waiting request.
async fn refuse(queue: &mut AdmissionReceiver) {
    let (_, reply) = next(queue).await;
    assert!(reply.send(Err(ProxyError::ShuttingDown)).is_ok());
}

/// Opens a client's connection that has got a comment.
async fn begun(harness: &Harness, path: &str) -> UnixStream {
    let mut client = harness.client();
    let start = Instant::now();
    send(&mut client, ask(path, STREAMS)).await;
    assert_eq!(without_id(&head(&mut client).await), HEAD);
    expect(&mut client, COMMENT.as_bytes()).await;
    assert_eq!(start.elapsed().as_secs(), 10);
    client
}

/// Returns the last event of a stream, and checks for the regular end.
async fn last_event(client: &mut UnixStream) -> String {
    let mut size = Vec::new();
    while !size.ends_with(b"\r\n") {
        size.push(client.read_u8().await.unwrap());
    }
    let size = String::from_utf8(size).unwrap();
    let mut event = vec![0; usize::from_str_radix(size.trim_end(), 16).unwrap()];
    client.read_exact(&mut event).await.unwrap();
    expect(client, b"\r\n0\r\n\r\n").await;
    String::from_utf8(event).unwrap()
}

#[test]
fn a_stream_goes_on_behind_the_comments_without_delay() {
    run(async {
        let (harness, mut queue) = Harness::with_unloaded_model(ON);
        let mut client = begun(&harness, CHAT).await;
        let start = Instant::now();
        for _ in 0..2 {
            expect(&mut client, COMMENT.as_bytes()).await;
        }
        assert_eq!(start.elapsed().as_secs(), 20);
        sleep(Duration::from_secs(3)).await;

        let mut upstream = harness.upstream();
        let start = Instant::now();
        grant(&harness, &mut queue).await;
        let asked = head(&mut upstream).await;
        assert!(asked.starts_with("POST /v1/chat/completions "), "{asked}");
        expect(&mut upstream, STREAMS.as_bytes()).await;
        let hints = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
        send(&mut upstream, format!("{hints}{HEAD}5\r\ndata:\r\n")).await;
        expect(&mut client, b"5\r\ndata:\r\n").await;
        send(&mut upstream, "4\r\n 1\n\n\r\n0\r\n\r\n").await;
        expect(&mut client, b"4\r\n 1\n\n\r\n0\r\n\r\n").await;
        assert_eq!(start.elapsed(), Duration::ZERO);
        let (row, _) = harness.records().await.remove(0);
        assert_eq!(row.status, Some(200));

        // Both connections serve the next request.
        send(&mut client, ask(CHAT, "{}")).await;
        let asked = head(&mut upstream).await;
        assert!(asked.starts_with("POST /v1/chat/completions "), "{asked}");
    });
}

#[test]
fn a_failure_is_an_event_and_the_streams_end() {
    run(async {
        for (path, event) in [
            (CHAT, "data: {\"error\":{"),
            ("/v1/messages", "event: error\ndata: {\"error\":{"),
        ] {
            let (harness, mut queue) = Harness::with_unloaded_model(ON);
            let mut client = begun(&harness, path).await;
            refuse(&mut queue).await;
            let words = last_event(&mut client).await;
            assert!(words.starts_with(event), "{words}");
            assert!(words.contains("paddock is stopping"), "{words}");
            let (row, _) = harness.records().await.remove(0);
            assert_eq!((row.status, row.error), (Some(503), Some("shutting_down")));
        }
    });
}

#[test]
fn an_answer_that_is_no_stream_is_an_event() {
    run(async {
        let own = r#"{"error":{"code":400,"message":"too long"}}"#;
        let length = own.len();
        let event = format!("data: {own}\n\n");
        for (answer, closes, event, server_errors) in [
            (
                format!("400 Bad Request\r\nContent-Length: {length}\r\n\r\n{own}"),
                false,
                event.as_str(),
                0,
            ),
            (
                format!("500 Internal Server Error\r\n\r\n{own}"),
                true,
                &event,
                1,
            ),
            (
                "200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n".to_owned(),
                false,
                "data: {\"error\":{\"code\":\"upstream_closed\"",
                0,
            ),
        ] {
            let (harness, mut queue) = Harness::with_unloaded_model(ON);
            let mut client = begun(&harness, CHAT).await;
            let mut upstream = harness.upstream();
            grant(&harness, &mut queue).await;
            head(&mut upstream).await;
            expect(&mut upstream, STREAMS.as_bytes()).await;
            send(&mut upstream, format!("HTTP/1.1 {answer}")).await;
            if closes {
                drop(upstream);
            }
            let words = last_event(&mut client).await;
            assert!(words.starts_with(event), "{words}");
            assert_eq!(harness.model.inference_errors.in_a_row(), server_errors);
            assert_eq!(harness.model.gate.in_flight(), 0);
        }
    });
}

#[test]
fn a_child_that_dies_before_it_has_answered_is_an_event() {
    run(async {
        let (harness, mut queue) = Harness::with_unloaded_model(ON);
        let mut client = begun(&harness, CHAT).await;
        let mut upstream = harness.upstream();
        grant(&harness, &mut queue).await;
        head(&mut upstream).await;
        expect(&mut upstream, STREAMS.as_bytes()).await;
        send(
            &mut upstream,
            "HTTP/1.1 500 Oh\r\nContent-Length: 9\r\n\r\n{",
        )
        .await;
        drop(upstream);
        let words = last_event(&mut client).await;
        assert!(words.contains("before it responded"), "{words}");
    });
}

#[test]
fn a_client_that_leaves_while_it_is_sent_comments_leaves_the_queue() {
    run(async {
        let (harness, mut queue) = Harness::with_unloaded_model(ON);
        let client = begun(&harness, CHAT).await;
        let (_, _reply) = next(&mut queue).await;
        let start = Instant::now();
        drop(client);
        left(&mut queue).await;
        assert_eq!(start.elapsed(), Duration::ZERO);
        assert_eq!(harness.worker.pool.outstanding(), 0);
    });
}

#[test]
fn a_client_that_takes_no_comment_holds_no_place() {
    run(async {
        let (harness, mut queue) = Harness::with_unloaded_model(ON);
        let mut client = harness.client_holding(128);
        send(&mut client, ask(CHAT, STREAMS)).await;
        sleep(Duration::from_mins(3)).await;
        let _upstream = harness.upstream();
        grant(&harness, &mut queue).await;
        sleep(Duration::from_secs(9)).await;
        assert_eq!(harness.model.gate.in_flight(), 1);
        sleep(Duration::from_secs(2)).await;
        assert_eq!(harness.model.gate.in_flight(), 0);
        let mut begun = [0; 128];
        client.read_exact(&mut begun).await.unwrap();
        assert!(begun.starts_with(&HEAD.as_bytes()[..60]), "and no more");
    });
}

#[test]
fn nobody_else_is_sent_anything_before_the_answer() {
    run(async {
        for (limits, ask) in [
            (LIMITS, ask(CHAT, STREAMS)),
            (ON, ask(CHAT, "{}")),
            (ON, ask(CHAT, r#"{"stream":true"#)),
            (ON, ask("/v1/embeddings", STREAMS)),
            (ON, ask(CHAT, STREAMS).replace("HTTP/1.1", "HTTP/1.0")),
            (ON, ask(CHAT, STREAMS).replace("POST", "PUT")),
        ] {
            let (harness, mut queue) = Harness::with_unloaded_model(limits);
            let mut client = harness.client();
            send(&mut client, &ask).await;
            let read = timeout(Duration::from_mins(4), client.read_u8()).await;
            assert!(read.is_err(), "{ask}");
            refuse(&mut queue).await;
            let answer = head(&mut client).await;
            assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        }
    });
}

/// The body is larger than what is read before a lease, and than what comes with its head.
#[test]
fn a_large_body_in_chunks_asks_for_a_stream() {
    run(async {
        let (harness, mut queue) = Harness::with_unloaded_model(ON);
        let mut client = harness.client();
        let body = format!("{{\"image\":\"{}\",\"stream\":true}}", "x".repeat(3 << 20));
        let chunk = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
        let fields = "Host: h\r\nTransfer-Encoding: chunked";
        send(
            &mut client,
            format!("POST {CHAT} HTTP/1.1\r\n{fields}\r\n\r\n{chunk}"),
        )
        .await;
        assert_eq!(without_id(&head(&mut client).await), HEAD);
        expect(&mut client, COMMENT.as_bytes()).await;
        let mut upstream = harness.upstream();
        grant(&harness, &mut queue).await;
        head(&mut upstream).await;
        expect(&mut upstream, chunk.as_bytes()).await;
    });
}
