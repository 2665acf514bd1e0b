//! Tests of programs that are run to their end, and of their limits.

use std::{future::pending, time::Duration};

use paddock_supervisor::{Exit, Launch, RunProgramError};

use crate::harness::{Harness, LIMIT, alive, eventually, pid_in};

/// Makes a launch of a shell script.
fn script(text: &str) -> Launch {
    Launch {
        sandbox: None,
        program: "/bin/sh".into(),
        args: ["-c", text, "script"].map(Into::into).into(),
        env: vec![
            ("PATH".into(), "/usr/bin:/bin".into()),
            ("CUDA_VISIBLE_DEVICES".into(), "3".into()),
        ],
    }
}

#[tokio::test]
async fn an_answer_is_all_that_is_said_and_how_it_ended() {
    let harness = Harness::new();
    let question = script(
        "[ \"$CUDA_VISIBLE_DEVICES\" = 3 ] && [ -z \"$HOME\" ] || exit 9\n\
         cat; echo noise >&2; echo answer; exit 3",
    );
    let answer = harness
        .spawner()
        .run_program(question, LIMIT, pending())
        .await
        .unwrap();
    assert_eq!(answer.exit, Exit::Code(3));
    assert_eq!(answer.stdout, b"answer\n");
    assert_eq!(answer.stderr, b"noise\n");
}

#[tokio::test]
async fn a_program_that_hangs_is_killed_with_its_group() {
    let harness = Harness::new();
    let file = harness.file("pid");
    let question = script(&format!(
        "trap '' TERM; sleep 1000 & echo $! > {file}.new; mv {file}.new {file}; sleep 1000"
    ));
    let slow = harness
        .spawner()
        .run_program(question, Duration::from_millis(500), pending());
    let slow = slow.await;
    assert!(matches!(slow, Err(RunProgramError::Slow(_))), "{slow:?}");
    assert!(!alive(pid_in(&file).await));
}

#[tokio::test]
async fn a_program_nobody_listens_to_any_more_is_killed() {
    let harness = Harness::new();
    let file = harness.file("pid");
    let question = script(&format!(
        "echo $$ > {file}.new; mv {file}.new {file}; exec sleep 1000"
    ));
    let spawner = harness.spawner().clone();
    let mut asking = Box::pin(spawner.run_program(question, LIMIT, pending()));
    let pid = tokio::select! {
        answer = &mut asking => panic!("{answer:?}"),
        pid = pid_in(&file) => pid,
    };
    assert!(alive(pid));
    drop(asking);
    assert!(eventually(LIMIT, || !alive(pid)).await);
}

#[tokio::test]
async fn a_program_whose_answer_is_not_wanted_any_more_is_gone_at_once() {
    let harness = Harness::new();
    let file = harness.file("pid");
    let question = script(&format!(
        "echo $$ > {file}.new; mv {file}.new {file}; exec sleep 1000"
    ));
    let cancelled = async { assert!(alive(pid_in(&file).await)) };
    let answer = harness
        .spawner()
        .run_program(question, LIMIT, cancelled)
        .await;
    assert!(
        matches!(answer, Err(RunProgramError::Cancelled)),
        "{answer:?}"
    );
    assert!(!alive(pid_in(&file).await));
}

#[tokio::test]
async fn a_program_that_writes_without_end_costs_a_constant() {
    let harness = Harness::new();
    let question = script("head -c 3000000 /dev/zero; head -c 3000000 /dev/zero >&2");
    let answer = harness
        .spawner()
        .run_program(question, LIMIT, pending())
        .await
        .unwrap();
    assert_eq!(answer.stdout.len(), 1 << 20);
    assert_eq!(answer.stderr.len(), 1 << 20);
}

#[tokio::test]
async fn a_program_that_is_not_there_is_named_by_the_shim() {
    let harness = Harness::new();
    let question = Launch {
        program: "/nowhere/engine".into(),
        ..script("")
    };
    let answer = harness
        .spawner()
        .run_program(question, LIMIT, pending())
        .await
        .unwrap();
    assert_eq!(answer.exit, Exit::Code(127));
    let words = String::from_utf8_lossy(&answer.stderr);
    assert!(words.contains("/nowhere/engine"), "{words}");
}
