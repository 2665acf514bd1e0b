use crate::support::{Child, process, settled, sockets};
use paddock_e2e::harness::{LIMIT, Paddock, now, post, wait_until};
use std::time::Duration;

/// A token every 5 ms, and more of them than any test waits for.
const PACED: [&str; 2] = ["--fake-token-ms", "5"];

fn ask(stream: bool) -> String {
    post(
        "/completion",
        &format!(r#"{{"prompt":"a","stream":{stream},"n_predict":1000000}}"#),
    )
}

fn start() -> Paddock {
    let paddock = paddock_e2e::paddock!().engine_args(PACED).start();
    paddock.wait_ready();
    paddock
}

/// The least of several measurements: a busy machine makes some longer, and none shorter.
const TRIES: usize = 9;

#[test]
fn a_client_that_leaves_a_stream_frees_its_slot_within_100_ms() {
    let paddock = start();
    let mut child = Child::of(&paddock);
    let times = (0..TRIES).map(|_| {
        let mut client = paddock.connect();
        client.send(ask(true));
        client.head();
        client.event().expect("an event");
        assert_eq!(child.count("generations_running"), 1);
        let left = now();
        drop(client);
        wait_until(LIMIT, "a free slot", || {
            child.count("generations_running") == 0
        });
        left.elapsed()
    });
    let time = times.min().expect("a time");
    assert!(time < Duration::from_millis(100), "{time:?}");
}

#[test]
fn a_client_that_leaves_before_its_answer_closes_the_childs_connection_at_once() {
    let paddock = start();
    let mut child = Child::of(&paddock);
    let process = process(&paddock);
    let idle = settled("no connection", || sockets(process));
    let times = (0..3).map(|_| {
        let mut client = paddock.connect();
        client.send(ask(false));
        wait_until(LIMIT, "a busy slot", || {
            child.count("generations_running") == 1
        });
        assert_eq!(sockets(process), idle + 2);
        let left = now();
        drop(client);
        wait_until(LIMIT, "both connections to be closed", || {
            sockets(process) == idle
        });
        let time = left.elapsed();
        // The child itself looks once a second, and then only if nothing else wakes it.
        wait_until(LIMIT, "a free slot", || {
            child.count("generations_running") == 0
        });
        wait_until(LIMIT, "the connection's end", || child.connections() == 0);
        time
    });
    let time = times.min().expect("a time");
    assert!(time < Duration::from_millis(100), "{time:?}");
    assert_eq!(paddock.model()["in_flight"], 0);
}

#[test]
fn a_client_that_leaves_while_it_sends_closes_the_childs_connection() {
    let paddock = start();
    let mut child = Child::of(&paddock);
    let mut client = paddock.connect();
    client.send("POST /completion HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n");
    // As much as is read before the child is asked.
    client.send(vec![b' '; 1 << 20]);
    wait_until(LIMIT, "the request at the child", || {
        child.connections() == 1
    });
    drop(client);
    wait_until(LIMIT, "the connection's end", || child.connections() == 0);
    assert_eq!(paddock.model()["in_flight"], 0);
}

#[test]
fn a_client_that_leaves_the_queue_never_reaches_the_child() {
    let paddock = paddock_e2e::paddock!()
        .engine_args(PACED)
        .config("models.m.max_in_flight = 1")
        .start();
    paddock.wait_ready();
    let mut child = Child::of(&paddock);
    let before = child.count("requests_served");
    let mut first = paddock.connect();
    first.send(ask(true));
    first.head();
    let mut second = paddock.connect();
    second.send(ask(true));
    wait_until(LIMIT, "a queue", || paddock.model()["queued"] == 1);
    drop(second);
    wait_until(LIMIT, "an empty queue", || paddock.model()["queued"] == 0);
    drop(first);
    // The next one goes at once, and is the second that the child sees.
    assert_eq!(paddock.post("/tokenize", r#"{"content":"a"}"#).status, 200);
    assert_eq!(child.count("requests_served") - before, 2);
}
