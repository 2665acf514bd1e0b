//! What is kept of requests and of models' lives outlives paddock, and costs no request anything.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use paddock_e2e::harness::{
    Connection as Client, LIMIT, Paddock, PaddockBuilder, Signal, now, post, wait_for, wait_until,
};
use rusqlite::Connection;
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::Value;

use crate::support::{chat, dropped, three};

/// What a SIGKILL may cost.
const LOST: Duration = Duration::from_secs(1);

/// A paddock that keeps its state in a directory of the test's.
fn keeping(state: &Path) -> PaddockBuilder {
    paddock_e2e::paddock!().config(&format!("server.state_dir = {:?}", state.display()))
}

/// A chat that brings its id.
fn named(id: &str) -> String {
    chat("m").replacen("\r\n\r\n", &format!("\r\nX-Request-Id: {id}\r\n\r\n"), 1)
}

/// Every request that is listed, newest first.
fn listed(paddock: &Paddock) -> Vec<Value> {
    let mut all = Vec::<Value>::new();
    loop {
        let before = all
            .last()
            .map_or(String::new(), |last| format!("&before={}", last["seq"]));
        let page = paddock.admin_get(&format!("/api/requests?limit=1000{before}"));
        let page = page.json()["requests"].as_array().cloned().expect("a page");
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

fn ids(paddock: &Paddock) -> BTreeSet<String> {
    let id = |row: &Value| row["id"].as_str().expect("an id").to_owned();
    listed(paddock).iter().map(id).collect()
}

fn events(paddock: &Paddock) -> Vec<(String, String, Option<String>)> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let page = paddock.admin_get("/api/lifecycle?limit=1000").json();
    let mut events: Vec<_> = page["events"]
        .as_array()
        .expect("events")
        .iter()
        .map(|event| {
            let told = text(&event["message"]).expect("a message");
            assert!(!told.is_empty());
            (
                text(&event["model"]).unwrap_or_default(),
                text(&event["event"]).expect("an event"),
                text(&event["reason"]),
            )
        })
        .collect();
    events.reverse();
    events
}

#[test]
fn requests_and_lives_are_listed_after_a_restart() {
    let state = tempfile::tempdir().expect("a directory");
    let mut first = keeping(state.path()).start();
    // On one connection, so that one worker hands them over in their order.
    let mut client = first.connect();
    for id in ["one", "two"] {
        assert_eq!(client.ask(named(id)).status, 200);
    }
    drop(client);
    assert_eq!(first.stop(Signal::TERM).code(), Some(0));
    let second = keeping(state.path()).start();
    assert_eq!(second.ask(named("three")).status, 200);
    let rows = wait_for(LIMIT, "three rows", || {
        let rows = listed(&second);
        (rows.len() == 3).then_some(rows)
    });
    let seen: Vec<_> = rows.iter().map(|row| (&row["id"], &row["seq"])).collect();
    let expected = [("three", 3), ("two", 2), ("one", 1)].map(|(id, seq)| (id.into(), seq.into()));
    assert_eq!(
        seen,
        expected
            .each_ref()
            .map(|(id, seq): &(Value, Value)| (id, seq))
    );
    let of = |text: &str| {
        events(&second)
            .iter()
            .filter(|event| event.1 == text)
            .count()
    };
    assert_eq!((of("load_started"), of("ready")), (2, 2));
}

#[test]
fn paddocks_own_starts_and_ends_are_told() {
    let state = tempfile::tempdir().expect("a directory");
    let own = |paddock: &Paddock| {
        let told: Vec<_> = events(paddock)
            .into_iter()
            .filter(|(model, ..)| model.is_empty())
            .map(|(_, event, reason)| (event, reason))
            .collect();
        let asked = paddock.admin_get("/api/lifecycle?model=").json();
        assert_eq!(asked["events"].as_array().map(Vec::len), Some(told.len()));
        told
    };
    let event = |event: &str, reason: Option<&str>| (event.to_owned(), reason.map(str::to_owned));
    let mut expected = vec![event("started", None)];

    let mut first = keeping(state.path()).start();
    assert_eq!(own(&first), expected);
    let message = first.admin_get("/api/lifecycle?model=").json()["events"][0]["message"].clone();
    assert_eq!(message, "paddock 0.1.0 started");
    assert_eq!(first.stop(Signal::TERM).code(), Some(0));
    expected.extend([event("stopped", Some("signal")), event("started", None)]);

    let mut second = keeping(state.path()).start();
    assert_eq!(own(&second), expected);
    // It is written down within a second.
    let file = Connection::open(state.path().join("activity.sqlite")).expect("a file");
    let starts =
        "SELECT count(*) FROM events JOIN words ON words.id = event WHERE word = 'started'";
    let count = || file.query_row(starts, [], |row| row.get::<_, i64>(0));
    wait_until(LIMIT, "the start to be in the file", || {
        count().ok() == Some(2)
    });
    second.kill9();
    expected.push(event("started", Some("cut_off")));

    let mut third = keeping(state.path()).start();
    assert_eq!(own(&third), expected);
    // The answer may be lost with it.
    let _ = Client::connect(third.admin()).try_ask(post("/api/panic/runtime", ""));
    assert_eq!(third.wait_exit(LIMIT).code(), Some(1));
    expected.extend([event("stopped", Some("panic")), event("started", None)]);
    assert_eq!(own(&keeping(state.path()).start()), expected);
}

#[test]
fn what_becomes_of_models_is_told_with_reasons() {
    let paddock = three().start();
    for model in ["a", "b"] {
        assert_eq!(paddock.ask(chat(model)).status, 200);
    }
    let expected = [
        ("", "started", None),
        ("a", "load_started", None),
        ("a", "ready", None),
        ("a", "evicted", Some("room")),
        ("b", "load_started", None),
        ("b", "ready", None),
    ];
    let expected = expected.map(|(model, event, reason)| {
        (
            model.to_owned(),
            event.to_owned(),
            reason.map(str::to_owned),
        )
    });
    wait_until(LIMIT, "the swap to be told", || events(&paddock).len() >= 6);
    assert_eq!(events(&paddock), expected);
    let of_b = paddock.admin_get("/api/lifecycle?model=b&limit=1").json();
    assert_eq!(of_b["events"][0]["event"], "ready");
}

#[test]
fn a_kill_costs_the_last_second_at_most() {
    let state = tempfile::tempdir().expect("a directory");
    // Few enough that the time makes them be written, not their number.
    let slowly = ["--fake-token-ms", "2", "--fake-tokens", "4"];
    let mut paddock = keeping(state.path()).engine_args(slowly).start();
    let begun = now();
    let mut ended: Vec<(String, Instant)> = Vec::new();
    let mut client = paddock.connect();
    while begun.elapsed() < 3 * LOST {
        let id = format!("r-{}", ended.len());
        assert_eq!(client.ask(named(&id)).status, 200);
        ended.push((id, now()));
    }
    paddock.kill9();
    let killed = now();
    drop(client);
    let file = Connection::open(state.path().join("activity.sqlite")).expect("a file");
    let verdict = file.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0));
    assert_eq!(verdict.as_deref(), Ok("ok"));
    drop(file);
    let kept = ids(&keeping(state.path()).start());
    let old = ended
        .iter()
        .filter(|(_, at)| killed.duration_since(*at) > LOST);
    let missing: Vec<_> = old.filter(|(id, _)| !kept.contains(id)).collect();
    assert!(missing.is_empty(), "{} of {}", missing.len(), ended.len());
    assert!(ended.len() > 100, "{}", ended.len());
}

/// The limit of files stands in for the disk's end: a write fails, and paddock is not signalled.
#[test]
fn requests_go_on_when_the_disk_is_full() {
    let state = tempfile::tempdir().expect("a directory");
    let limited = |command: &Command| {
        let mut shell = Command::new("sh");
        shell
            .args(["-c", "trap '' XFSZ; ulimit -S -f 320; exec \"$0\" \"$@\""])
            .arg(command.get_program())
            .args(command.get_args())
            .envs(
                command
                    .get_envs()
                    .filter_map(|(name, value)| Some((name, value?))),
            );
        if let Some(directory) = command.get_current_dir() {
            shell.current_dir(directory);
        }
        shell
    };
    let paddock = keeping(state.path()).start_as(limited);
    let full = || {
        let lines = paddock.stderr().all();
        lines
            .iter()
            .any(|line| line.contains("cannot write to the activity database"))
    };
    let mut asked = 0;
    let begun = now();
    let mut client = paddock.connect();
    while !full() {
        assert!(
            begun.elapsed() < LIMIT,
            "the disk is not full by {asked} requests"
        );
        for _ in 0..100 {
            asked += 1;
            assert_eq!(client.ask(named(&format!("r-{asked}"))).status, 200);
        }
    }
    for _ in 0..100 {
        asked += 1;
        assert_eq!(client.ask(named(&format!("r-{asked}"))).status, 200);
    }
    assert_eq!(paddock.admin_get("/metrics").status, 200);

    let pid = i32::try_from(paddock.id()).ok().and_then(Pid::from_raw);
    let room = Rlimit {
        current: None,
        maximum: None,
    };
    prlimit(pid, Resource::Fsize, room).expect("room");
    let again = || {
        let lines = paddock.stderr().all();
        lines
            .iter()
            .any(|line| line.contains("writing to the activity database again"))
    };
    wait_until(LIMIT, "requests to be written again", again);
    // Of a flood not every request is listed; of those that are, none is lost.
    assert_eq!(listed(&paddock).len() as u64, asked - dropped(&paddock));
}
