//! A part of paddock panics: what is in flight is told so, and nothing is left behind.

use std::time::Duration;

use paddock_e2e::harness::{Connection, Paddock, get, post};
use paddock_e2e::paddock;
use serde_json::Value;

use crate::requests::{ENDLESS, PACED, chat_stream, whole};

/// How long paddock may take to be gone.
const END: Duration = Duration::from_secs(5);

/// Makes a part panic; the spawner does so when it starts another child. The answer may be lost with it.
fn panic(paddock: &Paddock, part: &str) {
    let ask = |path: &str| {
        let _ = Connection::connect(paddock.admin()).try_ask(post(path, ""));
    };
    ask(&format!("/api/panic/{part}"));
    if part == "spawner" {
        ask("/api/models/other/load");
    }
}

/// A paddock with a second model, whose child is ready and does not end of a signal soon.
fn paced() -> Paddock {
    let builder = paddock!().engine_args(PACED);
    let other = format!("models.other.path = {:?}", builder.model_path());
    let paddock = builder
        .config("server.drain_timeout = '1s'")
        .config("models.m.preload = true")
        .config("server.default_model = 'm'")
        .config(&other)
        .start();
    paddock.wait_ready();
    paddock
}

#[test]
fn without_its_actor_paddock_ends_and_says_why() {
    for part in ["runtime", "spawner", "worker"] {
        let mut paddock = paced();
        panic(&paddock, part);
        let status = paddock.wait_exit(END);
        assert_eq!(status.code(), Some(1), "{part}");
        assert_eq!(paddock.leftovers(), [""; 0], "{part}");
        let said = paddock.stderr().all().join("\n");
        assert!(said.contains("was told to panic"), "{said}");
        assert!(said.contains("please report it"), "{said}");
    }
}

#[test]
fn a_stream_is_told_and_not_ended_cleanly() {
    for part in ["runtime", "spawner"] {
        let mut paddock = paced();
        let mut stream = paddock.connect();
        stream.send(chat_stream(ENDLESS));
        stream.head();
        stream.event();
        panic(&paddock, part);
        let (events, clean) = stream.events();
        let last = events.last().expect("an event");
        let error: Value = serde_json::from_str(&last.data()).expect("an error");
        assert!(error["error"]["code"].is_string(), "{part}: {error}");
        assert!(!clean, "{part}");
        assert_eq!(paddock.wait_exit(END).code(), Some(1), "{part}");
        assert_eq!(paddock.leftovers(), [""; 0], "{part}");
    }
}

#[test]
fn who_waits_for_a_load_is_refused() {
    let args = ["--fake-load-ms", "600000"];
    let mut paddock = paddock!().engine_args(args).start();
    let mut waiting = paddock.connect();
    waiting.send(whole(1));
    paddock.wait_queued(1);
    panic(&paddock, "runtime");
    let answer = waiting.answer();
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(answer.field("x-paddock-error"), Some("shutting_down"));
    assert_eq!(paddock.wait_exit(END).code(), Some(1));
    assert_eq!(paddock.leftovers(), [""; 0]);
}

#[test]
fn a_panic_for_one_operator_is_nobody_elses() {
    let paddock = paced();
    panic(&paddock, "admin");
    paddock.stderr().wait_for(END, "was told to panic");
    assert_eq!(paddock.admin_get("/livez").status, 200);
    assert_eq!(paddock.ask(get("/health")).status, 200);
}
