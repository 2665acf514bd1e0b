use crate::support::{Child, memory, process, settled};
use paddock_e2e::harness::{Connection, LIMIT, get, wait_until};

const READERS: u64 = 8;

/// What two sockets' buffers hold at most for each reader.
const SOCKETS: u64 = 16 << 20;

/// What paddock may hold for each reader: a buffer for each direction.
const BUFFERS: u64 = 128 << 10;

/// Growth that has nothing to do with readers.
const SLACK: u64 = 3 << 20;

#[test]
fn clients_that_stop_reading_stop_the_child_and_not_paddocks_memory() {
    let paddock = paddock_e2e::paddock!().start();
    paddock.wait_ready();
    let mut child = Child::of(&paddock);
    let process = process(&paddock);
    assert_eq!(paddock.get("/props").status, 200);
    let before = memory(process);

    let mut readers: Vec<Connection> = (0..READERS).map(|_| paddock.connect()).collect();
    for reader in &mut readers {
        reader.send(get("/__fake/stall-stream"));
        assert_eq!(reader.head().status, 200);
    }
    let taken = settled("the child to be stopped", || child.count("stream_bytes"));
    assert_eq!(child.count("streams_open"), READERS);
    assert!(taken < READERS * SOCKETS, "{taken} bytes");
    let grown = memory(process).saturating_sub(before);
    assert!(
        grown < READERS * BUFFERS + SLACK,
        "paddock has grown by {grown} bytes"
    );

    for reader in &mut readers {
        let mut read = 0;
        while read < SOCKETS {
            read += reader.piece().expect("more of the stream").len() as u64;
        }
    }
    assert!(
        child.count("stream_bytes") > taken,
        "and it goes on when they do"
    );
    drop(readers);
    wait_until(LIMIT, "the streams' end", || {
        child.count("streams_open") == 0
    });
}

/// The child dies in the middle of a long event that a slow client holds back.
#[test]
fn a_slow_client_is_told_that_the_child_died_in_the_middle_of_an_event() {
    let paddock = paddock_e2e::paddock!().start();
    paddock.wait_ready();
    let mut child = Child::of(&paddock);
    let mut reader = paddock.connect();
    reader.send(get("/__fake/stall-stream"));
    assert_eq!(reader.head().status, 200);
    settled("the child to be stopped", || child.count("stream_bytes"));
    Connection::connect(&paddock.child_address()).send(get("/__fake/die/kill"));
    let (events, is_whole) = reader.events();
    assert!(!is_whole, "it must not pass for a whole answer");
    let last = events.last().expect("an event").data();
    assert!(last.contains("upstream_closed"), "{} bytes", last.len());
    let broken = &events[events.len() - 2].data();
    assert!(
        broken.bytes().all(|byte| byte == b'x'),
        "the event as far as it came"
    );
}
