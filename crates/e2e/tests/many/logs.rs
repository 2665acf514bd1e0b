//! What a model's children write: kept, followed, and not all repeated in paddock's own log.

use crate::support::{three, wait_status};
use paddock_e2e::harness::{
    Connection, LIMIT, Paddock, WATCH_TIME, get, post, wait_for, wait_until,
};
use rustix::process::Signal;
use serde_json::Value;

fn order(paddock: &Paddock, path: &str) {
    let answer = Connection::connect(paddock.admin()).ask(post(path, ""));
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// Begins to follow, and returns once the answer has begun.
fn follow(paddock: &Paddock, path: &str) -> Connection {
    let mut follower = Connection::connect(paddock.admin());
    follower.send(get(path));
    let head = follower.head();
    assert_eq!(
        (head.status, head.field("content-type")),
        (200, Some("application/x-ndjson"))
    );
    follower
}

/// Reads objects until one has these words.
fn until(follower: &mut Connection, text: &mut String, words: &str) -> Vec<Value> {
    while !text.contains(words) || !text.ends_with('\n') {
        let piece = follower.piece().expect("more lines");
        text.push_str(&String::from_utf8(piece).expect("text"));
    }
    let read = std::mem::take(text);
    let objects = read
        .lines()
        .map(|line| serde_json::from_str(line).expect("an object"));
    objects.collect()
}

/// How many lines have these words.
fn count(objects: &[Value], words: &str) -> usize {
    let lines = objects.iter().filter_map(|object| object["line"].as_str());
    lines.filter(|line| line.contains(words)).count()
}

#[test]
fn who_follows_a_model_goes_on_over_its_end_and_its_next_load() {
    let mut paddock = three().start();
    let mut follower = follow(&paddock, "/api/models/a/logs?follow=true");
    let mut text = String::new();
    for _ in 0..2 {
        order(&paddock, "/api/models/a/load?wait=true");
        let lines = until(&mut follower, &mut text, "model loaded");
        assert_eq!(count(&lines, "initializing ..."), 1, "{lines:?}");
        order(&paddock, "/api/models/a/unload?wait=true");
        until(&mut follower, &mut text, "cleaning up before exit");
    }
    let kept = paddock.admin_get("/api/models/a/logs?n=1000").text();
    assert_eq!(kept.matches("model loaded").count(), 2, "{kept}");
    let last = paddock.admin_get("/api/models/a/logs?n=1").json();
    assert_eq!(last["lines"].as_array().map(Vec::len), Some(1));
    // One that has asked for no line of before gets those that come.
    let mut late = follow(&paddock, "/api/models/a/logs?follow=true&n=0");
    order(&paddock, "/api/models/a/load?wait=true");
    let lines = until(&mut late, &mut String::new(), "model loaded");
    assert_eq!(count(&lines, "initializing ..."), 1, "{lines:?}");
    assert!(paddock.stop(Signal::TERM).success());
    for mut follower in [follower, late] {
        while follower.try_piece().expect("a clean end").is_some() {}
    }
}

#[test]
fn who_follows_a_model_that_is_configured_no_more_sees_its_last_words() {
    let builder = three();
    let text = builder.config_text();
    let paddock = builder.start();
    order(&paddock, "/api/models/b/load?wait=true");
    let mut follower = follow(&paddock, "/api/models/b/logs?follow=true&n=0");
    let kept = text.lines().filter(|line| !line.starts_with("models.b"));
    let kept: Vec<String> = kept.map(|line| format!("{line}\n")).collect();
    std::fs::write(paddock.directory().join("paddock.toml"), kept.concat()).unwrap();
    order(&paddock, "/api/reload");
    until(&mut follower, &mut String::new(), "cleaning up before exit");
    while follower.piece().is_some() {}
}

#[test]
fn what_cannot_be_read_of_a_query_is_refused() {
    let paddock = three().start();
    for (query, right) in [
        ("n=ten", "`n` must be a number from 0 to 1000, not `ten`"),
        ("n=1001", "`n` must be a number from 0 to 1000, not `1001`"),
        (
            "follow=maybe",
            "`follow` must be true or false, not `maybe`",
        ),
    ] {
        let answer = paddock.admin_get(&format!("/api/models/a/logs?{query}"));
        let error = answer.json()["error"].clone();
        assert_eq!(
            (answer.status, &error["code"]),
            (400, &"bad_request".into())
        );
        assert_eq!(error["message"], right);
        assert!(
            answer
                .field("server")
                .is_some_and(|name| name.starts_with("paddock/"))
        );
    }
    assert_eq!(
        paddock.admin_get("/api/models/x/logs?follow=true").status,
        404
    );
}

#[test]
fn a_flood_costs_a_constant() {
    let paddock = three().start();
    order(&paddock, "/api/models/a/load?wait=true");
    wait_status(&paddock, "a", "ready");
    // This one does not read, and what it does not read is not kept for it.
    let mut slow = follow(&paddock, "/api/models/a/logs?follow=true&n=0");
    let written = paddock.get("/upstream/a/__fake/flood/0.5").json();
    let count = written["lines"].as_u64().expect("a number of lines");
    let last = format!("poured line {count:>12}");
    wait_until(LIMIT, "the last line to be kept", || {
        paddock
            .admin_get("/api/models/a/logs?n=1")
            .text()
            .contains(&last)
    });
    let objects = until(&mut slow, &mut String::new(), &last);
    let lines = objects
        .iter()
        .filter(|object| object["line"].is_string())
        .count() as u64;
    let missed = objects
        .iter()
        .filter_map(|object| object["missed"].as_u64())
        .sum::<u64>();
    assert_eq!(lines + missed, count, "each line is there or counted");

    let repeated = || {
        let lines = paddock.stderr().all();
        let said = lines
            .iter()
            .filter(|line| line.contains("poured line"))
            .count() as u64;
        let events = lines
            .iter()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let held: u64 = events.filter_map(|event| event["held"].as_u64()).sum();
        (said, held)
    };
    let (said, _) = wait_for(LIMIT, "the rest to be told of", || {
        let (said, held) = repeated();
        (said + held == count).then_some((said, held))
    });
    assert!(said <= 400, "{said}");
    let told = paddock.stderr().wait_for(WATCH_TIME, "lines suppressed;");
    assert!(
        told.contains("`paddock logs a` shows the last 1000"),
        "{told}"
    );
}
