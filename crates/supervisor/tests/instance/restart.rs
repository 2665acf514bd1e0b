//! Restarts after failures.

use std::{fs, time::Duration};

use paddock_supervisor::{ChildPhase, FailureClass, State};
use rustix::process::Signal;
use tokio::time::Instant;

use crate::harness::{Harness, pid, reach, signal, stop, until, until_ready};

#[tokio::test]
async fn a_ready_child_that_is_killed_is_replaced() {
    let harness = Harness::new();
    let instance = harness.start(harness.child(&[]));
    let mut states = instance.watch();
    let first = until_ready(&instance).await;
    signal(first, Signal::KILL);
    let state = reach(&mut states, |state| state.failure().is_some()).await;
    let failure = state.failure().unwrap();
    assert_eq!(
        (failure.class, failure.phase),
        (FailureClass::Killed, ChildPhase::Ready)
    );
    let second = reach(&mut states, |state| {
        matches!(state, State::Ready { generation: 2, .. })
    })
    .await;
    assert_ne!(pid(&second), first);
    assert_eq!(harness.directories(), 1, "the first socket is gone");
    stop(&instance).await;
    assert_eq!(harness.directories(), 0);
}

/// The time within which a child's death must be noticed.
const NOTICED: Duration = Duration::from_millis(5);

#[tokio::test]
async fn a_death_is_noticed_within_5_ms() {
    let harness = Harness::new();
    let instance = harness.start(harness.child(&[]));
    let mut fastest = Duration::MAX;
    // The fastest of a few counts, so that a busy machine does not matter.
    for _ in 0..5 {
        let child = until_ready(&instance).await;
        let mut states = instance.watch();
        states.mark_unchanged();
        let killed = Instant::now();
        signal(child, Signal::KILL);
        reach(&mut states, |state| state.failure().is_some()).await;
        fastest = fastest.min(killed.elapsed());
    }
    println!("{fastest:?}");
    assert!(fastest < NOTICED, "{fastest:?}");
    stop(&instance).await;
}

#[tokio::test]
async fn a_crash_loop_opens_the_breaker_and_one_try_closes_it() {
    let harness = Harness::new();
    let (tries, heal) = (harness.file("tries"), harness.file("heal"));
    let child = harness.child(&[]);
    let script = "echo x >> \"$1\"; test -e \"$2\" || exit 3; shift 2; exec \"$@\"";
    let mut spec = harness.script(script);
    spec.args.extend([
        tries.clone().into(),
        heal.clone().into(),
        child.program.into(),
    ]);
    spec.args.extend(child.args);
    spec.restart.budget = 2;
    spec.restart.breaker = Duration::from_millis(200);
    let instance = harness.start(spec);
    let state = until(&instance, |state| matches!(state, State::Failed { .. })).await;
    assert!(
        matches!(
            state,
            State::Failed {
                retry_at: Some(_),
                ..
            }
        ),
        "{state:?}"
    );
    assert_eq!(state.failure().unwrap().class, FailureClass::Unknown);
    assert_eq!(fs::read_to_string(&tries).unwrap().lines().count(), 3);
    fs::write(&heal, "").unwrap();
    until_ready(&instance).await;
    stop(&instance).await;
}

#[tokio::test]
async fn a_failure_that_cannot_heal_is_tried_once() {
    let harness = Harness::new();
    let tries = harness.file("tries");
    let script = "echo x >> \"$1\"; echo 'error: invalid argument: --x' >&2; exit 1";
    let mut spec = harness.script(script);
    spec.args.push(tries.clone().into());
    let instance = harness.start(spec);
    let state = until(&instance, |state| matches!(state, State::Failed { .. })).await;
    assert!(matches!(state, State::Failed { retry_at: None, .. }));
    assert_eq!(state.failure().unwrap().class, FailureClass::BadFlag);
    assert_eq!(fs::read_to_string(&tries).unwrap(), "x\n");
    stop(&instance).await;
    harness.no_task_remains().await;
}
