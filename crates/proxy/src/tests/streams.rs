//! Streams: their ends, their errors, and clients that leave.

use super::harness::{Harness, LIMITS, expect, head, rest, run, send};
use paddock_admission::model::ExchangeLimits;
use paddock_admission::phase::ServicePhase;
use paddock_supervisor::Address;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::{Instant, advance, sleep, timeout};

const ASK: &str = "POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}";
const STREAM: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\
    Transfer-Encoding: chunked\r\n\r\n";

fn chunk(data: &str) -> String {
    format!("{:x}\r\n{data}\r\n", data.len())
}

/// Begins a stream.
async fn begin(harness: &Harness, ask: &str) -> (UnixStream, UnixStream) {
    let mut upstream = harness.upstream();
    let mut client = harness.client();
    send(&mut client, ask).await;
    head(&mut upstream).await;
    expect(&mut upstream, b"{}").await;
    send(&mut upstream, STREAM).await;
    head(&mut client).await;
    (client, upstream)
}

#[test]
fn a_stream_of_twenty_minutes_is_not_cut() {
    run(async {
        let harness = Harness::new();
        let (mut client, mut upstream) = begin(&harness, ASK).await;
        let start = Instant::now();
        let event = chunk("data: {\"n\":1}\n\n");
        while start.elapsed() < Duration::from_mins(20) {
            send(&mut upstream, &event).await;
            expect(&mut client, event.as_bytes()).await;
            advance(Duration::from_secs(10)).await;
        }
        send(&mut upstream, "0\r\n\r\n").await;
        expect(&mut client, b"0\r\n\r\n").await;
        assert_eq!(harness.model.gate.in_flight(), 0);
    });
}

#[test]
fn a_silent_stream_is_ended_with_an_event() {
    run(async {
        let harness = Harness::new();
        let (mut client, mut upstream) = begin(&harness, ASK).await;
        let start = Instant::now();
        send(&mut upstream, chunk("data: 1\n\n")).await;
        expect(&mut client, chunk("data: 1\n\n").as_bytes()).await;
        let last = String::from_utf8(rest(&mut client).await).unwrap();
        assert_eq!(start.elapsed().as_secs(), LIMITS.stream_idle.as_secs());
        assert!(last.contains("data: {\"error\":"), "{last}");
        assert!(last.contains("upstream_timeout"), "{last}");
        assert!(!last.contains("0\r\n\r\n"), "never a clean finish: {last}");
        assert_eq!(
            upstream.read(&mut [0]).await.unwrap(),
            0,
            "the child is let go"
        );
    });
}

#[test]
fn a_child_that_never_answers_is_a_504() {
    run(async {
        let harness = Harness::new();
        let mut upstream = harness.upstream();
        let mut client = harness.client();
        let start = Instant::now();
        send(&mut client, ASK).await;
        head(&mut upstream).await;
        let answer = head(&mut client).await;
        assert!(answer.starts_with("HTTP/1.1 504 "), "{answer}");
        assert_eq!(start.elapsed().as_secs(), LIMITS.first_byte.as_secs());
    });
}

#[test]
fn a_child_that_dies_in_a_stream_is_told_in_the_stream() {
    run(async {
        for (ask, event) in [
            (ASK.to_owned(), "data: {\"error\":"),
            (
                ASK.replace("chat/completions", "messages"),
                "event: error\ndata: {",
            ),
        ] {
            let harness = Harness::new();
            let (mut client, mut upstream) = begin(&harness, &ask).await;
            send(&mut upstream, chunk("data: half an ev")).await;
            drop(upstream);
            expect(&mut client, chunk("data: half an ev").as_bytes()).await;
            let last = String::from_utf8(rest(&mut client).await).unwrap();
            let (size, words) = last.split_once("\r\n").unwrap();
            assert!(words.starts_with(&format!("\n\n{event}")), "{words}");
            let whole = usize::from_str_radix(size, 16).unwrap();
            assert_eq!(
                words.len(),
                whole + 2,
                "one whole chunk and nothing after it"
            );
            assert!(words.contains("closed the connection"), "{words}");
        }
    });
}

#[test]
fn a_child_that_dies_in_a_chunk_is_told_of_behind_it() {
    run(async {
        let harness = Harness::new();
        let (mut client, mut upstream) = begin(&harness, ASK).await;
        send(&mut upstream, "20\r\ndata: ha").await;
        drop(upstream);
        let last = String::from_utf8(rest(&mut client).await).unwrap();
        let filled = format!("20\r\ndata: ha{}\r\n", "\n".repeat(0x20 - 8));
        let words = last.strip_prefix(&filled).expect(&last);
        let (size, words) = words.split_once("\r\n").unwrap();
        assert!(words.starts_with("data: {\"error\""), "{words}");
        let whole = usize::from_str_radix(size, 16).unwrap();
        assert_eq!(words.len(), whole + 2, "one chunk, and not the last");
    });
}

#[test]
fn a_client_without_chunks_is_told_wherever_the_child_dies() {
    run(async {
        let harness = Harness::new();
        let ask = ASK.replace("HTTP/1.1", "HTTP/1.0");
        let (mut client, mut upstream) = begin(&harness, &ask).await;
        send(&mut upstream, "20\r\ndata: ha").await;
        drop(upstream);
        let last = String::from_utf8(rest(&mut client).await).unwrap();
        assert!(last.starts_with("data: ha\n\ndata: {\"error\""), "{last}");
    });
}

/// The client is cut off for others in the middle of an event.
#[test]
fn a_client_that_is_cut_off_in_an_event_is_told() {
    run(async {
        let harness = Harness::new();
        harness.model.gate.set_memory_wanted_for_tests(true);
        let mut upstream = harness.upstream();
        let mut client = harness.client_holding(1024);
        send(&mut client, ASK).await;
        head(&mut upstream).await;
        expect(&mut upstream, b"{}").await;
        send(&mut upstream, STREAM).await;
        let event = chunk(&format!("data: {}\n\n", "x".repeat(200_000)));
        while upstream.write_all(event.as_bytes()).await.is_ok() {}
        let last = String::from_utf8(rest(&mut client).await).unwrap();
        assert!(last.contains("request_timeout"), "no word of it");
        assert_eq!(harness.worker.pool.outstanding(), 0);
    });
}

#[test]
fn a_client_that_leaves_a_stream_lets_the_child_go_at_once() {
    run(async {
        let harness = Harness::new();
        let (client, mut upstream) = begin(&harness, ASK).await;
        let start = Instant::now();
        drop(client);
        assert_eq!(upstream.read(&mut [0]).await.unwrap(), 0);
        assert_eq!(start.elapsed(), Duration::ZERO);
        assert_eq!(harness.model.gate.in_flight(), 0);
    });
}

#[test]
fn a_client_that_leaves_before_the_answer_lets_the_child_go_at_once() {
    run(async {
        let harness = Harness::new();
        let mut upstream = harness.upstream();
        let mut client = harness.client();
        send(&mut client, ASK).await;
        head(&mut upstream).await;
        expect(&mut upstream, b"{}").await;
        assert_eq!(harness.model.gate.in_flight(), 1);
        drop(client);
        assert_eq!(upstream.read(&mut [0]).await.unwrap(), 0);
        assert_eq!(harness.model.gate.in_flight(), 0);
    });
}

#[test]
fn a_slow_reader_stops_the_child_and_not_the_memory() {
    run(async {
        let harness = Harness::new();
        let mut upstream = harness.upstream_holding(4096);
        let mut client = harness.client_holding(4096);
        send(&mut client, ASK).await;
        head(&mut upstream).await;
        expect(&mut upstream, b"{}").await;
        send(&mut upstream, STREAM).await;
        let event = chunk(&format!("data: {}\n\n", "x".repeat(1000)));
        let mut taken = 0;
        // Unread bytes fill both connections and one buffer; then the proxy takes no more.
        while timeout(Duration::from_secs(1), upstream.write_all(event.as_bytes()))
            .await
            .is_ok()
        {
            taken += event.len();
            assert!(taken < 128 * 1024, "paddock keeps taking");
        }
        let got = client.read(&mut [0; 1024]).await.unwrap();
        assert!(got > 0, "and it goes on when the client does");
    });
}

#[test]
fn a_slow_reader_is_not_waited_for_for_ever() {
    run(async {
        let harness = Harness::new();
        let mut upstream = harness.upstream_holding(1024);
        let mut client = harness.client_holding(1024);
        send(&mut client, ASK).await;
        head(&mut upstream).await;
        expect(&mut upstream, b"{}").await;
        send(&mut upstream, STREAM).await;
        let start = Instant::now();
        let event = chunk(&"x".repeat(1000));
        while upstream.write_all(event.as_bytes()).await.is_ok() {}
        assert!(start.elapsed() <= LIMITS.stream_idle + Duration::from_secs(1));
        assert_eq!(harness.model.gate.in_flight(), 0);
    });
}

#[test]
fn the_end_of_a_drain_is_told_in_the_stream() {
    run(async {
        let harness = Harness::new();
        let (mut client, mut upstream) = begin(&harness, ASK).await;
        harness.worker.set_phase(ServicePhase::Draining);
        send(&mut upstream, chunk("data: 1\n\n")).await;
        expect(&mut client, chunk("data: 1\n\n").as_bytes()).await;
        harness.worker.set_phase(ServicePhase::Cut);
        let last = String::from_utf8(rest(&mut client).await).unwrap();
        assert!(last.contains("shutting_down"), "{last}");
        assert_eq!(upstream.read(&mut [0]).await.unwrap(), 0);
    });
}

#[test]
fn the_end_is_told_in_the_stream_of_a_child_that_is_killed_for_it() {
    run(async {
        let harness = Harness::new();
        let (mut client, mut upstream) = begin(&harness, ASK).await;
        send(&mut upstream, chunk("data: 1\n\n")).await;
        expect(&mut client, chunk("data: 1\n\n").as_bytes()).await;
        harness.phase.send_replace(ServicePhase::Cut);
        drop(upstream);
        let last = String::from_utf8(rest(&mut client).await).unwrap();
        assert!(last.contains("shutting_down"), "{last}");
    });
}

#[test]
fn a_trickle_inside_a_piece_counts_as_life() {
    run(async {
        let limits = ExchangeLimits {
            stream_idle: Duration::from_secs(10),
            ..LIMITS
        };
        let address = Address::Unix("/proc/nonexistent/paddock-test.sock".into());
        let harness = Harness::with_address(limits, address);
        let (mut client, mut upstream) = begin(&harness, ASK).await;
        for byte in "40\r\n".bytes().chain([b'x'; 0x40]).chain("\r\n".bytes()) {
            send(&mut upstream, [byte]).await;
            expect(&mut client, &[byte]).await;
            sleep(Duration::from_secs(9)).await;
        }
    });
}

#[test]
fn a_request_that_waits_long_is_told_of_until_its_byte_comes() {
    run(async {
        let harness = Harness::new();
        let (mut client, mut upstream) = begin(&harness, ASK).await;
        let raised = || format!("{:?}", harness.model.stalls).contains("waiting: 1");
        for _ in 0..3 {
            sleep(Duration::from_secs(9)).await;
            assert!(!raised());
            sleep(Duration::from_secs(2)).await;
            assert!(raised(), "{:?}", harness.model.stalls);
            send(&mut upstream, chunk("data: 1\n\n")).await;
            expect(&mut client, chunk("data: 1\n\n").as_bytes()).await;
            assert!(!raised());
        }
        rest(&mut client).await;
        let doubts = format!("{:?}", harness.model.stalls);
        assert!(doubts.contains("Once") && !raised(), "{doubts}");
    });
}
