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
