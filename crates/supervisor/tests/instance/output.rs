//! A child's output, in any amount and form.

use paddock_supervisor::FailureClass;

use crate::harness::{Harness, first_failure, stop, until_line, until_ready};

#[tokio::test]
async fn a_flood_and_an_endless_line_do_not_stop_a_child_from_getting_ready() {
    let harness = Harness::new();
    // 8 MiB each: many times what a pipe holds; on stderr without a single newline.
    let instance = harness.start(harness.child(&["--flood", "8192"]));
    until_ready(&instance).await;
    until_line(&instance, "loaded").await;
    let lines = instance.logs().snapshot(usize::MAX);
    assert!(lines.len() <= 1000);
    assert!(lines.iter().all(|line| line.len() <= 4096));
    stop(&instance).await;
}

#[tokio::test]
async fn what_is_no_text_is_shown_as_far_as_it_goes() {
    let harness = Harness::new();
    let instance =
        harness.start(harness.script("printf 'a\\377b\\r\\n'; printf 'no newline'; exit 3"));
    let failure = first_failure(&instance).await;
    assert_eq!(failure.class, FailureClass::Unknown);
    assert_eq!(failure.log_tail, ["a\u{fffd}b", "no newline"]);
    stop(&instance).await;
}

#[tokio::test]
async fn the_last_words_are_those_of_the_last_child() {
    let harness = Harness::new();
    let mut spec = harness.script("test -e \"$1\" && exit 4; touch \"$1\"; echo first; exit 3");
    spec.args.push(harness.file("second").into());
    let instance = harness.start(spec);
    let mut states = instance.watch();
    let code = |wanted| {
        move |state: &paddock_supervisor::State| {
            let exit = state.failure().and_then(|failure| failure.exit);
            exit == Some(paddock_supervisor::Exit::Code(wanted))
        }
    };
    let second = crate::harness::reach(&mut states, code(4)).await;
    assert!(second.failure().unwrap().log_tail.is_empty(), "{second:?}");
    assert_eq!(instance.logs().snapshot(9), ["first"]);
    stop(&instance).await;
}

#[tokio::test]
async fn a_child_that_closes_its_output_is_not_lost() {
    let harness = Harness::new();
    let mut spec = harness.child(&[]);
    spec.args.splice(
        0..0,
        [
            "-c",
            "exec \"$@\" >/dev/null 2>&1",
            "sh",
            "/usr/bin/python3",
        ]
        .map(Into::into),
    );
    spec.program = "/bin/sh".into();
    let instance = harness.start(spec);
    until_ready(&instance).await;
    stop(&instance).await;
}

#[tokio::test]
async fn two_floods_at_once_are_drained_to_their_last_lines() {
    let harness = Harness::new();
    let mut spec = harness.script("seq 200000 & seq 200000 >&2; wait; exit 3");
    spec.restart.budget = 0;
    let instance = harness.start(spec);
    let failure = first_failure(&instance).await;
    assert_eq!(failure.log_tail.last().unwrap(), "200000");
    let logs = instance.logs();
    assert_eq!(*logs.watch().borrow(), 400_000, "every line was read");
    assert_eq!(logs.snapshot(usize::MAX).len(), 1_000);
    stop(&instance).await;
}

#[tokio::test]
async fn who_writes_without_a_pause_keeps_nobody_waiting() {
    let harness = Harness::new();
    // Everything runs on one thread: the readers of these children, the other child, and its stop.
    let floods = [(); 3].map(|()| harness.start(harness.script("yes & exec yes >&2")));
    for flood in &floods {
        until_line(flood, "y").await;
    }
    let other = harness.start(harness.child(&[]));
    until_ready(&other).await;
    stop(&other).await;
    for flood in &floods {
        stop(flood).await;
    }
}

#[tokio::test]
async fn the_record_goes_on_from_one_instance_to_the_next() {
    let harness = Harness::new();
    let logs = paddock_supervisor::Logs::new();
    let mut reader = logs.reader();
    for word in ["first", "second"] {
        let mut spec = harness.script(&format!("echo {word} >&2; exec sleep 1000"));
        spec.logs = logs.clone();
        let instance = harness.start(spec);
        until_line(&instance, word).await;
        assert_eq!(logs.last_child_lines(), [word]);
        stop(&instance).await;
    }
    assert_eq!(reader.page(0, usize::MAX).lines, ["first", "second"]);
    drop(logs);
    harness.no_task_remains().await;
    assert!(
        !reader.wait_for_line(2).await,
        "nobody is left who could write"
    );
}
