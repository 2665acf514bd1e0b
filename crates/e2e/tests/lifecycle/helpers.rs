//! Helpers that a start script leaves in sessions of their own end with their model.

use std::fs;

use paddock_e2e::harness::{LIMIT, Paddock, PaddockBuilder, Pid, Signal, post, wait_until};
use paddock_e2e::paddock;

/// An engine that is started by a script with these lines.
fn started_by(builder: PaddockBuilder, lines: &str) -> PaddockBuilder {
    let engine = builder.engine_path().display().to_string();
    let script = format!(
        "case \"$1\" in --help|--list-devices) exec '{engine}' \"$@\";; esac\n{lines}\nexec '{engine}' \"$@\""
    );
    let path = builder.script("wrapper", &script);
    // It writes beside itself, and runs what lies elsewhere.
    builder.engine(path).config("engine.sandbox = 'off'")
}

/// Starts a helper as a command does, and notes its number.
fn leaving(command: &str) -> PaddockBuilder {
    let lines = format!("({command} </dev/null >/dev/null 2>&1 & echo $! >>helpers)");
    started_by(paddock!(), &lines)
}

/// The helpers that live.
fn helpers(paddock: &Paddock) -> Vec<Pid> {
    let numbers = fs::read_to_string(paddock.directory().join("helpers")).unwrap_or_default();
    let numbers = numbers.lines().filter_map(|line| line.parse().ok());
    numbers.filter_map(Pid::find).collect()
}

fn unload(paddock: &Paddock) {
    use paddock_e2e::harness::Connection;
    let unload = post("/api/models/m/unload?wait=true", "");
    assert_eq!(Connection::connect(paddock.admin()).ask(unload).status, 200);
}

/// Processes of which paddock is the parent, zombies included.
fn children(paddock: &Paddock) -> Vec<String> {
    let tasks = fs::read_dir(format!("/proc/{}/task", paddock.id())).unwrap();
    let lists = tasks
        .flatten()
        .map(|task| fs::read_to_string(task.path().join("children")));
    let lists: Vec<String> = lists.flatten().collect();
    let numbers = lists.iter().flat_map(|list| list.split_whitespace());
    let describe = |number: &str| {
        let line = fs::read_to_string(format!("/proc/{number}/stat")).unwrap_or_default();
        let command = fs::read_to_string(format!("/proc/{number}/cmdline")).unwrap_or_default();
        format!("{line} {}", command.replace('\0', " "))
    };
    numbers
        .map(describe)
        .filter(|line| !line.contains("__exec watch"))
        .collect()
}

#[test]
fn an_unload_ends_them_and_leaves_no_zombie() {
    // The second has neither its line of parents nor its environment, the third ends by itself.
    for command in [
        "setsid sleep 1000",
        "env -i setsid sleep 1000",
        "setsid true",
    ] {
        let paddock = leaving(command).start();
        for _ in 0..3 {
            paddock.post("/completion", r#"{"prompt":"a"}"#);
            unload(&paddock);
            assert!(helpers(&paddock).is_empty(), "{command}");
        }
        wait_until(LIMIT, "no child, not even a zombie", || {
            let left = children(&paddock);
            left.is_empty() || {
                // Shown where the limit is reached.
                eprintln!("{command}: {left:?}");
                false
            }
        });
    }
}

#[test]
fn one_that_descends_from_a_child_ends_with_it_while_another_model_lives() {
    // Without its environment, and while another model's helper could have left it.
    let builder = started_by(
        paddock!(),
        "env -i setsid sleep 1000 </dev/null >/dev/null 2>&1 &\necho $! >>helpers",
    );
    let path = builder.model_path().display().to_string();
    let paddock = builder
        .config(&format!("models.other.path = {path:?}"))
        .start();
    let chat = |model| {
        paddock.post(
            "/v1/completions",
            &format!(r#"{{"model":"{model}","prompt":"a"}}"#),
        )
    };
    assert_eq!(chat("m").status, 200);
    assert_eq!(chat("other").status, 200);
    assert_eq!(helpers(&paddock).len(), 2);
    unload(&paddock);
    assert_eq!(helpers(&paddock).len(), 1, "the other model's lives on");
    assert_eq!(chat("other").status, 200);
}

#[test]
fn a_stop_of_paddock_ends_them() {
    let mut paddock = leaving("setsid sleep 1000").start();
    paddock.wait_ready();
    let helpers = helpers(&paddock);
    assert_eq!(helpers.len(), 1);
    assert_eq!(paddock.stop(Signal::TERM).code(), Some(0));
    assert!(!helpers[0].is_alive());
}

#[test]
fn a_crash_of_the_child_ends_them() {
    let paddock = leaving("setsid sleep 1000").start();
    paddock.wait_ready();
    let first = helpers(&paddock);
    paddock.child().signal(Signal::KILL);
    wait_until(LIMIT, "the end of the first helper", || {
        !first[0].is_alive()
    });
    paddock.wait_ready();
}

#[test]
fn a_killed_paddock_is_outlived_by_its_watcher_which_ends_them() {
    let mut paddock = leaving("setsid sleep 1000").start();
    paddock.wait_ready();
    let helpers = helpers(&paddock);
    assert_eq!(helpers.len(), 1);
    paddock.kill9();
    wait_until(LIMIT, "the end of the helper", || !helpers[0].is_alive());
}
