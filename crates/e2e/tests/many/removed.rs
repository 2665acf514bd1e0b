//! Models that a reload removes, and adds again.

use crate::support::{chat, model, three};
use paddock_e2e::harness::{Connection, LIMIT, Paddock, post, wait_until};
use std::fs;

/// A configuration without the model `a`.
fn without_a(text: &str) -> String {
    let others = text.lines().filter(|line| !line.starts_with("models.a."));
    others.collect::<Vec<_>>().join("\n")
}

fn reload(paddock: &Paddock, text: &str) {
    fs::write(paddock.directory().join("paddock.toml"), text).expect("a configuration");
    let answer = Connection::connect(paddock.admin()).ask(post("/api/reload", ""));
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[test]
fn counters_of_a_model_go_on_when_it_is_added_again() {
    let builder = three();
    let text = builder.config_text();
    let paddock = builder.start();
    let lines = [
        r#"paddock_model_loads_total{model="a",outcome="complete"}"#,
        r#"paddock_requests_total{model="a",route="chat_completions",status="200",outcome="complete"}"#,
    ];
    for round in 1..=3 {
        assert_eq!(paddock.ask(chat("a")).status, 200);
        wait_until(LIMIT, "both counters to go on", || {
            let page = paddock.admin_get("/metrics").text();
            let has = |line: &&str| page.contains(&format!("{line} {round}\n"));
            lines.iter().all(has)
        });
        reload(&paddock, &without_a(&text));
        reload(&paddock, &text);
    }
}

#[test]
fn who_waits_for_a_removed_model_is_told_of_the_others() {
    let builder = three().hold_load();
    let text = builder.config_text();
    let paddock = builder.start();
    let mut waiting = Connection::connect(paddock.public());
    waiting.send(chat("a"));
    wait_until(LIMIT, "one to wait", || model(&paddock, "a")["queued"] == 1);
    reload(&paddock, &without_a(&text));
    let answer = waiting.answer();
    assert_eq!(
        (answer.status, answer.error_code()),
        (404, "unknown_model".into())
    );
    let message = answer.text();
    assert!(
        message.contains("m, b") && !message.contains("a, "),
        "{message}"
    );
    paddock.release_load();
}
