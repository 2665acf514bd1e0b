//! How long a request waits for a model that loads, and how many do.

use std::time::Duration;

use paddock_e2e::harness::{Connection, HttpResponse, now, post};
use paddock_e2e::paddock;

use crate::requests::whole;

const FOR_EVER: [&str; 2] = ["--fake-load-ms", "600000"];

#[test]
fn a_request_that_has_waited_long_enough_gets_503_loading() {
    let paddock = paddock!()
        .engine_args(FOR_EVER)
        .config("scheduler.queue_timeout = '300ms'")
        .start();
    let begun = now();
    let answer = paddock.ask(whole(1));
    let took = begun.elapsed();
    assert_refusal(&answer, 503, "loading");
    assert!(took >= Duration::from_millis(300), "{took:?}");
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert_eq!(paddock.model()["status"], "loading");
}

/// The last load has taught how long one takes.
#[test]
fn it_is_told_how_long_the_rest_of_the_load_takes() {
    let paddock = paddock!()
        .engine_args(["--fake-load-ms", "4000"])
        .config("scheduler.queue_timeout = '300ms'")
        .start();
    paddock.wait_ready();
    let unload = post("/api/models/m/unload?wait=true", "");
    assert_eq!(Connection::connect(paddock.admin()).ask(unload).status, 200);
    let answer = paddock.ask(whole(1));
    assert_refusal(&answer, 503, "loading");
    let wait: u64 = answer.field("retry-after").unwrap().parse().unwrap();
    assert!((3..=30).contains(&wait), "{wait}");
}

#[test]
fn one_more_than_the_queue_takes_gets_429_at_once() {
    let paddock = paddock!()
        .hold_load()
        .config("scheduler.queue_limit = 2")
        .start();
    let mut queued: Vec<_> = (0..2).map(|_| paddock.connect()).collect();
    for client in &mut queued {
        client.send(whole(1));
    }
    paddock.wait_queued(2);
    assert_refusal(&paddock.ask(whole(1)), 429, "queue_full");
    paddock.release_load();
    for client in &mut queued {
        assert_eq!(client.answer().status, 200);
    }
}

/// Checks what every refusal that a retry can help has.
fn assert_refusal(answer: &HttpResponse, status: u16, kind: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.field("x-paddock-error"), Some(kind));
    assert_eq!(answer.error_code(), kind);
    let wait: u64 = answer.field("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
}
