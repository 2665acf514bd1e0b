//! Clients that send or read slowly keep nobody from another model.

use crate::support::{answered_by, chat, model, stream, three};
use paddock_e2e::harness::{Connection, LIMIT, Paddock, get, wait_until};

/// More than `a` has places.
const MANY: usize = 8;

fn start() -> Paddock {
    three()
        .config("scheduler.max_loaded = 1\nscheduler.max_wait = '100ms'")
        .config("scheduler.queue_timeout = '20s'")
        .start()
}

#[test]
fn slow_uploads_keep_nobody_waiting() {
    let paddock = start();
    assert_eq!(answered_by(&paddock.ask(chat("a"))), "a");
    let request = chat("a").replace("\r\n\r\n", "\r\nx-paddock-model: a\r\n\r\n");
    let (most, last) = request.split_at(request.len() - 1);
    let mut slow: Vec<_> = (0..MANY).map(|_| paddock.connect()).collect();
    for client in &mut slow {
        client.send(most);
    }
    wait_until(LIMIT, "the requests to arrive", || {
        let listed = paddock.admin_get("/api/requests?in_flight=true").json();
        listed["total"] == MANY
    });
    assert_eq!(answered_by(&paddock.ask(chat("a"))), "a");
    assert_eq!(answered_by(&paddock.ask(chat("b"))), "b");
    assert_eq!(model(&paddock, "a")["status"], "unloaded");
    for client in &mut slow {
        client.send(last);
        assert_eq!(answered_by(&client.answer()), "a");
    }
}

#[test]
fn clients_that_do_not_read_keep_others_waiting_for_seconds() {
    let paddock = start();
    assert_eq!(answered_by(&paddock.ask(chat("a"))), "a");
    let mut slow: Vec<_> = (0..MANY).map(|_| paddock.connect()).collect();
    for client in &mut slow {
        client.send(get("/upstream/a/__fake/stall-stream"));
    }
    for client in slow.iter_mut().take(5) {
        assert_eq!(client.head().status, 200);
    }
    let mut other = Connection::connect(paddock.public());
    other.limit(LIMIT);
    assert_eq!(answered_by(&other.ask(chat("b"))), "b");
}

#[test]
fn a_stream_that_ends_is_whole_however_slowly_it_is_read() {
    let paddock = start();
    let mut slow = paddock.connect();
    slow.send(stream("a"));
    assert_eq!(slow.head().status, 200);
    assert_eq!(answered_by(&paddock.ask(chat("b"))), "b");
    let (events, clean) = slow.events();
    assert!(clean, "the stream was cut");
    assert_eq!(events.last().expect("an event").data(), "[DONE]");
}
