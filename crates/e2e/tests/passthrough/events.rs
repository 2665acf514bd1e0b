use crate::support::{Child, both_kinds};
use paddock_e2e::harness::{Address, Connection, Event, get};
use std::time::Duration;

const EVENTS: usize = 200;

/// What an event may cost on its way through paddock.
const MOST: Duration = Duration::from_millis(1);

/// A client of a stream whose events the test calls for, one by one.
///
/// It has talked for a while: then its system takes its time to acknowledge what comes, and a
/// sender that waits for that before it sends the next small piece is slow.
fn listen(address: &Address) -> Connection {
    let mut client = Connection::to(address);
    for _ in 0..20 {
        assert_eq!(client.ask(get("/props")).status, 200);
    }
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
