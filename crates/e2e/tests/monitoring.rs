//! What is shipped for Prometheus and Grafana fits what paddock tells.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use paddock_e2e::harness::{LIMIT, wait_until};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dist/monitoring")
}

fn read(name: &str) -> String {
    fs::read_to_string(shipped().join(name)).unwrap()
}

fn promtool(words: &[&str]) {
    let mut command = Command::new("promtool");
    command.args(words).current_dir(shipped());
    let said = command.output();
    let said = said.expect("promtool, which scripts/test installs with prometheus");
    let out = String::from_utf8_lossy(&said.stdout);
    let err = String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success(), "{words:?}: {out}{err}");
}

#[test]
fn prometheus_accepts_the_rules_and_they_fire_when_they_should() {
    promtool(&["check", "rules", "--lint-fatal", "paddock.rules.yml"]);
    promtool(&["test", "rules", "paddock.test.yml"]);
}

/// The metrics that a text names, without what Prometheus adds to a histogram's name.
fn named(text: &str) -> BTreeSet<String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = text.split(|c| !is_name(c));
    let words = words.filter(|word| word.starts_with("paddock_"));
    words
        .map(|word| word.trim_end_matches("_bucket").to_owned())
        .collect()
}

/// The queries of a Grafana dashboard.
fn queries(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(text) if name == "expr" => found.push(text.clone()),
                    other => queries(other, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| queries(item, found)),
        _ => {}
    }
}

#[test]
fn every_metric_that_is_asked_for_is_there() {
    let paddock = paddock_e2e::paddock!().start();
    assert_eq!(paddock.get("/v1/models").status, 200);
    let text = paddock.admin_get("/metrics").text();
    let families = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let there: BTreeSet<String> = families
        .filter_map(|line| line.split(' ').next())
        .map(str::to_owned)
        .collect();
    let board: Value = serde_json::from_str(&read("grafana.json")).unwrap();
    let mut asked = Vec::new();
    queries(&board, &mut asked);
    assert!(asked.len() > 10, "{asked:#?}");
    // The words of an alert name no metrics of their own.
    let wanted = named(&(asked.join("\n") + &read("paddock.rules.yml")));
    let missing: Vec<&String> = wanted.difference(&there).collect();
    assert!(missing.is_empty(), "{missing:?} of {there:?}");
}

#[test]
fn promtool_accepts_what_paddock_tells() {
    let paddock = paddock_e2e::paddock!().start();
    let chat = r#"{"model":"m","messages":[]}"#;
    assert_eq!(paddock.post("/v1/chat/completions", chat).status, 200);
    wait_until(LIMIT, "the chat to be counted", || {
        let text = paddock.admin_get("/metrics").text();
        text.contains("paddock_request_duration_seconds_count{model=\"m\"} 1")
    });
    let file = paddock.directory().join("metrics");
    fs::write(&file, paddock.admin_get("/metrics").text()).unwrap();
    let mut command = Command::new("promtool");
    command.args(["check", "metrics"]);
    command.stdin(fs::File::open(file).unwrap());
    let said = command.output().unwrap();
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    // 3: it reads all of it, and has something to say of names. The engine's own have colons.
    let (own, engines): (Vec<&str>, Vec<&str>) = said
        .lines()
        .partition(|line| !line.starts_with("llamacpp:"));
    assert!(own.is_empty(), "{own:#?}");
    assert!(!engines.is_empty(), "the engine's own are not there");
    let only_names = engines
        .iter()
        .all(|line| line.ends_with("metric names should not contain ':'"));
    assert!(only_names, "{engines:#?}");
}
