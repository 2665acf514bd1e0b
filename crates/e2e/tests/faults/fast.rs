//! How soon: the fastest of a few, so that a busy machine does not count.

use std::time::Duration;

use paddock_e2e::harness::{Paddock, PaddockBuilder, Signal, now};
use paddock_e2e::paddock;

const TRIES: usize = 7;

fn fastest(what: impl Fn() -> Duration) -> Duration {
    let times = (0..TRIES).map(|_| what());
    times.min().expect("a time")
}

/// A child that ends neither of a signal nor of the end of its stdin.
fn stubborn() -> PaddockBuilder {
    paddock!().engine_args(["--fake-ignore-term", "--fake-no-event"])
}

fn killed(mut paddock: Paddock) -> Duration {
    let child = paddock.child();
    let begun = now();
    paddock.signal(Signal::KILL);
    while child.is_alive() {}
    let took = begun.elapsed();
    paddock.kill9();
    took
}

#[test]
fn no_child_is_left_100_ms_after_paddock_was_killed() {
    let loading = fastest(|| killed(stubborn().engine_args(["--fake-load-ms", "600000"]).start()));
    let ready = fastest(|| {
        let paddock = stubborn().start();
        paddock.wait_ready();
        killed(paddock)
    });
    println!("loading {loading:?}, ready {ready:?}");
    assert!(loading < Duration::from_millis(100), "{loading:?}");
    assert!(ready < Duration::from_millis(100), "{ready:?}");
}

#[test]
fn an_idle_paddock_with_its_child_is_gone_in_200_ms() {
    let took = fastest(|| {
        let mut paddock = paddock!().start();
        paddock.wait_ready();
        let begun = now();
        assert!(paddock.stop(Signal::TERM).success());
        begun.elapsed()
    });
    println!("{took:?}");
    assert!(took < Duration::from_millis(200), "{took:?}");
}
