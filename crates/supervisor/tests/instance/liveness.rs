//! Children that hang, and children that are only slow.

use std::time::Duration;

use paddock_supervisor::{ChildPhase, FailureClass, State};
use rustix::process::Signal;
use tokio::time::Instant;

use crate::harness::{Harness, alive, first_failure, signal, stop, until, until_line, until_ready};

fn hang_evidence(state: &State) -> Option<&str> {
    match state {
        State::Ready { hang_evidence, .. } => hang_evidence.as_deref(),
        _ => None,
    }
}

#[tokio::test]
async fn a_stopped_child_is_suspected_and_then_replaced_while_requests_wait() {
    let harness = Harness::new();
    let spec = harness.child(&[]);
    let stalls = spec.stalls.clone();
    let instance = harness.start(spec);
    let pid = until_ready(&instance).await;
    signal(pid, Signal::STOP);
    let waiting = stalls.begin_stall();
    let suspect = until(&instance, |state| hang_evidence(state).is_some()).await;
    assert!(
        hang_evidence(&suspect).unwrap().contains("/health"),
        "{suspect:?}"
    );
    // The client gives up, which proves nothing about the child.
    drop(waiting);
    let failure = first_failure(&instance).await;
    assert_eq!(failure.class, FailureClass::Unresponsive);
    assert_eq!((failure.phase, failure.exit), (ChildPhase::Ready, None));
    assert!(!alive(pid));
    assert_eq!(
        stalls.kill_reason().as_deref(),
        Some(failure.message.as_str())
    );
    let next = until(&instance, |state| matches!(state, State::Ready { .. })).await;
    assert!(
        matches!(next, State::Ready { generation: 2, .. }),
        "{next:?}"
    );
    stop(&instance).await;
    harness.no_task_remains().await;
}

#[tokio::test]
async fn a_child_that_answers_is_left_alone_and_not_probed_while_nobody_waits() {
    let harness = Harness::new();
    let spec = harness.child(&[]);
    let stalls = spec.stalls.clone();
    let instance = harness.start(spec);
    until_ready(&instance).await;
    let asked = || {
        instance
            .logs()
            .snapshot(usize::MAX)
            .iter()
            .filter(|line| *line == "asked")
            .count()
    };
    let before = asked();
    let waiting = stalls.begin_stall();
    let reached = crate::harness::eventually(crate::harness::LIMIT, || asked() >= before + 3).await;
    assert!(reached, "it is probed for as long as a request waits");
    drop(waiting);
    let state = instance.watch().borrow().clone();
    assert!(
        matches!(
            state,
            State::Ready {
                hang_evidence: None,
                ..
            }
        ),
        "{state:?}"
    );
    stop(&instance).await;
}

#[tokio::test]
async fn a_child_that_goes_on_in_time_is_no_longer_suspect() {
    let harness = Harness::new();
    let mut spec = harness.child(&[]);
    spec.liveness.max_missed_probes = 1_000;
    let stalls = spec.stalls.clone();
    let instance = harness.start(spec);
    let pid = until_ready(&instance).await;
    signal(pid, Signal::STOP);
    let _waiting = stalls.begin_stall();
    until(&instance, |state| hang_evidence(state).is_some()).await;
    signal(pid, Signal::CONT);
    until(&instance, |state| {
        matches!(
            state,
            State::Ready {
                hang_evidence: None,
                ..
            }
        )
    })
    .await;
    assert!(alive(pid));
    stop(&instance).await;
}

#[tokio::test]
async fn two_requests_at_their_limits_one_after_the_other_end_a_child() {
    let harness = Harness::new();
    let spec = harness.child(&[]);
    let stalls = spec.stalls.clone();
    let instance = harness.start(spec);
    let pid = until_ready(&instance).await;
    stalls.record_timeout(Instant::now());
    until(&instance, |state| hang_evidence(state).is_some()).await;
    assert!(alive(pid));
    stalls.record_timeout(Instant::now());
    assert_eq!(
        first_failure(&instance).await.class,
        FailureClass::Unresponsive
    );
    stop(&instance).await;
}

#[tokio::test]
async fn a_stop_wakes_a_stopped_child_and_lets_it_end_by_itself() {
    let harness = Harness::new();
    let instance = harness.start(harness.child(&[]));
    let pid = until_ready(&instance).await;
    signal(pid, Signal::STOP);
    stop(&instance).await;
    assert!(!alive(pid));
    until_line(&instance, "got SIGTERM").await;
}

#[tokio::test]
async fn a_stopped_child_that_ignores_sigterm_is_killed_within_the_graces() {
    let harness = Harness::new();
    let mut spec = harness.child(&["--ignore-terms", "99"]);
    spec.stop.first_grace = Duration::from_millis(100);
    spec.stop.second_grace = Duration::from_millis(100);
    let instance = harness.start(spec);
    let pid = until_ready(&instance).await;
    signal(pid, Signal::STOP);
    let begun = Instant::now();
    stop(&instance).await;
    assert!(begun.elapsed() < Duration::from_secs(2));
    assert!(!alive(pid));
}
