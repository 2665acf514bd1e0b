//! SIGKILL of paddock: no child outlives it.

use std::time::Duration;

use paddock_e2e::harness::{Builder, Paddock, now};
use paddock_e2e::paddock;

use crate::requests::{ENDLESS, PACED, chat_stream};

/// How long a child may live on.
const LIMIT: Duration = Duration::from_secs(1);

/// Kills paddock and checks that its child goes with it.
fn kill(mut paddock: Paddock) {
    let child = paddock.child();
    assert!(child.is_alive());
    let begun = now();
    paddock.kill9();
    while child.is_alive() {
        assert!(begun.elapsed() < LIMIT, "the child lives on");
    }
    assert!(paddock.processes().is_empty(), "{:?}", paddock.processes());
}

/// A child that would not end by itself, neither of a signal nor of the end of its stdin.
fn stubborn() -> Builder {
    paddock!().engine_args(["--fake-ignore-term", "--fake-no-event"])
}

#[test]
fn a_ready_child_goes_too() {
    for builder in [paddock!(), stubborn()] {
        let paddock = builder.start();
        paddock.wait_ready();
        kill(paddock);
    }
}

#[test]
fn a_loading_child_goes_too() {
    for builder in [paddock!(), stubborn()] {
        let paddock = builder.engine_args(["--fake-load-ms", "600000"]).start();
        kill(paddock);
    }
}

#[test]
fn a_child_that_streams_goes_too() {
    for builder in [paddock!(), stubborn()] {
        let paddock = builder.engine_args(PACED).start();
        let mut stream = paddock.connect();
        stream.send(chat_stream(ENDLESS));
        stream.head();
        stream.event();
        kill(paddock);
    }
}

#[test]
fn a_child_that_is_being_drained_goes_too() {
    let paddock = stubborn()
        .engine_args(PACED)
        .config("server.drain_timeout = '10m'")
        .start();
    let mut stream = paddock.connect();
    stream.send(chat_stream(ENDLESS));
    stream.head();
    paddock.signal(paddock_e2e::harness::Signal::TERM);
    paddock
        .stderr()
        .wait_for(paddock_e2e::harness::LIMIT, "draining");
    stream.event();
    kill(paddock);
}

#[test]
fn the_second_child_goes_like_the_first() {
    let paddock = stubborn().start();
    paddock.wait_ready();
    let first = paddock.child();
    first.signal(paddock_e2e::harness::Signal::KILL);
    paddock_e2e::harness::wait_until(paddock_e2e::harness::LIMIT, "the next child", || {
        let model = paddock.model();
        model["status"] == "ready" && model["pid"] != first.number()
    });
    kill(paddock);
}
