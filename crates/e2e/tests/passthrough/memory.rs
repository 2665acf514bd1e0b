use crate::support::{binary, echo_counted, memory, process, settled, sockets, workers};
use paddock_e2e::harness::{Connection, LIMIT, Paddock, Pid, get, wait_until};

const CONNECTIONS: u64 = 1000;

/// What a connection that is idle may cost, in bytes.
const IDLE: u64 = 16 << 10;

/// What a connection with an unfinished head may cost: one buffer, and itself.
const HALF_SENT: u64 = (66 << 10) + IDLE;

/// What each worker keeps for the next connections: twenty buffers.
const KEPT: u64 = 20 * (66 << 10);

/// Growth that has nothing to do with connections.
const SLACK: u64 = 2 << 20;

fn connect(paddock: &Paddock) -> Vec<Connection> {
    (0..CONNECTIONS).map(|_| paddock.connect()).collect()
}

fn grown(process: Pid, before: u64) -> u64 {
    memory(process).saturating_sub(before)
}

#[test]
fn an_idle_connection_costs_a_constant() {
    let paddock = paddock_e2e::paddock!().start();
    paddock.wait_ready();
    let process = process(&paddock);
    assert_eq!(paddock.get("/props").status, 200);
    let before = memory(process);
    let mut idle = connect(&paddock);
    // Whatever a connection kept of these would be seen.
    let request = echo_counted(&binary(60 << 10, 1));
    for connection in &mut idle {
        assert_eq!(connection.ask(&request).status, 200);
    }
    let each = grown(process, before) / CONNECTIONS;
    println!("{each} bytes for each idle connection");
    assert!(each < IDLE + SLACK / CONNECTIONS, "{each} bytes each");
}

#[test]
fn a_connection_with_half_a_head_costs_a_constant() {
    let paddock = paddock_e2e::paddock!().start();
    paddock.wait_ready();
    let process = process(&paddock);
    assert_eq!(paddock.get("/props").status, 200);
    let before = memory(process);
    let none = settled("no connection", || sockets(process));
    let head = format!(
        "{}\r\nX-Half: {}",
        get("/").trim_end(),
        "x".repeat(60 << 10)
    );
    // The second time there is nothing more to be taken.
    for _ in 0..2 {
        let mut half = connect(&paddock);
        for connection in &mut half {
            connection.send(&head);
        }
        let arrived = CONNECTIONS * head.len() as u64;
        wait_until(LIMIT, "the heads to arrive", || {
            grown(process, before) > arrived
        });
        let each = settled("no more growth", || grown(process, before)) / CONNECTIONS;
        println!("{each} bytes for each half-sent head");
        assert!(each < HALF_SENT + SLACK / CONNECTIONS, "{each} bytes each");
        drop(half);
        wait_until(LIMIT, "the connections' end", || sockets(process) <= none);
    }
    let kept = workers(process) * KEPT + SLACK;
    wait_until(LIMIT, "the rest to be given back", || {
        grown(process, before) < kept
    });
    assert_eq!(paddock.get("/props").status, 200);
}
