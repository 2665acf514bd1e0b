//! SIGTERM and SIGINT: paddock ends with 0, in time, and nothing is left of it.

use std::time::Duration;

use paddock_e2e::harness::{Paddock, PaddockBuilder, Signal, now};
use paddock_e2e::paddock;

use crate::requests::{ENDLESS, PACED, chat_stream, whole};

/// What stopping may take beyond the drain.
const BEYOND: Duration = Duration::from_secs(3);

/// Ends it, and checks that it took no longer than that and that nothing is left.
fn stop_within(paddock: &mut Paddock, signal: Signal, limit: Duration) {
    let begun = now();
    let status = paddock.stop(signal);
    let took = begun.elapsed();
    assert_eq!(status.code(), Some(0));
    assert!(took < limit, "{took:?}");
    // Not only in the end: at the moment of the exit nothing is left.
    assert_eq!(paddock.leftovers(), [""; 0]);
}

/// With a drain that is far longer than anything here.
fn long_drain() -> PaddockBuilder {
    paddock!().config("server.drain_timeout = '10m'")
}

#[test]
fn a_signal_in_the_first_moment_is_not_lost() {
    // Whatever the child is by then: being forked, the shim, without a listener.
    let args = ["--fake-slow-accept-ms", "600000"];
    let mut paddock = long_drain().engine_args(args).start();
    stop_within(&mut paddock, Signal::TERM, BEYOND);
}

#[test]
fn a_child_that_ignores_the_signal_is_killed_in_time() {
    for load in ["0", "600000"] {
        let args = ["--fake-ignore-term", "--fake-load-ms", load];
        let mut paddock = long_drain().engine_args(args).start();
        if load == "0" {
            paddock.wait_ready();
        }
        let child = paddock.child();
        stop_within(&mut paddock, Signal::TERM, BEYOND);
        assert!(!child.is_alive());
    }
}

#[test]
fn with_requests_in_flight_it_takes_the_drain_and_no_more() {
    let drain = Duration::from_secs(1);
    for ignores in [&["--fake-log-flood", "1000"][..], &["--fake-ignore-term"]] {
        let mut paddock = paddock!()
            .engine_args(PACED)
            .engine_args(ignores.iter().copied())
            .config("server.drain_timeout = '1s'")
            .start();
        paddock.wait_ready();
        let mut stream = paddock.connect();
        stream.send(chat_stream(ENDLESS));
        stream.head();
        let mut waiting = paddock.connect();
        waiting.send(whole(ENDLESS));
        paddock.wait_in_flight(2);
        stop_within(&mut paddock, Signal::TERM, drain + BEYOND);
    }
}
