//! Stdout and stdin between the server and a router.

use std::io::Write;

use rustix::process::Signal;
use serde_json::Value;

use super::support::Fake;

fn event(line: &str) -> Value {
    let json = line.strip_prefix("cmd_child_to_router:state:").unwrap();
    serde_json::from_str(json).unwrap()
}

#[test]
fn the_load_is_told_and_then_the_model() {
    let mut fake = Fake::start_for_router(&["--fake-load-ms", "100", "--alias", "name"]);
    let ready = fake.stdout.wait_for("\"ready\"");
    assert_eq!(fake.get("/health").status(), 200);
    assert_eq!(event(&ready)["payload"]["id"], "name");
    assert_eq!(
        fake.stdout.seen[0],
        "cmd_child_to_router:state:{\"state\":\"loading\",\"payload\":\
         {\"stages\":[\"text_model\"],\"current\":\"text_model\",\"value\":0.0}}"
    );
    let loading = &fake.stdout.seen[..fake.stdout.seen.len() - 1];
    let values: Vec<f64> = loading
        .iter()
        .map(|line| event(line)["payload"]["value"].as_f64().unwrap())
        .collect();
    assert_eq!(values, [0.0, 0.25, 0.5, 0.75, 1.0]);
}

#[test]
fn an_end_of_stdin_ends_the_process() {
    let mut fake = Fake::start_for_router(&[]);
    fake.stdout.wait_for("\"ready\"");
    fake.stdin = None;
    assert_eq!(fake.exit_code(), Some(1));
}

#[test]
fn stdin_is_not_looked_at_while_loading() {
    let mut fake = Fake::start_for_router(&["--fake-load-ms", "1500"]);
    fake.stdin = None;
    fake.stdout.wait_for("0.0");
    fake.assert_stays();
    assert_eq!(fake.exit_code(), Some(1));
}

#[test]
fn the_exit_line_ends_it_gracefully() {
    let mut fake = Fake::start_for_router(&[]);
    fake.stdout.wait_for("\"ready\"");
    let stdin = fake.stdin.as_mut().unwrap();
    stdin.write_all(b"cmd_router_to_child:exit\n").unwrap();
    assert_eq!(fake.exit_code(), Some(0));
}

#[test]
fn a_signal_alone_does_not_end_what_a_router_started() {
    let mut fake = Fake::start_for_router(&[]);
    fake.stdout.wait_for("\"ready\"");
    fake.signal(Signal::TERM);
    fake.stderr.wait_for("cleaning up before exit...");
    fake.assert_stays();
    let stdin = fake.stdin.as_mut().unwrap();
    stdin.write_all(b"cmd_router_to_child:exit\n").unwrap();
    assert_eq!(fake.exit_code(), Some(0));
}

#[test]
fn there_are_no_events_unless_they_are_wanted() {
    for mut fake in [
        Fake::start(&[]),
        Fake::start_for_router(&["--fake-no-event"]),
    ] {
        fake.stderr.wait_for("listening on");
        fake.stdin = None;
        fake.assert_stays();
        fake.signal(Signal::TERM);
        assert_eq!(fake.exit_code(), Some(0));
        assert_eq!(fake.stdout.all(), "");
    }
}
