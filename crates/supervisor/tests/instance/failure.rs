//! Failures of a child, and their classes.

use std::{fs, os::unix::fs::PermissionsExt as _, time::Duration};

use paddock_supervisor::{
    ChildPhase, Exit, Failure, FailureClass, InstanceSpec, KernelCounter, OomCounters, OomGroup,
    State,
};

use crate::harness::{Harness, LIMIT, NEVER, alive, eventually, first_failure, pid_in, stop};

async fn failure_of(harness: &Harness, spec: InstanceSpec) -> (Failure, State) {
    let instance = harness.start(spec);
    let failure = first_failure(&instance).await;
    let state = instance.watch().borrow().clone();
    stop(&instance).await;
    assert_eq!(harness.directories(), 0);
    (failure, state)
}

#[tokio::test]
async fn an_exit_while_loading_is_classed_and_has_the_last_words() {
    let harness = Harness::new();
    let script = "for i in $(seq 40); do echo line $i; done; \
                  echo \"gguf_init_from_file: failed to open GGUF file 'm.gguf'\" >&2; exit 1";
    let (failure, state) = failure_of(&harness, harness.script(script)).await;
    assert_eq!(
        (failure.class, failure.phase),
        (FailureClass::BadFile, ChildPhase::Starting)
    );
    assert_eq!(failure.exit, Some(Exit::Code(1)));
    assert!(
        failure
            .message
            .contains("failed to open GGUF file 'm.gguf'"),
        "{failure}"
    );
    assert_eq!(failure.log_tail.len(), 20);
    assert!(
        failure.log_tail.iter().any(|line| line.contains("m.gguf")),
        "{:?}",
        failure.log_tail
    );
    assert!(
        matches!(state, State::Failed { retry_at: None, .. }),
        "not tried again: {state:?}"
    );
}

#[tokio::test]
async fn a_missing_binary_is_told_by_the_shim() {
    let harness = Harness::new();
    let (failure, state) = failure_of(
        &harness,
        harness.spec("/proc/nonexistent/llama-server", &[]),
    )
    .await;
    assert_eq!(failure.class, FailureClass::MissingBinary);
    assert!(
        failure.message.contains("/proc/nonexistent/llama-server"),
        "{failure}"
    );
    assert!(
        matches!(state, State::Failed { retry_at: None, .. }),
        "{state:?}"
    );
}

#[tokio::test]
async fn a_file_that_is_no_program_is_told_by_the_shim() {
    let harness = Harness::new();
    let file = harness.file("notes.txt");
    fs::write(&file, "not a program").unwrap();
    let (failure, _) = failure_of(&harness, harness.spec(&file, &[])).await;
    assert_eq!(failure.class, FailureClass::NotExecutable, "{failure}");

    fs::write(&file, "#!/proc/nonexistent/interpreter\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o700)).unwrap();
    let (failure, _) = failure_of(&harness, harness.spec(&file, &[])).await;
    assert_eq!(failure.class, FailureClass::NotExecutable, "{failure}");
    assert!(failure.message.contains("interpreter"), "{failure}");
}

#[tokio::test]
async fn an_exit_nobody_asked_for_is_a_crash_also_with_code_0() {
    let harness = Harness::new();
    let (failure, state) = failure_of(&harness, harness.script("exit 0")).await;
    assert_eq!(failure.class, FailureClass::Crashed);
    assert!(failure.message.contains("exited unexpectedly"), "{failure}");
    assert!(
        matches!(state, State::Backoff { .. } | State::Starting { .. }),
        "{state:?}"
    );
}

#[tokio::test]
async fn a_child_that_exits_right_after_it_was_ready_has_crashed() {
    let harness = Harness::new();
    let event = r#"cmd_child_to_router:state:{"state":"ready","payload":{}}"#;
    let script = format!("echo '{event}'; exit 1");
    let (failure, _) = failure_of(&harness, harness.script(&script)).await;
    assert_eq!(
        (failure.class, failure.phase),
        (FailureClass::Crashed, ChildPhase::Ready)
    );
}

#[tokio::test]
async fn a_signal_is_seen() {
    let harness = Harness::new();
    let (failure, _) = failure_of(&harness, harness.script("kill -ILL $$")).await;
    assert_eq!(
        (failure.class, failure.exit),
        (FailureClass::IllegalInstruction, Some(Exit::Signal(4)))
    );
}

#[tokio::test]
async fn a_kill_for_want_of_memory_is_known_by_the_kernels_count() {
    for (counts, class, says) in [
        (
            "max 4\noom 1\noom_kill 1",
            FailureClass::OutOfMemory,
            "the 64 MiB of its cgroup",
        ),
        (
            "max 0\noom 0\noom_kill 1",
            FailureClass::OutOfMemory,
            "the system's memory",
        ),
        (
            "max 4\noom 0\noom_kill 0",
            FailureClass::Killed,
            "another process sent SIGKILL",
        ),
    ] {
        let harness = Harness::new();
        let (events, limit) = (harness.file("memory.events"), harness.file("memory.max"));
        fs::write(&events, "max 0\noom 0\noom_kill 0\n").unwrap();
        fs::write(&limit, "67108864\n").unwrap();
        let mut spec = harness.script("printf \"$1\" > \"$2\"; kill -KILL $$");
        spec.args.extend([counts.into(), events.clone().into()]);
        let counter = |name| KernelCounter {
            file: events.clone().into(),
            name: Some(name),
        };
        spec.oom = OomCounters {
            groups: vec![OomGroup {
                kills: counter("oom_kill"),
                hits: counter("oom"),
                limit: limit.into(),
            }],
            machine: None,
        };
        let (failure, _) = failure_of(&harness, spec).await;
        assert_eq!(failure.class, class, "{failure}");
        assert!(failure.message.contains(says), "{failure}");
    }
}

#[tokio::test]
async fn a_child_that_falls_silent_is_killed_with_its_group() {
    let harness = Harness::new();
    let (file, mut spec) = (harness.file("pid"), harness.child(&[]));
    spec.args.extend(
        [
            "--deaf",
            "--gate",
            "/proc/nonexistent",
            "--grandchild",
            &file,
        ]
        .map(Into::into),
    );
    spec.startup_timeout = Duration::from_millis(700);
    spec.restart.first_delay = NEVER;
    spec.restart.max_delay = NEVER;
    let instance = harness.start(spec);
    let grandchild = pid_in(&file).await;
    let failure = first_failure(&instance).await;
    assert_eq!(
        (failure.class, failure.exit),
        (FailureClass::StartupTimeout, None)
    );
    assert!(failure.message.contains("\"loading\""), "{failure}");
    assert!(!alive(grandchild));
    stop(&instance).await;
}

#[tokio::test]
async fn a_child_that_answers_503_for_ever_is_killed() {
    let harness = Harness::new();
    let mut spec = harness.child(&["--busy"]);
    spec.ready_event = false;
    spec.startup_timeout = Duration::from_millis(500);
    // The log of each probe would count as progress.
    spec.args.splice(
        0..0,
        ["-c", "exec \"$@\" 2>/dev/null", "sh", "/usr/bin/python3"].map(Into::into),
    );
    spec.program = "/bin/sh".into();
    let instance = harness.start(spec);
    assert_eq!(
        first_failure(&instance).await.class,
        FailureClass::StartupTimeout
    );
    stop(&instance).await;
}

#[tokio::test]
async fn a_runtime_directory_too_long_for_a_socket_is_told() {
    let harness = Harness::new();
    let mut spec = harness.child(&[]);
    spec.runtime_dir = format!("/tmp/{}", "d".repeat(120)).into();
    let (failure, _) = failure_of(&harness, spec).await;
    assert_eq!(
        (failure.class, failure.phase),
        (FailureClass::BadFlag, ChildPhase::Spawn)
    );
}

#[tokio::test]
async fn leftovers_of_a_crashed_child_are_killed() {
    let harness = Harness::new();
    let file = harness.file("pid");
    let mut spec =
        harness.script("sleep 1000 & echo $! > \"$1.new\"; mv \"$1.new\" \"$1\"; kill -SEGV $$");
    spec.args.push(file.clone().into());
    spec.restart.first_delay = NEVER;
    spec.restart.max_delay = NEVER;
    let instance = harness.start(spec);
    let failure = first_failure(&instance).await;
    assert_eq!(failure.class, FailureClass::Crashed);
    assert!(!alive(pid_in(&file).await));
    stop(&instance).await;
}

#[tokio::test]
async fn a_pipe_held_open_from_outside_the_group_holds_nothing_up() {
    let harness = Harness::new();
    let file = harness.file("pid");
    let script = "setsid sh -c 'echo $$ > \"$1.new\"; mv \"$1.new\" \"$1\"; exec sleep 1000' sh \"$1\" & \
                  while ! test -e \"$1\"; do :; done; echo last words; exit 7";
    let mut spec = harness.script(script);
    spec.args.push(file.clone().into());
    spec.restart.first_delay = NEVER;
    spec.restart.max_delay = NEVER;
    let instance = harness.start(spec);
    let failure = first_failure(&instance).await;
    let escaped = pid_in(&file).await;
    let gone = || !alive(escaped);
    assert!(eventually(LIMIT, gone).await, "known by its environment");
    assert_eq!(failure.log_tail, ["last words"]);
    stop(&instance).await;
}
