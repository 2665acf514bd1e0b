//! Requests that web pages send.

use super::harness::{Harness, expect, head, run, send, without_id};
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio::time::timeout;

const PAGE: &str = "http://localhost:3000";
const ALLOWED: &str = "Access-Control-Allow-Origin: http://localhost:3000\r\nVary: Origin\r\n";

fn get(fields: &str) -> String {
    format!("GET /props HTTP/1.1\r\nHost: h\r\n{fields}\r\n")
}

/// Sends a request, and returns the head of paddock's own response.
async fn answered(harness: &Harness, client: &mut UnixStream, asked: &str) -> String {
    let mut upstream = harness.upstream();
    send(client, asked).await;
    let answer = head(client).await;
    let length = answer.split("Content-Length: ").nth(1).unwrap();
    let length = length.split("\r\n").next().unwrap().parse().unwrap();
    client.read_exact(&mut vec![0; length]).await.unwrap();
    let reached = timeout(Duration::from_secs(1), upstream.read_u8()).await;
    assert!(reached.is_err(), "{asked:?} reached the child");
    answer
}

/// Returns the head that a client receives when the child responds with these fields.
async fn passed(harness: &Harness, client: &mut UnixStream, asked: &str, said: &str) -> String {
    let mut upstream = harness.upstream();
    send(client, asked).await;
    assert_eq!(
        without_id(&head(&mut upstream).await),
        asked,
        "as it was sent"
    );
    let answer = format!("HTTP/1.1 200 OK\r\n{said}Content-Length: 2\r\n\r\nok");
    send(&mut upstream, answer).await;
    let got = head(client).await;
    expect(client, b"ok").await;
    without_id(&got)
}

#[test]
fn an_answer_says_once_who_may_read_it() {
    run(async {
        let harness = Harness::new();
        let mut client = harness.client();
        let page = get(&format!("Origin: {PAGE}\r\n"));
        let with = |fields: &str| format!("HTTP/1.1 200 OK\r\n{fields}\r\n");
        let length = "Content-Length: 2\r\n";
        for said in [
            "access-control-allow-origin: http://localhost:3000\r\n",
            "Access-Control-Allow-Origin: *\r\n",
            "Access-Control-Allow-Origin:\r\nVary: A\r\n",
        ] {
            let got = passed(&harness, &mut client, &page, said).await;
            assert_eq!(
                got,
                with(&format!("{said}{length}")),
                "the child's own stays"
            );
        }
        let got = passed(&harness, &mut client, &page, "").await;
        assert_eq!(got, with(&format!("{length}{ALLOWED}")));
        let got = passed(&harness, &mut client, &get(""), "").await;
        assert_eq!(got, with(length), "without a page nothing is added");
    });
}

#[test]
fn pages_that_may_not_ask_reach_no_child() {
    run(async {
        let harness = Harness::new();
        let mut client = harness.client();
        for fields in [
            "Origin: https://evil.test\r\n",
            "Origin: null\r\n",
            "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: image\r\n",
            "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: iframe\r\n",
        ] {
            let answer = answered(&harness, &mut client, &get(fields)).await;
            assert!(answer.starts_with("HTTP/1.1 403 "), "{fields}{answer}");
            assert!(answer.contains("x-paddock-error: forbidden_origin\r\n"));
            assert!(!answer.contains("Access-Control"), "{answer}");
        }
        let link = get(
            "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n",
        );
        passed(&harness, &mut client, &link, "").await;
        harness.set_origins(&["https://notes.example"]);
        let listed = get("Origin: https://notes.example\r\n");
        passed(&harness, &mut client, &listed, "").await;
        let answer = answered(&harness, &mut client, &get(&format!("Origin: {PAGE}\r\n"))).await;
        assert!(
            answer.starts_with("HTTP/1.1 403 "),
            "the list is all there is"
        );
    });
}

#[test]
fn paddocks_own_answers_can_be_read_by_pages_that_may_ask() {
    run(async {
        let harness = Harness::with_body_limit(3);
        let large = "POST / HTTP/1.1\r\nHost: h\r\nOrigin: http://localhost:3000\r\nContent-Length: 4\r\n\r\n";
        let many = format!("Origin: {PAGE}\r\n{}", "x: y\r\n".repeat(200));
        for (asked, status) in [(large, "413"), (&get(&many), "431")] {
            let answer = answered(&harness, &mut harness.client(), asked).await;
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status} ")),
                "{answer}"
            );
            assert_eq!(answer.matches(ALLOWED).count(), 1, "{answer}");
        }
        let other = get(&many.replace(PAGE, "https://evil.test"));
        let answer = answered(&harness, &mut harness.client(), &other).await;
        assert!(!answer.contains("Access-Control"), "{answer}");
    });
}

#[test]
fn a_wrapped_command_answers_preflights_itself() {
    run(async {
        let harness = Harness::new();
        let mut client = harness.client();
        let asked = format!(
            "OPTIONS /completion HTTP/1.1\r\nHost: h\r\nOrigin: {PAGE}\r\nAccess-Control-Request-Method: POST\r\n\r\n"
        );
        passed(
            &harness,
            &mut client,
            &asked,
            "Access-Control-Allow-Origin: x\r\n",
        )
        .await;
        let evil = asked.replace(PAGE, "https://evil.test");
        let answer = answered(&harness, &mut client, &evil).await;
        assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    });
}
