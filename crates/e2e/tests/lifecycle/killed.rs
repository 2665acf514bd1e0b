//! SIGKILL of paddock: no child outlives it.

use std::time::Duration;

use paddock_e2e::harness::{Paddock, PaddockBuilder, now};
use paddock_e2e::paddock;

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
fn stubborn() -> PaddockBuilder {
    paddock!().engine_args(["--fake-ignore-term", "--fake-no-event"])
}

/// An engine that hangs when it is asked what it can. It lies in the directory by which processes are found.
fn hangs_when_asked() -> PaddockBuilder {
    let builder = paddock!().config("engine.env.FAKE_ASKED_HANGS = '1'");
    let engine = builder.directory().join("engine");
    std::fs::copy(builder.engine_path(), &engine).unwrap();
    builder.engine(engine)
}

/// An engine that is only asked what it can is a child like any other.
#[test]
fn an_engine_that_hangs_when_it_is_asked_goes_too() {
    let mut paddock = hangs_when_asked().start();
    let asked = || {
        let processes = paddock.processes();
        let mut lines = processes.iter().map(|(_, line)| line);
        lines.any(|line| line.contains("--list-devices") && !line.contains("__exec"))
    };
    paddock_e2e::harness::wait_until(paddock_e2e::harness::LIMIT, "the question", asked);
    paddock.kill9();
    let begun = now();
    while !paddock.processes().is_empty() {
        assert!(begun.elapsed() < LIMIT, "{:?}", paddock.processes());
    }
}

#[test]
fn a_stop_does_not_wait_for_an_engine_that_hangs_when_it_is_asked() {
    let mut paddock = hangs_when_asked().start();
    let begun = now();
    assert!(paddock.stop(paddock_e2e::harness::Signal::TERM).success());
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert!(paddock.processes().is_empty(), "{:?}", paddock.processes());
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
