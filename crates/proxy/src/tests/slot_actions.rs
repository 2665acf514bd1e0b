//! Slot actions of clients, with and without kept contexts.

use super::harness::{GENERATION, Harness, LIMITS, expect, head, run, send, without_id};
use paddock_admission::lease_queue::{AdmissionMessage, GrantedLease};
use std::time::Duration;

/// The answer's body from llama-server b11434 without `--slot-save-path`.
const BODY: &str = "{\"error\":{\"code\":501,\"message\":\"This server does not support slots action. \
    Start it with `--slot-save-path`\",\"type\":\"not_supported_error\"}}";

const HEAD: &str = "HTTP/1.1 501 Not Implemented\r\nContent-Type: application/json; charset=utf-8\r\n\
    x-paddock-error: slots_reserved\r\nContent-Length: 139\r\n\r\n";

const ACTIONS: [&str; 9] = [
    "POST /slots/0?action=save HTTP/1.1\r\nHost: h\r\nContent-Length: 16\r\n\r\n{\"filename\":\"x\"}",
    "POST /slots/0?x=1&action=erase&y HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
    "POST /slots/0/ HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded\r\n\
     Content-Length: 12\r\n\r\naction=erase",
    "POST /slots/0?action=restore HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\
     10\r\n{\"filename\":\"x\"}\r\n0\r\n\r\n",
    "POST /s%6Cots%2f%2530?action=erase HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
    "POST //v1/slots/0?action=erase HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
    "POST http://h/slots/1?action=erase HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
    "POST /slots/0?action=erase HTTP/1.1\r\nHost: h\r\nX-HTTP-Method-Override: GET\r\n\
     Content-Length: 0\r\n\r\n",
    "POST /v1/models/s%6Cots/0?action=erase HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
];

const OTHERS: [&str; 8] = [
    "GET /slots HTTP/1.1\r\nHost: h\r\n\r\n",
    "GET /slots/0?action=erase HTTP/1.1\r\nHost: h\r\nX-HTTP-Method-Override: POST\r\n\r\n",
    "HEAD /slots/0?action=erase HTTP/1.1\r\nHost: h\r\n\r\n",
    "PUT /slots/0?action=erase HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
    "POST /slots?action=erase HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
    "POST /slots/0/1?action=erase HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
    "POST /completion?/slots/0 HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
    "POST /x?action=/slots/0 HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
];

/// Asserts that a request reaches the child unchanged, and its answer the client.
async fn passes(harness: &Harness, request: &str) {
    let mut upstream = harness.upstream();
    let mut client = harness.client();
    send(&mut client, request).await;
    let (asked, body) = request.split_once("\r\n\r\n").unwrap();
    let asked = asked.replace("POST http://h/", "POST /");
    assert_eq!(
        without_id(&head(&mut upstream).await),
        asked + "\r\n\r\n",
        "{request}"
    );
    expect(&mut upstream, body.as_bytes()).await;
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    send(&mut upstream, answer).await;
    assert_eq!(without_id(&head(&mut client).await), answer);
}

#[test]
fn slot_actions_in_every_spelling_are_refused_like_by_a_child_without_the_route() {
    run(async {
        let harness = Harness::new();
        harness.set_keeps_contexts(true);
        // Requests of one connection, all sent at once.
        let mut client = harness.client();
        send(&mut client, ACTIONS.concat()).await;
        for request in ACTIONS {
            assert_eq!(without_id(&head(&mut client).await), HEAD, "{request}");
            expect(&mut client, BODY.as_bytes()).await;
        }
        assert_eq!(harness.model.gate.in_flight(), 0);
        let records = harness.records().await;
        assert_eq!(records.len(), ACTIONS.len());
        for (row, _) in records {
            assert_eq!((row.status, row.error), (Some(501), Some("slots_reserved")));
        }
    });
}

#[test]
fn other_requests_pass() {
    run(async {
        let harness = Harness::new();
        harness.set_keeps_contexts(true);
        for request in OTHERS {
            passes(&harness, request).await;
        }
    });
}

#[test]
fn slot_actions_pass_if_contexts_are_not_kept() {
    run(async {
        let harness = Harness::new();
        for request in ACTIONS.iter().chain(&OTHERS) {
            passes(&harness, request).await;
        }
    });
}

#[test]
fn slot_actions_are_refused_however_the_model_is_named() {
    run(async {
        let harness = Harness::with_own_routes();
        harness.set_keeps_contexts(true);
        for (target, field, body) in [
            ("/upstream/m/slots/0?action=erase", "", ""),
            ("/upstream/m/s%6cots/0/?action=erase", "", ""),
            ("/upstream/m//slots/0?action=erase", "", ""),
            ("/slots/0?action=erase&model=m", "", ""),
            ("/slots/0?action=erase", "x-paddock-model: m\r\n", ""),
            ("/slots/0?action=erase", "", "{\"model\":\"m\"}"),
        ] {
            let mut client = harness.client();
            let length = body.len();
            let fields = format!("Host: h\r\n{field}Content-Length: {length}\r\n");
            send(
                &mut client,
                format!("POST {target} HTTP/1.1\r\n{fields}\r\n{body}"),
            )
            .await;
            assert_eq!(without_id(&head(&mut client).await), HEAD, "{target}");
            expect(&mut client, BODY.as_bytes()).await;
        }
    });
}

#[test]
fn a_cold_request_is_checked_against_the_child_that_it_loads() {
    for keeps_contexts in [true, false] {
        run(async move {
            let (harness, mut queue) = Harness::with_unloaded_model(LIMITS);
            let mut client = harness.client();
            send(&mut client, ACTIONS[0]).await;
            let Some(AdmissionMessage::Acquire { request, reply, .. }) =
                queue.messages.recv().await
            else {
                panic!("the request does not wait");
            };
            let mut upstream = harness.upstream();
            harness.set_keeps_contexts(keeps_contexts);
            harness.model.gate.open_for_tests(GENERATION);
            let granted = GrantedLease {
                lease: request.model.try_acquire().unwrap(),
                load: Duration::ZERO,
            };
            assert!(reply.send(Ok(granted)).is_ok());
            if keeps_contexts {
                assert_eq!(without_id(&head(&mut client).await), HEAD);
            } else {
                let asked = head(&mut upstream).await;
                assert!(asked.starts_with("POST /slots/0?action=save "), "{asked}");
            }
        });
    }
}
