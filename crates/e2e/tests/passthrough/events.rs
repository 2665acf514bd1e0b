use crate::support::{Child, both_kinds};
use paddock_e2e::harness::{Address, Connection, Event, get, now, post};
use std::time::Duration;

const EVENTS: usize = 200;

/// What an event may cost on its way through paddock.
const MOST: Duration = Duration::from_millis(1);

/// A client of a stream whose events the test calls for, one by one.
fn listen(address: &Address) -> Connection {
    let mut client = Connection::connect(address);
    client.send(get("/__fake/pushed-stream"));
    assert_eq!(client.head().status, 200);
    client
}

fn next(client: &mut Connection) -> Event {
    client.event().expect("an event")
}

#[test]
fn each_event_is_passed_on_before_the_next_and_within_a_millisecond() {
    let paddock = both_kinds(paddock_e2e::paddock!());
    let mut child = Child::of(&paddock);
    for address in paddock.public_addresses() {
        let mut direct = listen(&paddock.child_address());
        let mut through = listen(address);
        // Both streams send an event at the same moment, and no other until both have come.
        let mut added: Vec<Duration> = (0..EVENTS)
            .map(|_| {
                child.get("/__fake/push");
                let sent = next(&mut direct);
                let passed = next(&mut through);
                assert_eq!(passed.text, sent.text);
                passed.at.saturating_duration_since(sent.at)
            })
            .collect();
        added.sort();
        let median = added[EVENTS / 2];
        println!(
            "{address}: {median:?} added, {:?} at most",
            added[EVENTS - 1]
        );
        assert!(median < MOST, "{address}: {median:?} added, {added:?}");
    }
}

#[test]
fn an_event_that_is_the_last_for_now_is_not_held_back() {
    let paddock = both_kinds(paddock_e2e::paddock!());
    let mut child = Child::of(&paddock);
    let mut clients: Vec<Connection> = paddock.public_addresses().iter().map(listen).collect();
    child.get("/__fake/push");
    for client in &mut clients {
        assert_eq!(next(client).text, "data: 1");
    }
}

/// How long a stream of a few small pieces takes.
fn short_stream(client: &mut Connection) -> Duration {
    let begun = now();
    client.send(post(
        "/completion",
        r#"{"prompt":"a","stream":true,"n_predict":2}"#,
    ));
    client.head();
    let (events, clean) = client.events();
    assert!(clean && events.len() == 3, "{events:?}");
    begun.elapsed()
}

/// The system of a client that asks again and again on one connection takes up to 40 ms to
/// acknowledge what comes, and a sender that waits for that with its next small piece is as slow.
#[test]
fn small_pieces_do_not_wait_for_each_other() {
    const STREAMS: usize = 30;
    let paddock = both_kinds(paddock_e2e::paddock!().engine_args(["--fake-token-ms", "2"]));
    let child = paddock.child_address();
    for address in paddock.public_addresses() {
        let mut client = Connection::connect(address);
        let mut added: Vec<Duration> = (0..STREAMS)
            .map(|_| {
                // The child closes the connection of each stream.
                let direct = short_stream(&mut Connection::connect(&child));
                short_stream(&mut client).saturating_sub(direct)
            })
            .collect();
        added.sort();
        // A busy machine delays some of them by as much, but not most.
        let quarter = added[STREAMS / 4];
        println!("{address}: {quarter:?} added to a short stream");
        assert!(quarter < 20 * MOST, "{address}: {added:?}");
    }
}
