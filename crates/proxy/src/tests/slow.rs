//! Clients that send or read slowly, with and without others waiting for the same model.

use super::harness::{Harness, expect, head, rest, run, send};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::{Instant, sleep, timeout};

const ASK: &str = "POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}";
const MIB: usize = 1 << 20;

/// Limit for events that need no time to pass.
const AT_ONCE: Duration = Duration::from_millis(1);

fn upload(length: usize) -> String {
    format!("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n")
}

/// Sends a byte every `pause` until the connection takes none. Returns the response.
async fn trickle(client: &mut UnixStream, pause: Duration) -> String {
    loop {
        sleep(pause).await;
        let mut first = [0; 1];
        match timeout(AT_ONCE, client.read(&mut first)).await {
            Ok(read) => {
                assert_eq!(read.unwrap(), 1, "closed without an answer");
                let more = head(client).await;
                return format!("{}{more}", char::from(first[0]));
            }
            Err(_) => client.write_all(b"x").await.unwrap(),
        }
    }
}

/// Opens a client's connection with a body of many megabytes on its way, and the upstream.
async fn uploading(harness: &Harness) -> (UnixStream, UnixStream) {
    let mut upstream = harness.upstream();
    let mut client = harness.client();
    send(&mut client, upload(50 * MIB)).await;
    send(&mut client, vec![b'x'; MIB]).await;
    head(&mut upstream).await;
    let mut sent = vec![0; MIB];
    upstream.read_exact(&mut sent).await.unwrap();
    (client, upstream)
}

/// Opens a client's connection that reads nothing of a response of `length` bytes, and the upstream.
async fn reading(harness: &Harness, length: usize) -> (UnixStream, UnixStream) {
    let mut upstream = harness.upstream_holding(1024);
    let mut client = harness.client_holding(1024);
    send(&mut client, ASK).await;
    head(&mut upstream).await;
    expect(&mut upstream, b"{}").await;
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
    send(&mut upstream, answer).await;
    (client, upstream)
}

#[test]
fn a_slow_upload_takes_no_place_until_it_has_come() {
    run(async {
        let harness = Harness::new();
        let mut slow = harness.client();
        send(&mut slow, upload(4)).await;
        for _ in 0..3 {
            sleep(Duration::from_secs(9)).await;
            send(&mut slow, "x").await;
            sleep(AT_ONCE).await;
            assert_eq!(harness.model.gate.in_flight(), 0);
        }
        let mut upstream = harness.upstream();
        send(&mut slow, "y").await;
        let asked = head(&mut upstream).await;
        assert!(asked.starts_with("POST /x "), "{asked}");
        expect(&mut upstream, b"xxxy").await;
        assert_eq!(harness.model.gate.in_flight(), 1);
    });
}

#[test]
fn a_body_that_trickles_in_is_a_408() {
    run(async {
        let harness = Harness::new();
        let mut client = harness.client();
        send(&mut client, upload(MIB)).await;
        let start = Instant::now();
        let answer = trickle(&mut client, Duration::from_secs(2)).await;
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert!(answer.contains("request_timeout"), "{answer}");
        assert!((30..40).contains(&start.elapsed().as_secs()));
    });
}

#[test]
fn a_client_below_the_rate_of_an_upload_is_buffered_as_a_whole() {
    run(async {
        let harness = Harness::new();
        let mut client = harness.client();
        send(&mut client, upload(2 * MIB)).await;
        // 16 KiB/s
        for _ in 0..127 {
            send(&mut client, vec![b'x'; 16 << 10]).await;
            sleep(Duration::from_secs(1)).await;
            assert_eq!(harness.model.gate.in_flight(), 0);
        }
        let mut upstream = harness.upstream();
        send(&mut client, vec![b'x'; 16 << 10]).await;
        head(&mut upstream).await;
        let mut body = vec![0; 2 * MIB];
        upstream.read_exact(&mut body).await.unwrap();
        assert_eq!(harness.worker.pool.buffered_bytes(), 0);
    });
}

#[test]
fn a_slow_upload_with_a_place_is_cut_once_others_wait_for_it() {
    run(async {
        let harness = Harness::new();
        let (mut client, mut upstream) = uploading(&harness).await;
        for _ in 0..20 {
            sleep(Duration::from_secs(9)).await;
            send(&mut client, "x").await;
            expect(&mut upstream, b"x").await;
        }
        harness.model.gate.set_memory_wanted_for_tests(true);
        let start = Instant::now();
        let answer = head(&mut client).await;
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert!(answer.contains("Connection: close"), "{answer}");
        assert!(start.elapsed() < Duration::from_secs(5));
        assert_eq!(upstream.read(&mut [0]).await.unwrap(), 0);
        assert_eq!(harness.model.gate.in_flight(), 0);
    });
}

#[test]
fn an_upload_at_the_minimum_rate_is_not_cut() {
    run(async {
        let harness = Harness::new();
        harness.model.gate.set_memory_wanted_for_tests(true);
        let (mut client, mut upstream) = uploading(&harness).await;
        let mut piece = vec![0; 130 << 10];
        for _ in 0..60 {
            sleep(Duration::from_secs(2)).await;
            send(&mut client, &piece).await;
            upstream.read_exact(&mut piece).await.unwrap();
        }
        assert_eq!(harness.model.gate.in_flight(), 1);
    });
}

#[test]
fn a_place_ends_with_the_last_byte_from_the_child() {
    run(async {
        let harness = Harness::new();
        let mut upstream = harness.upstream();
        let mut client = harness.client_holding(1024);
        send(&mut client, ASK).await;
        head(&mut upstream).await;
        expect(&mut upstream, b"{}").await;
        let body = "x".repeat(30_000);
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: 30000\r\n\r\n{body}");
        send(&mut upstream, answer).await;
        sleep(AT_ONCE).await;
        assert_eq!(harness.model.gate.in_flight(), 0);
        // The upstream's connection serves the next request already.
        let mut other = harness.client();
        send(&mut other, ASK).await;
        head(&mut upstream).await;
        head(&mut client).await;
        expect(&mut client, &vec![b'x'; 30_000]).await;
    });
}

#[test]
fn an_answer_that_others_wait_for_is_read_ahead_of_a_slow_client() {
    run(async {
        let harness = Harness::new();
        let (client, mut upstream) = reading(&harness, 700_000).await;
        let body = vec![b'x'; 700_000];
        let sent = timeout(Duration::from_secs(100), upstream.write_all(&body));
        assert!(sent.await.is_err(), "nobody waits: the child is held back");
        assert_eq!(harness.model.gate.in_flight(), 1);
        assert_eq!(harness.worker.pool.buffered_bytes(), 0);

        let harness = Harness::new();
        let (mut slow, mut upstream) = reading(&harness, 700_000).await;
        harness.model.gate.set_memory_wanted_for_tests(true);
        send(&mut upstream, vec![b'x'; 700_000]).await;
        sleep(AT_ONCE).await;
        assert_eq!(harness.model.gate.in_flight(), 0);
        head(&mut slow).await;
        for _ in 0..7 {
            sleep(Duration::from_mins(1)).await;
            expect(&mut slow, &vec![b'x'; 100_000]).await;
        }
        assert_eq!(harness.worker.pool.buffered_bytes(), 0);
        drop(client);
    });
}

#[test]
fn an_endless_answer_is_cut_for_a_slow_client_once_others_wait() {
    run(async {
        let harness = Harness::new();
        let (mut client, mut upstream) = reading(&harness, 100 * MIB).await;
        harness.model.gate.set_memory_wanted_for_tests(true);
        let start = Instant::now();
        let piece = vec![b'x'; 100_000];
        let mut taken = 0;
        while upstream.write_all(&piece).await.is_ok() {
            taken += piece.len();
            assert!(taken < 3 * MIB / 2, "paddock keeps taking");
        }
        assert!((10..13).contains(&start.elapsed().as_secs()));
        assert_eq!(harness.model.gate.in_flight(), 0);
        let read = rest(&mut client).await;
        assert!(read.len() > MIB && read.len() < 100 * MIB, "it is cut");
        assert_eq!(harness.worker.pool.buffered_bytes(), 0);
        assert_eq!(harness.worker.pool.outstanding(), 0);
    });
}
