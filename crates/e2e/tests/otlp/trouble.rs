//! A collector that is slow, gone or unwilling costs no request anything.

use std::fs;
use std::time::Duration;

use paddock_e2e::harness::{LIMIT, Paddock, Signal, get, now, wait_until};

use crate::collector::{Collector, Mood};

/// The longest that a request may take to a child that answers at once, on a machine that is busy.
const SOON: Duration = Duration::from_secs(2);

/// How long a stop may wait for a collector, and how long the rest of it takes on such a machine.
const STOP: Duration = Duration::from_secs(3 + 7);

/// Asks often; nobody waits for more than the child.
fn ask(paddock: &Paddock, times: usize) {
    let mut client = paddock.connect();
    for _ in 0..times {
        let begun = now();
        assert_eq!(client.ask(get("/props")).status, 200);
        assert!(begun.elapsed() < SOON);
    }
}

#[test]
fn a_collector_that_never_answers_delays_nobody() {
    let collector = Collector::start(Mood::Stalls);
    let mut paddock = collector.paddock().start();
    paddock.wait_ready();
    ask(&paddock, 100);
    wait_until(LIMIT, "spans to be on their way", || {
        !collector.spans().is_empty()
    });
    ask(&paddock, 1_000);
    let begun = now();
    assert_eq!(paddock.stop(Signal::TERM).code(), Some(0));
    assert!(begun.elapsed() < STOP, "{:?}", begun.elapsed());
}

#[test]
fn a_reload_turns_it_on_and_off() {
    let collector = Collector::start(Mood::Takes);
    let builder = paddock_e2e::paddock!();
    let (off, file) = (
        builder.config_text(),
        builder.directory().join("paddock.toml"),
    );
    let mut paddock = builder.start();
    let reload = |text: &str| {
        fs::write(&file, text).expect("a configuration");
        let answer = paddock_e2e::harness::Connection::connect(paddock.admin())
            .ask(paddock_e2e::harness::post("/api/reload", ""));
        assert_eq!(answer.status, 200, "{}", answer.text());
    };
    paddock.wait_ready();
    ask(&paddock, 3);
    reload(&format!("{off}{}\n", collector.line()));
    ask(&paddock, 5);
    wait_until(LIMIT, "the spans", || collector.requests().len() == 5);
    reload(&off);
    ask(&paddock, 7);
    assert_eq!(paddock.stop(Signal::TERM).code(), Some(0));
    assert_eq!(collector.requests().len(), 5);
}
