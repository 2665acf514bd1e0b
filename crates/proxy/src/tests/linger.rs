//! Responses to clients that still send.

use super::harness::{Harness, head, rest, run, send};
use paddock_admission::phase::ServicePhase;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::time::{Instant, sleep};

const MIB: usize = 1 << 20;

fn upload(length: usize) -> String {
    format!("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n")
}

/// Opens a client's connection whose body is too large, and which goes on sending.
async fn refused(harness: &Harness) -> UnixStream {
    let mut client = harness.client_holding(4096);
    send(&mut client, upload(50 * MIB)).await;
    client
}

#[test]
fn an_error_reaches_a_client_that_sends_all_of_its_upload_first() {
    run(async {
        let harness = Harness::with_body_limit(4);
        let start = Instant::now();
        let mut client = refused(&harness).await;
        for _ in 0..50 {
            send(&mut client, vec![b'x'; MIB]).await;
        }
        let answer = head(&mut client).await;
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
        rest(&mut client).await;
        assert_eq!(start.elapsed(), Duration::ZERO);
        assert_eq!(harness.worker.pool.outstanding(), 0);
    });
}

/// Returns for how many seconds a client can send a byte every `pause`.
async fn trickle(client: &mut UnixStream, pause: u64) -> u64 {
    let start = Instant::now();
    while client.write_all(b"x").await.is_ok() {
        sleep(Duration::from_secs(pause)).await;
    }
    start.elapsed().as_secs()
}

#[test]
fn a_client_that_goes_on_sending_is_closed_in_the_end() {
    run(async {
        for (pause, seconds) in [(1, 29..=32), (20, 20..=20)] {
            let harness = Harness::with_body_limit(4);
            let mut client = refused(&harness).await;
            let sent = trickle(&mut client, pause).await;
            assert!(seconds.contains(&sent), "{sent} s, a byte every {pause} s");
        }
    });
}

#[test]
fn a_client_that_goes_on_sending_delays_neither_a_stop_nor_others() {
    run(async {
        let harness = Harness::with_body_limit(4);
        let mut client = refused(&harness).await;
        sleep(Duration::from_secs(1)).await;
        harness.worker.set_phase(ServicePhase::Draining);
        let sent = trickle(&mut client, 1).await;
        assert!(sent <= 2, "{sent} s");

        let harness = Harness::with_body_limit(4);
        let mut client = refused(&harness).await;
        sleep(Duration::from_secs(1)).await;
        assert_eq!(harness.worker.close_idle(), 1, "it makes room");
        let sent = trickle(&mut client, 1).await;
        assert!(sent <= 1, "{sent} s");
    });
}

#[test]
fn the_end_of_a_stream_reaches_a_client_that_still_sends() {
    run(async {
        let harness = Harness::new();
        let mut upstream = harness.upstream();
        let mut client = harness.client();
        send(&mut client, upload(50 * MIB)).await;
        send(&mut client, vec![b'x'; MIB]).await;
        head(&mut upstream).await;
        let stream = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\
            Transfer-Encoding: chunked\r\n\r\n";
        send(&mut upstream, stream).await;
        head(&mut client).await;
        drop(upstream);
        for _ in 1..50 {
            send(&mut client, vec![b'x'; MIB]).await;
        }
        let last = String::from_utf8(rest(&mut client).await).unwrap();
        assert!(last.contains("closed the connection"), "{last}");
    });
}
