//! What requests, loads and children are counted as.

use crate::support::{chat, model, stream, three, wait_status};
use paddock_e2e::harness::{Connection, LIMIT, Paddock, post, wait_for, wait_until};
use serde_json::{Value, json};

/// The newest request of a list that has so many.
fn newest(paddock: &Paddock, of: usize) -> Value {
    wait_for(LIMIT, "the requests to be listed", || {
        let answer = paddock.admin_get("/api/requests").json();
        let listed = answer["requests"].as_array()?.clone();
        (listed.len() == of).then(|| listed[0].clone())
    })
}

/// Waits until a line is on the metrics' page.
fn wait_counted(paddock: &Paddock, line: &str) {
    wait_until(LIMIT, line, || {
        let text = paddock.admin_get("/metrics").text();
        text.lines().any(|counted| counted == line)
    });
}

fn tell(paddock: &Paddock, path: &str) -> u16 {
    let answer = Connection::connect(paddock.admin()).ask(post(path, ""));
    answer.status
}

fn assert_refused(row: &Value, status: u16, kind: &str) {
    assert_eq!(
        [&row["status"], &row["outcome"], &row["error"]],
        [&json!(status), &json!("refused"), &json!(kind)],
        "{row}"
    );
    assert_eq!(row["tokens"]["generated"], Value::Null);
}

#[test]
fn who_finds_the_queue_full_or_waits_too_long_is_counted_as_refused() {
    let paddock = three()
        .hold_load()
        .config("scheduler.queue_limit = 1")
        .start();
    let mut queued = Connection::connect(paddock.public());
    queued.send(chat("a"));
    wait_until(LIMIT, "one to wait", || model(&paddock, "a")["queued"] == 1);
    assert_eq!(paddock.ask(chat("a")).status, 429);
    assert_refused(&newest(&paddock, 1), 429, "queue_full");
    let line = r#"paddock_requests_total{model="a",route="chat_completions",status="429",outcome="refused"} 1"#;
    wait_counted(&paddock, line);
    paddock.release_load();
    assert_eq!(queued.answer().status, 200);

    let paddock = three()
        .hold_streams()
        .config("scheduler.queue_timeout = '300ms'")
        .start();
    assert_eq!(tell(&paddock, "/api/models/a/load?wait=true"), 200);
    let mut busy = Connection::connect(paddock.public());
    busy.send(stream("a"));
    assert_eq!(busy.head().status, 200);
    assert_eq!(paddock.ask(chat("b")).status, 503);
    let row = newest(&paddock, 1);
    assert_refused(&row, 503, "queue_timeout");
    assert!(row["queue_seconds"].as_f64() >= Some(0.3), "{row}");
    let line = r#"paddock_requests_total{model="b",route="chat_completions",status="503",outcome="refused"} 1"#;
    wait_counted(&paddock, line);
    paddock.release_streams();
}

#[test]
fn a_child_that_crashes_while_it_serves_is_no_failed_load() {
    let paddock = paddock_e2e::paddock!()
        .engine_args(["--fake-die", "idle-ms:200:exit1"])
        .start();
    wait_status(&paddock, "m", "failed");
    for line in [
        r#"paddock_child_failures_total{model="m",class="crashed"} 6"#,
        r#"paddock_restarts_total{model="m",class="crashed"} 5"#,
        r#"paddock_model_loads_total{model="m",outcome="complete"} 6"#,
    ] {
        wait_counted(&paddock, line);
    }
    let text = paddock.admin_get("/metrics").text();
    assert!(!text.contains(r#"outcome="failed""#), "{text}");
}

#[test]
fn a_model_that_goes_is_counted_once_and_its_next_load_is_no_restart() {
    let paddock = three().start();
    for path in ["load", "unload", "load"] {
        let path = format!("/api/models/a/{path}?wait=true");
        assert_eq!(tell(&paddock, &path), 200);
    }
    assert_eq!(paddock.ask(chat("b")).status, 200);
    for line in [
        r#"paddock_evictions_total{model="a",reason="operator"} 1"#,
        r#"paddock_evictions_total{model="a",reason="room"} 1"#,
        r#"paddock_model_loads_total{model="a",outcome="complete"} 2"#,
    ] {
        wait_counted(&paddock, line);
    }
    let text = paddock.admin_get("/metrics").text();
    assert!(!text.contains("paddock_restarts_total{"), "{text}");
}
