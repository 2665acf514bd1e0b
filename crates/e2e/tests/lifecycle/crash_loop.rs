//! A child that dies again and again: paddock says so and stays.

use std::time::Duration;

use paddock_e2e::harness::{LIMIT, Paddock, Signal, now, wait_until};
use paddock_e2e::paddock;

use crate::requests::whole;

/// Waits for the end of the restart budget.
fn wait_unhealthy(paddock: &mut Paddock) {
    wait_until(LIMIT, "unhealthy", || {
        assert!(
            paddock.exit_status().is_none(),
            "paddock ended with its child"
        );
        let health = paddock.get("/health");
        let word = health.json()["status"].clone();
        assert!(health.status == 503 || word == "ok", "{health:?}");
        word == "unhealthy"
    });
}

#[test]
fn a_crash_loop_ends_in_unhealthy_with_the_cause() {
    let mut paddock = paddock!()
        .engine_args(["--fake-die", "idle-ms:200:exit1"])
        .start();
    wait_unhealthy(&mut paddock);

    let health = paddock.get("/health").json();
    let failure = &health["models"][0]["failure"];
    assert_eq!(failure["class"], "crashed", "{health}");
    let message = failure["message"].as_str().unwrap();
    assert!(message.contains("exit code 1"), "{message}");

    let model = paddock.model();
    assert_eq!(model["status"], "failed");
    assert_eq!(&model["failure"], failure);
    assert!(model["pid"].is_null());

    let answer = paddock.ask(whole(1));
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(answer.field("x-paddock-error"), Some("load_failed"));
    let error = &answer.json()["error"];
    assert_eq!(error["code"], "load_failed");
    assert_eq!(&error["failure"], failure);
    let tail = error["failure"]["log_tail"].as_array().unwrap();
    let said = |words: &str| tail.iter().any(|l| l.as_str().unwrap().contains(words));
    assert!(said("model loaded"), "{tail:?}");
    // It is tried again later, and the answer says when.
    let wait: u64 = answer.field("retry-after").unwrap().parse().unwrap();
    assert!((1..=61).contains(&wait), "{wait}");

    assert!(paddock.stop(Signal::TERM).success());
}

#[test]
fn requests_in_a_crash_loop_are_answered_within_a_bound() {
    let paddock = paddock!()
        .engine_args(["--fake-die", "first-request:kill"])
        .config("scheduler.queue_timeout = '1s'")
        .start();
    for _ in 0..12 {
        let begun = now();
        let answer = paddock.ask(whole(1));
        assert!(matches!(answer.status, 502 | 503), "{answer:?}");
        assert!(begun.elapsed() < Duration::from_secs(10), "{answer:?}");
    }
}

#[test]
fn a_stop_between_two_attempts_ends_at_once() {
    let mut paddock = paddock!()
        .engine_args(["--fake-die", "start:exit1"])
        .start();
    wait_until(LIMIT, "a failure", || !paddock.model()["failure"].is_null());
    let begun = now();
    assert!(paddock.stop(Signal::TERM).success());
    assert!(begun.elapsed() < Duration::from_secs(3));
}
