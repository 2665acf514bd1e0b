//! Limits and unusual but legal exchanges, one by one.

use super::harness::{Harness, expect, head, rest, run, send, without_id};
use crate::request::SILENCE_TIMEOUT;
use paddock_admission::phase::ServicePhase;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep, timeout};

const GET: &str = "GET /props HTTP/1.1\r\nHost: h\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[test]
fn a_half_closed_client_counts_as_gone() {
    run(async {
        let harness = Harness::new();
        let mut upstream = harness.upstream();
        let mut client = harness.client();
        send(&mut client, GET).await;
        head(&mut upstream).await;
        client.shutdown().await.unwrap();
        assert_eq!(upstream.read(&mut [0]).await.unwrap(), 0);
        assert_eq!(rest(&mut client).await, b"");
    });
}

#[test]
fn a_slow_head_is_a_408_counted_from_its_first_byte() {
    run(async {
        let harness = Harness::new();
        let mut client = harness.client();
        sleep(Duration::from_mins(1)).await;
        let start = Instant::now();
        for byte in GET.bytes() {
            if client.write_all(&[byte]).await.is_err() {
                break;
            }
            sleep(Duration::from_secs(2)).await;
        }
        let answer = head(&mut client).await;
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert!(start.elapsed() < SILENCE_TIMEOUT + Duration::from_mins(1));
    });
}

#[test]
fn an_idle_connection_is_closed_in_the_end() {
    run(async {
        let harness = Harness::new();
        let mut client = harness.client();
        let start = Instant::now();
        assert_eq!(rest(&mut client).await, b"");
        assert_eq!(start.elapsed().as_secs(), 75);
    });
}

#[test]
fn a_head_of_64_kib_passes_and_a_longer_one_is_a_431() {
    run(async {
        let harness = Harness::new();
        let mut upstream = harness.upstream();
        let mut client = harness.client();
        let fill = 64 * 1024 - GET.len() - "X-Fill: \r\n".len();
        let field = format!("X-Fill: {}\r\n\r\n", "x".repeat(fill));
        let longest = GET.replace("\r\n\r\n", &format!("\r\n{field}"));
        assert_eq!(longest.len(), 64 * 1024);
        send(&mut client, &longest).await;
        let asked = head(&mut upstream).await;
        assert_eq!(without_id(&asked), longest);
        send(&mut upstream, OK).await;
        head(&mut client).await;
        expect(&mut client, b"ok").await;
        send(&mut client, longest.replace("X-Fill", "X-Filll")).await;
        let answer = head(&mut client).await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    });
}

/// llama-server takes a hundred fields and closes the connection of a request with more.
#[test]
fn a_head_is_made_no_longer_than_the_child_takes() {
    run(async {
        for (version, sent, arrive, names) in [
            ("1.1", 99, 100, true),
            ("1.1", 100, 100, false),
            ("1.1", 101, 101, false),
            ("1.0", 99, 100, false),
        ] {
            let harness = Harness::new();
            let mut upstream = harness.upstream();
            let mut client = harness.client();
            let host = if version == "1.1" {
                "Host: h\r\n"
            } else {
                "X: y\r\n"
            };
            let fields = "X: y\r\n".repeat(sent - 1);
            // Removed fields do not count.
            let cut = "Keep-Alive: timeout=5\r\n";
            send(
                &mut client,
                format!("GET / HTTP/{version}\r\n{host}{cut}{fields}\r\n"),
            )
            .await;
            let asked = head(&mut upstream).await;
            assert_eq!(asked.lines().count() - 2, arrive, "{asked}");
            assert_eq!(asked.contains("x-request-id"), names, "{asked}");
            assert!(asked.contains("Host: "), "{asked}");
            send(&mut upstream, OK).await;
            let answer = head(&mut client).await;
            assert!(answer.contains("x-request-id: "), "{answer}");
        }
    });
}

#[test]
fn a_reused_connection_that_died_is_replaced_once_without_a_word() {
    run(async {
        let harness = Harness::new();
        drop(harness.upstream());
        let mut second = harness.upstream();
        let mut client = harness.client();
        // The dead connection is the older one: make the proxy try it, and find it dead only later.
        send(&mut client, GET).await;
        head(&mut second).await;
        send(&mut second, OK).await;
        head(&mut client).await;
        expect(&mut client, b"ok").await;
        // The connection dies with the request on its way. The address leads nowhere, so the retry fails, and
        // the client gets an error.
        send(&mut client, GET).await;
        head(&mut second).await;
        drop(second);
        let answer = head(&mut client).await;
        assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
        assert!(
            answer.contains("x-paddock-error: upstream_unreachable"),
            "{answer}"
        );
    });
}

#[test]
fn interim_answers_pass_and_trailers_too() {
    run(async {
        let harness = Harness::new();
        let mut upstream = harness.upstream();
        let mut client = harness.client();
        send(
            &mut client,
            "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n",
        )
        .await;
        // paddock asks for the body before the child gets the request.
        expect(&mut client, b"HTTP/1.1 100 Continue\r\n\r\n").await;
        send(&mut client, "body").await;
        let asked = head(&mut upstream).await;
        assert!(asked.contains("Expect: 100-continue"), "{asked}");
        expect(&mut upstream, b"body").await;
        send(&mut upstream, "HTTP/1.1 100 Continue\r\n\r\n").await;
        let trailed = "2\r\nhi\r\n0\r\nX-Sum: 1\r\n\r\n";
        let answer = "HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n";
        let hints = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
        send(&mut upstream, format!("{hints}{answer}{trailed}")).await;
        expect(&mut client, hints.as_bytes()).await;
        assert_eq!(without_id(&head(&mut client).await), answer);
        expect(&mut client, trailed.as_bytes()).await;
    });
}

#[test]
fn a_refused_upload_still_delivers_the_answer() {
    run(async {
        let harness = Harness::new();
        let mut upstream = harness.upstream();
        let mut client = harness.client();
        send(
            &mut client,
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 90000000\r\n\r\n",
        )
        .await;
        // As much as is read before the child gets the request.
        send(&mut client, vec![b'x'; 1 << 20]).await;
        head(&mut upstream).await;
        send(
            &mut upstream,
            "HTTP/1.1 413 Payload Too Large\r\nContent-Length: 0\r\n\r\n",
        )
        .await;
        let answer = head(&mut client).await;
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
        assert!(answer.contains("Connection: close\r\n"), "{answer}");
    });
}

#[test]
fn a_body_above_the_limit_is_refused_in_the_clients_own_terms() {
    run(async {
        for body in [
            "Content-Length: 5\r\n\r\nhello",
            "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        ] {
            let harness = Harness::with_body_limit(4);
            let mut upstream = harness.upstream();
            let mut client = harness.client();
            let ask = "POST /v1/messages HTTP/1.1\r\nHost: h\r\nX-Request-Id: mine\r\n";
            send(&mut client, format!("{ask}{body}")).await;
            let answer = head(&mut client).await;
            assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
            assert!(answer.contains("x-request-id: mine\r\n"), "{answer}");
            let anthropic = b"{\"error\":{\"message\":";
            expect(&mut client, anthropic).await;
            let reached = timeout(Duration::from_secs(1), upstream.read_u8()).await;
            assert!(reached.is_err(), "it reached the child");
        }
    });
}

#[test]
fn an_answer_that_is_not_http_is_a_502() {
    run(async {
        for nonsense in [
            "SSH-2.0-OpenSSH\r\n\r\n",
            "HTTP/1.1 101 Switching Protocols\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\nContent-Length: 1\n\n",
        ] {
            let harness = Harness::new();
            let mut upstream = harness.upstream();
            let mut client = harness.client();
            send(&mut client, GET).await;
            head(&mut upstream).await;
            send(&mut upstream, nonsense).await;
            let answer = head(&mut client).await;
            assert!(answer.starts_with("HTTP/1.1 502 "), "{nonsense}: {answer}");
        }
    });
}

#[test]
fn a_drain_closes_idle_connections_and_lets_the_others_finish() {
    run(async {
        let harness = Harness::new();
        let mut upstream = harness.upstream();
        let mut idle = harness.client();
        let mut busy = harness.client();
        send(&mut busy, GET).await;
        head(&mut upstream).await;
        harness.worker.set_phase(ServicePhase::Draining);
        assert_eq!(rest(&mut idle).await, b"");
        send(&mut upstream, OK).await;
        let answer = String::from_utf8(rest(&mut busy).await).unwrap();
        assert!(answer.contains("Connection: close"), "{answer}");
        assert!(answer.ends_with("ok"), "{answer}");
    });
}

#[test]
fn a_connection_without_traffic_holds_no_buffer() {
    run(async {
        let harness = Harness::new();
        let mut upstream = harness.upstream();
        let mut client = harness.client();
        send(&mut client, GET).await;
        head(&mut upstream).await;
        send(
            &mut upstream,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        )
        .await;
        head(&mut client).await;
        let waiting = timeout(Duration::from_secs(1), client.read_u8()).await;
        assert!(waiting.is_err());
        assert_eq!(harness.worker.pool.outstanding(), 0);
    });
}
