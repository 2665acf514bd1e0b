//! What clients see while paddock drains.

use std::time::Duration;

use paddock_e2e::harness::{Connection, LIMIT, Paddock, PaddockBuilder, Signal, get, now};
use paddock_e2e::paddock;
use serde_json::Value;

use crate::requests::{ENDLESS, PACED, chat_stream, messages_stream, whole};

/// Answers slowly, drains for so long.
fn draining_for(time: &str) -> PaddockBuilder {
    paddock!()
        .engine_args(PACED)
        .config(&format!("server.drain_timeout = '{time}'"))
        .config("models.m.parallel = 4")
}

fn start(builder: PaddockBuilder) -> Paddock {
    let paddock = builder.start();
    paddock.wait_ready();
    paddock
}

/// Asks for a stream and reads its beginning.
fn open_stream(paddock: &Paddock, request: String) -> Connection {
    let mut stream = paddock.connect();
    stream.send(request);
    assert_eq!(stream.head().status, 200);
    stream.event();
    stream
}

fn begin_draining(paddock: &Paddock) {
    paddock.signal(Signal::TERM);
    paddock.stderr().wait_for(LIMIT, "draining");
}

#[test]
fn what_is_in_flight_is_finished() {
    let mut paddock = start(draining_for("10m"));
    let mut stream = open_stream(&paddock, chat_stream(100));
    let mut waiting = paddock.connect();
    waiting.send(whole(100));
    paddock.wait_in_flight(2);
    begin_draining(&paddock);
    let (events, clean) = stream.events();
    assert!(clean);
    assert_eq!(events.last().unwrap().data(), "[DONE]");
    let answer = waiting.answer();
    assert_eq!(answer.status, 200);
    // The client is to know that this connection is of no more use.
    assert!(answer.head.closes(), "{answer:?}");
    let begun = now();
    assert!(paddock.wait_exit(LIMIT).success());
    assert!(begun.elapsed() < Duration::from_secs(3));
}

#[test]
fn a_stream_goes_on_until_the_drain_is_over_and_is_then_told_so() {
    let mut paddock = start(draining_for("1s"));
    let mut chat = open_stream(&paddock, chat_stream(ENDLESS));
    let mut messages = open_stream(&paddock, messages_stream(ENDLESS));
    let mut waiting = paddock.connect();
    waiting.send(whole(ENDLESS));
    paddock.wait_in_flight(3);
    let begun = now();
    paddock.signal(Signal::TERM);

    let (events, clean) = chat.events();
    let [.., before, last] = &events[..] else {
        panic!("{events:?}")
    };
    assert!(last.at.duration_since(begun) >= Duration::from_secs(1));
    assert!(before.at.duration_since(begun) >= Duration::from_millis(500));
    let error: Value = serde_json::from_str(&last.data()).unwrap();
    assert_eq!(error["error"]["code"], "shutting_down");
    assert!(!clean);

    let (events, clean) = messages.events();
    let last = &events.last().unwrap().text;
    assert!(last.starts_with("event: error\n"), "{last}");
    assert!(!clean);

    let answer = waiting.answer();
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(answer.error_code(), "shutting_down");
    assert!(answer.field("retry-after").is_some());

    assert!(paddock.wait_exit(LIMIT).success());
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(1 + 3), "{took:?}");
}

#[test]
fn new_connections_are_refused_and_idle_ones_closed() {
    for builder in [draining_for("10m"), draining_for("10m").listen_unix()] {
        let paddock = start(builder);
        let mut fresh = paddock.connect();
        let mut kept = paddock.connect();
        assert_eq!(kept.ask(get("/health")).status, 200);
        let mut used = paddock.connect();
        assert_eq!(used.ask(whole(1)).status, 200);
        let mut stream = open_stream(&paddock, chat_stream(ENDLESS));
        begin_draining(&paddock);

        for idle in [&mut fresh, &mut kept, &mut used] {
            assert!(idle.is_closed_within(LIMIT));
        }
        // Refused, or taken by the system and closed unheard.
        if let Ok(mut late) = Connection::try_connect(paddock.public()) {
            let _broken = late.try_send(get("/health"));
            match late.try_answer() {
                Ok(answer) => assert_eq!(answer.status, 503, "{answer:?}"),
                Err(error) => assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock),
            }
        }
        // That which is in flight notices nothing.
        stream.event();
        stream.event();
    }
}

#[test]
fn a_request_behind_one_in_flight_is_not_begun() {
    let mut paddock = start(draining_for("10m"));
    let mut client = paddock.connect();
    client.send(whole(50) + &whole(ENDLESS));
    paddock.wait_in_flight(1);
    begin_draining(&paddock);
    let first = client.answer();
    assert_eq!(first.status, 200);
    assert!(first.head.closes());
    // Never begun, so the client may send it again elsewhere (RFC 9112 §9.3.2).
    if let Ok(second) = client.try_answer() {
        assert_eq!(second.status, 503, "{second:?}");
    }
    assert!(paddock.wait_exit(LIMIT).success());
}

#[test]
fn the_operator_sees_the_drain() {
    let paddock = start(draining_for("10m"));
    let mut stream = open_stream(&paddock, chat_stream(ENDLESS));
    begin_draining(&paddock);
    assert_eq!(paddock.model()["in_flight"], 1);
    assert_eq!(paddock.admin_get("/livez").status, 200);
    stream.event();
}

#[test]
fn a_client_that_reads_nothing_does_not_hold_up_the_end() {
    let mut paddock = start(draining_for("500ms"));
    let mut client = paddock.connect();
    client.send(get("/__fake/stall-stream"));
    paddock.wait_in_flight(1);
    let begun = now();
    assert!(paddock.stop(Signal::TERM).success());
    let took = begun.elapsed();
    assert!(took < Duration::from_millis(500 + 3000), "{took:?}");
}

#[test]
fn a_client_in_the_middle_of_its_request_does_not_hold_up_the_end() {
    let mut paddock = start(draining_for("500ms"));
    let mut head = paddock.connect();
    head.send("POST /completion HTTP/1.1\r\nHost: x\r\n");
    let mut body = paddock.connect();
    body.send("POST /completion HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc");
    let mut large = paddock.connect();
    large.send("POST /completion HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n");
    // As much as is read before the child is asked.
    large.send(vec![b' '; 1 << 20]);
    paddock.wait_in_flight(1);
    let begun = now();
    assert!(paddock.stop(Signal::TERM).success());
    let took = begun.elapsed();
    assert!(took < Duration::from_millis(500 + 3000), "{took:?}");
}
