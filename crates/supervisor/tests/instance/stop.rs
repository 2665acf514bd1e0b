//! Stops, graceful and forceful.

use std::time::Duration;

use paddock_supervisor::{Instance, State};
use tokio::time::Instant;

use crate::harness::{
    Harness, NEVER, alive, eventually, pid_in, stop, until, until_line, until_loading, until_ready,
};

fn terms(instance: &Instance) -> usize {
    instance
        .logs()
        .snapshot(usize::MAX)
        .iter()
        .filter(|line| *line == "got SIGTERM")
        .count()
}

#[tokio::test]
async fn a_ready_child_stops_on_the_first_sigterm() {
    let harness = Harness::new();
    let instance = harness.start(harness.child(&[]));
    let pid = until_ready(&instance).await;
    stop(&instance).await;
    assert!(!alive(pid));
    assert_eq!((terms(&instance), harness.directories()), (1, 0));
    stop(&instance).await;
    harness.no_task_remains().await;
}

#[tokio::test]
async fn a_loading_child_stops() {
    let harness = Harness::new();
    let instance = harness.start(harness.child(&["--gate", "/proc/nonexistent"]));
    let pid = until_loading(&instance).await;
    stop(&instance).await;
    assert!(!alive(pid));
    harness.no_task_remains().await;
}

#[tokio::test]
async fn an_instance_stops_before_it_has_begun() {
    let harness = Harness::new();
    let instance = harness.start(harness.child(&[]));
    stop(&instance).await;
    harness.no_task_remains().await;
}

#[tokio::test]
async fn an_instance_in_backoff_stops_at_once() {
    let harness = Harness::new();
    let mut spec = harness.script("exit 3");
    spec.restart.first_delay = NEVER;
    spec.restart.max_delay = NEVER;
    let instance = harness.start(spec);
    until(&instance, |state| {
        matches!(state, State::Backoff { attempt: 1, .. })
    })
    .await;
    stop(&instance).await;
    harness.no_task_remains().await;
}

#[tokio::test]
async fn a_second_sigterm_ends_a_child_that_waits_for_its_requests() {
    let harness = Harness::new();
    let mut spec = harness.child(&["--ignore-terms", "1"]);
    spec.stop.first_grace = Duration::from_millis(100);
    let instance = harness.start(spec);
    let pid = until_ready(&instance).await;
    stop(&instance).await;
    assert!(!alive(pid));
    assert_eq!(terms(&instance), 2);
}

#[tokio::test]
async fn a_child_that_ignores_sigterm_is_killed() {
    let harness = Harness::new();
    let mut spec = harness.child(&["--ignore-terms", "99"]);
    spec.stop.first_grace = Duration::from_millis(100);
    spec.stop.second_grace = Duration::from_millis(100);
    let instance = harness.start(spec);
    let pid = until_ready(&instance).await;
    stop(&instance).await;
    assert!(!alive(pid));
    assert_eq!((terms(&instance), harness.directories()), (2, 0));
}

#[tokio::test]
async fn a_kill_takes_effect_within_the_grace() {
    let harness = Harness::new();
    let mut spec = harness.child(&["--ignore-terms", "99"]);
    spec.stop.first_grace = NEVER;
    let instance = harness.start(spec);
    let pid = until_ready(&instance).await;
    tokio::join!(stop(&instance), async {
        until_line(&instance, "got SIGTERM").await;
        assert!(alive(pid));
        instance.kill().await;
    });
    assert!(!alive(pid));
}

#[tokio::test]
async fn a_kill_sends_no_sigterm() {
    let harness = Harness::new();
    let instance = harness.start(harness.child(&[]));
    let pid = until_ready(&instance).await;
    let begun = Instant::now();
    instance.kill().await;
    assert!(begun.elapsed() < Duration::from_secs(2));
    assert!(!alive(pid));
    assert_eq!(terms(&instance), 0);
}

#[tokio::test]
async fn a_stop_goes_on_when_its_caller_does_not_wait() {
    let harness = Harness::new();
    let instance = harness.start(harness.child(&[]));
    let pid = until_ready(&instance).await;
    // Polled once and dropped: a timeout of zero can take a millisecond, in which a child can exit.
    tokio::select! {
        biased;
        () = instance.stop() => panic!("a stop that waited for nobody"),
        () = std::future::ready(()) => {}
    }
    until(&instance, |state| matches!(state, State::Stopped)).await;
    assert!(!alive(pid));
}

#[tokio::test]
async fn the_last_handle_takes_the_child_with_it() {
    let harness = Harness::new();
    let instance = harness.start(harness.child(&[]));
    let pid = until_ready(&instance).await;
    let (clone, logs) = (instance.clone(), instance.logs());
    drop(instance);
    assert!(alive(pid));
    drop(clone);
    harness.no_task_remains().await;
    assert!(!alive(pid));
    assert!(logs.snapshot(1)[0].contains("SIGTERM"));
}

#[tokio::test]
async fn leftovers_of_a_stopped_child_are_killed() {
    let harness = Harness::new();
    let file = harness.file("pid");
    // The grandchild ignores SIGTERM.
    let script = "trap '' TERM; sleep 1000 & echo $! > \"$1.new\"; mv \"$1.new\" \"$1\"; \
                  trap 'exit 0' TERM; echo loading; while :; do wait; done";
    let mut spec = harness.script(script);
    spec.args.push(file.clone().into());
    let instance = harness.start(spec);
    until_loading(&instance).await;
    let grandchild = pid_in(&file).await;
    assert!(alive(grandchild));
    stop(&instance).await;
    assert!(!alive(grandchild));
}

/// A panic of the runtime's owner drops the actor where it stands.
#[test]
fn an_actor_that_is_dropped_leaves_no_process() {
    let begin = || {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap()
    };
    let (runtime, observer) = (begin(), begin());
    let (harness, child, grandchild, _instance) = runtime.block_on(async {
        let harness = Harness::new();
        let file = harness.file("pid");
        let instance =
            harness.start(harness.child(&["--ignore-terms", "99", "--grandchild", &file]));
        let child = until_ready(&instance).await;
        (harness, child, pid_in(&file).await, instance)
    });
    assert!(alive(child) && alive(grandchild));
    drop(runtime);
    let gone = || !alive(child) && !alive(grandchild);
    assert!(observer.block_on(eventually(Duration::from_secs(2), gone)));
    assert_eq!(harness.directories(), 0);
}
