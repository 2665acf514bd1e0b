use std::time::Duration;

use paddock_supervisor::{FailureClass, Phase, State};
use rustix::process::Signal;
use tokio::time::Instant;

use crate::lab::{Lab, alive, first_failure, signal, stop, until, until_line, until_ready};

fn suspicion(state: &State) -> Option<&str> {
    match state {
        State::Ready { suspicion, .. } => suspicion.as_deref(),
        _ => None,
    }
}

#[tokio::test]
async fn a_stopped_child_is_suspected_and_then_replaced_while_requests_wait() {
    let lab = Lab::new();
    let spec = lab.child(&[]);
    let doubts = spec.doubts.clone();
    let instance = lab.start(spec);
    let pid = until_ready(&instance).await;
    signal(pid, Signal::STOP);
    let waiting = doubts.raise();
    let suspect = until(&instance, |state| suspicion(state).is_some()).await;
    assert!(
        suspicion(&suspect).unwrap().contains("/health"),
        "{suspect:?}"
    );
    // Its client gives up, which says nothing of the child.
    drop(waiting);
    let failure = first_failure(&instance).await;
    assert_eq!(failure.class, FailureClass::Unresponsive);
    assert_eq!((failure.phase, failure.exit), (Phase::Ready, None));
    assert!(!alive(pid));
    assert_eq!(doubts.ended().as_deref(), Some(failure.message.as_str()));
    let next = until(&instance, |state| matches!(state, State::Ready { .. })).await;
    assert!(
        matches!(next, State::Ready { generation: 2, .. }),
        "{next:?}"
    );
    stop(&instance).await;
    lab.no_task_remains().await;
}

#[tokio::test]
async fn a_child_that_answers_is_left_alone_and_not_probed_while_nobody_waits() {
    let lab = Lab::new();
    let spec = lab.child(&[]);
    let doubts = spec.doubts.clone();
    let instance = lab.start(spec);
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
    let waiting = doubts.raise();
    let reached = crate::lab::eventually(crate::lab::LIMIT, || asked() >= before + 3).await;
    assert!(reached, "it is probed for as long as a request waits");
    drop(waiting);
    let state = instance.watch().borrow().clone();
    assert!(
        matches!(
            state,
            State::Ready {
                suspicion: None,
                ..
            }
        ),
        "{state:?}"
    );
    stop(&instance).await;
}

#[tokio::test]
async fn a_child_that_goes_on_in_time_is_no_longer_suspect() {
    let lab = Lab::new();
    let mut spec = lab.child(&[]);
    spec.vigil.probes = 1_000;
    let doubts = spec.doubts.clone();
    let instance = lab.start(spec);
    let pid = until_ready(&instance).await;
    signal(pid, Signal::STOP);
    let _waiting = doubts.raise();
    until(&instance, |state| suspicion(state).is_some()).await;
    signal(pid, Signal::CONT);
    until(&instance, |state| {
        matches!(
            state,
            State::Ready {
                suspicion: None,
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
    let lab = Lab::new();
    let spec = lab.child(&[]);
    let doubts = spec.doubts.clone();
    let instance = lab.start(spec);
    let pid = until_ready(&instance).await;
    doubts.overdue(Instant::now());
    until(&instance, |state| suspicion(state).is_some()).await;
    assert!(alive(pid));
    doubts.overdue(Instant::now());
    assert_eq!(
        first_failure(&instance).await.class,
        FailureClass::Unresponsive
    );
    stop(&instance).await;
}

#[tokio::test]
async fn a_stop_wakes_a_stopped_child_and_lets_it_end_by_itself() {
    let lab = Lab::new();
    let instance = lab.start(lab.child(&[]));
    let pid = until_ready(&instance).await;
    signal(pid, Signal::STOP);
    stop(&instance).await;
    assert!(!alive(pid));
    until_line(&instance, "got SIGTERM").await;
}

#[tokio::test]
async fn a_stopped_child_that_ignores_sigterm_is_killed_within_the_graces() {
    let lab = Lab::new();
    let mut spec = lab.child(&["--ignore-terms", "99"]);
    spec.stop.first_grace = Duration::from_millis(100);
    spec.stop.second_grace = Duration::from_millis(100);
    let instance = lab.start(spec);
    let pid = until_ready(&instance).await;
    signal(pid, Signal::STOP);
    let begun = Instant::now();
    stop(&instance).await;
    assert!(begun.elapsed() < Duration::from_secs(2));
    assert!(!alive(pid));
}
