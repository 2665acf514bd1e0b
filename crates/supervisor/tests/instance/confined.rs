//! Start scripts in a sandbox.

#![cfg(target_os = "linux")]

use std::future::pending;

use paddock_supervisor::{Exit, Launch, ProgramOutput, Sandbox};

use crate::harness::{Harness, LIMIT};

/// Runs a shell script in the strictest sandbox.
async fn run(text: &str) -> ProgramOutput {
    let launch = Launch {
        sandbox: Some(Sandbox {
            files: Some(Vec::new()),
            ..Sandbox::default()
        }),
        program: "/bin/sh".into(),
        args: ["-c", text, "script"].map(Into::into).into(),
        env: vec![("PATH".into(), "/usr/bin:/bin".into())],
    };
    let harness = Harness::new();
    harness
        .spawner()
        .run_program(launch, LIMIT, pending())
        .await
        .unwrap()
}

#[tokio::test]
async fn a_start_script_sets_its_own_limits_priorities_and_processors() {
    let script = "
        set -e
        prlimit --pid $$ --nofile=100
        renice -n 1 -p $$
        ionice -c 3 -p $$
        chrt --batch -p 0 $$
        taskset -p $(taskset -p $$ | sed 's/.*: //') $$
        ulimit -n 90
        nice -n 1 ionice -c 2 chrt --batch 0 prlimit --nofile=80 true";
    let answer = run(script).await;
    assert_eq!(answer.exit, Exit::Code(0), "{answer:?}");
}

#[tokio::test]
async fn a_start_script_sets_none_of_its_parents() {
    let attempts = [
        "prlimit --pid $PPID --nofile=100",
        "renice -n 1 -p $PPID",
        "ionice -c 3 -p $PPID",
        "chrt --batch -p 0 $PPID",
        "taskset -p 1 $PPID",
    ];
    for attempt in attempts {
        let answer = run(attempt).await;
        assert_eq!(answer.exit, Exit::Code(1), "{attempt}: {answer:?}");
        let said = String::from_utf8_lossy(&answer.stderr);
        assert!(said.contains("not permitted"), "{said}");
    }
}
