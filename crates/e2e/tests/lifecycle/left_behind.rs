//! What a paddock leaves behind that is cut off, the next one removes.

use std::fs;

use paddock_e2e::harness::{LIMIT, Paddock, Pid, Signal, processes_with_argument, wait_until};
use paddock_e2e::paddock;

/// A wrapper of the engine that starts a helper of its own, which nothing ties to paddock's life.
fn with_a_helper(
    builder: paddock_e2e::harness::PaddockBuilder,
) -> paddock_e2e::harness::PaddockBuilder {
    let engine = builder.engine_path().display().to_string();
    let script = format!(
        "case \"$1\" in --help|--list-devices) exec '{engine}' \"$@\";; esac\n\
         setsid sleep 1000 </dev/null >/dev/null 2>&1 &\necho $! >helper\nexec '{engine}' \"$@\""
    );
    let path = builder.script("wrapper", &script);
    // It writes beside itself, and runs what lies elsewhere.
    builder.engine(path).config("engine.sandbox = 'off'")
}

fn watcher(paddock: &Paddock) -> Pid {
    let processes = processes_with_argument("__exec watch").into_iter();
    let parent = |pid: Pid| {
        let stat = fs::read_to_string(format!("/proc/{}/stat", pid.number())).ok()?;
        let fields = stat.rsplit(") ").next()?;
        fields.split(' ').nth(1)?.parse::<u32>().ok()
    };
    let mut watchers = processes.filter(|(pid, _)| parent(*pid) == Some(paddock.id()));
    watchers.next().expect("a watcher").0
}

#[test]
fn the_next_start_ends_stray_processes_and_removes_the_directory() {
    let mut first = with_a_helper(paddock!()).start();
    first.wait_ready();
    let helper = fs::read_to_string(first.directory().join("helper")).unwrap();
    let helper = Pid::find(helper.trim().parse().unwrap()).expect("a helper");
    // What would clean up after paddock is killed with it, as by the end of a cgroup.
    watcher(&first).signal(Signal::KILL);
    first.kill9();
    assert!(helper.is_alive(), "nothing ties it to paddock");
    assert_eq!(first.runtime_directories().len(), 1);

    // The same state, and the same place for runtime directories.
    let second = paddock!()
        .config(&format!(
            "server.state_dir = {:?}\nserver.runtime_dir = {:?}",
            first.directory().join("state"),
            first.directory()
        ))
        .start();
    assert!(!helper.is_alive(), "the stray process lives on");
    second
        .stderr()
        .wait_for(LIMIT, "removed leftovers of an earlier paddock");
    assert_eq!(first.runtime_directories().len(), 1, "its own is left");
}

#[test]
fn a_paddock_that_lives_loses_nothing_to_another_one() {
    let first = with_a_helper(paddock!()).start();
    first.wait_ready();
    let helper = fs::read_to_string(first.directory().join("helper")).unwrap();
    let helper = Pid::find(helper.trim().parse().unwrap()).expect("a helper");
    let second = paddock!()
        .config(&format!("server.runtime_dir = {:?}", first.directory()))
        .start();
    second.wait_ready();
    assert!(helper.is_alive());
    assert_eq!(first.get("/health").status, 200);
    helper.signal(Signal::KILL);
    wait_until(LIMIT, "its end", || !helper.is_alive());
}

#[test]
fn a_second_paddock_on_one_state_directory_says_so() {
    let first = paddock!().start();
    first.wait_ready();
    let state = first.directory().join("state").display().to_string();
    let second = paddock!()
        .config(&format!("server.state_dir = {state:?}"))
        .run_serve();
    assert_eq!(second.code, Some(64), "{second:?}");
    assert!(
        second.stderr.contains("another paddock (process "),
        "{}",
        second.stderr
    );
    assert!(second.stderr.contains(&state), "{}", second.stderr);
    assert_eq!(first.get("/health").status, 200);
}
