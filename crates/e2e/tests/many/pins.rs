//! Pins of the operator's: who has to wait, or is refused, and what a reload does.

use crate::support::{
    answered_by, b_waits_for_a, chat, decisions, model, stream, three, wait_status,
};
use paddock_e2e::harness::{Connection, LIMIT, Paddock, Signal, post, wait_until};
use serde_json::{Value, json};
use std::fs;

/// Pins a model, or unpins it, and returns what is answered.
fn order(paddock: &Paddock, what: &str, name: &str) -> Value {
    let request = post(&format!("/api/models/{name}/{what}"), "");
    let answer = Connection::connect(paddock.admin()).ask(request);
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

#[test]
fn what_needs_a_pinned_models_place_is_refused_until_it_is_unpinned() {
    let paddock = three().start();
    assert_eq!(answered_by(&paddock.ask(chat("a"))), "a");
    let pid = model(&paddock, "a")["pid"].clone();
    for _ in 0..2 {
        assert_eq!(
            order(&paddock, "pin", "a"),
            json!({ "id": "a", "status": "ready", "pinned": true })
        );
    }
    let refused = paddock.ask(chat("b"));
    assert_eq!(
        (refused.status, refused.error_code()),
        (503, "does_not_fit".into())
    );
    let words = refused.text();
    assert!(words.contains("paddock unpin MODEL"), "{words}");
    assert!(
        words.contains("at most 40.0 MiB can be freed while other models are pinned"),
        "{words}"
    );
    assert_eq!(model(&paddock, "a")["pid"], pid);
    let told = decisions(&paddock, "a");
    assert_eq!(told.matches("the operator pinned a:").count(), 1);
    let told = decisions(&paddock, "b");
    assert!(told.contains("; to free more, unpin: a"), "{told}");

    assert_eq!(order(&paddock, "unpin", "a")["pinned"], false);
    assert_eq!(
        model(&paddock, "a")["status"],
        "ready",
        "nobody needs its place"
    );
    assert_eq!(answered_by(&paddock.ask(chat("b"))), "b");
    assert_eq!(model(&paddock, "a")["status"], "unloaded");
    assert!(decisions(&paddock, "a").contains("the operator unpinned a:"));
}

#[test]
fn who_waits_goes_on_at_once_when_a_model_is_unpinned() {
    let paddock = three()
        .hold_streams()
        .config(
            "models.x.path = 'm.gguf'\nmodels.x.memory = '40MiB'\n\
             models.y.path = 'm.gguf'\nmodels.y.memory = '40MiB'\nscheduler.max_wait = '1h'",
        )
        .start();
    let load = post("/api/models/a/load?wait=true", "");
    assert_eq!(Connection::connect(paddock.admin()).ask(load).status, 200);
    order(&paddock, "pin", "a");
    let mut streaming = Connection::connect(paddock.public());
    streaming.send(stream("x"));
    assert_eq!(streaming.head().status, 200);
    let mut other = Connection::connect(paddock.public());
    other.send(chat("y"));
    wait_until(LIMIT, "y to wait for room", || {
        decisions(&paddock, "y").contains("; in use or recently loaded: x; pinned: a")
    });
    order(&paddock, "unpin", "a");
    wait_status(&paddock, "y", "ready");
    assert_eq!(model(&paddock, "a")["status"], "unloaded");
    assert_eq!(model(&paddock, "x")["in_flight"], 1);
    paddock.release_streams();
    assert_eq!(answered_by(&other.answer()), "y");
}

#[test]
fn who_waits_for_a_model_that_is_pinned_now_is_refused_at_once() {
    let (paddock, mut streaming, mut other) = b_waits_for_a();
    assert_eq!(order(&paddock, "pin", "a")["status"], "ready", "it stays");
    assert_eq!(other.answer().error_code(), "does_not_fit");
    let mut late = Connection::connect(paddock.public());
    late.send(chat("a"));
    paddock.release_streams();
    assert_eq!(answered_by(&late.answer()), "a");
    let (_, clean) = streaming.events();
    assert!(clean, "the stream was cut");
    assert!(decisions(&paddock, "a").contains("a stays"));
}

#[test]
fn a_pin_outlives_a_reload_that_says_nothing_new_of_it() {
    let builder = three();
    let text = builder.config_text();
    let paddock = builder.start();
    let file = paddock.directory().join("paddock.toml");
    let reload = |more: &str| {
        fs::write(&file, format!("{text}\n{more}\n")).unwrap();
        let answer = Connection::connect(paddock.admin()).ask(post("/api/reload", ""));
        assert_eq!(answer.status, 200, "{}", answer.text());
        model(&paddock, "b")["pinned"] == true
    };
    let pinned = order(&paddock, "pin", "bee");
    assert_eq!(
        pinned,
        json!({ "id": "b", "status": "unloaded", "pinned": true }),
        "it is not loaded for that"
    );
    assert!(reload("models.b.keep_alive = '1h'"));
    assert!(reload("models.b.pinned = true"));
    assert!(!reload("models.b.pinned = false"));
    assert!(decisions(&paddock, "b").contains("a configuration change unpinned b"));
    assert!(reload("models.b.pinned = true"));
    order(&paddock, "unpin", "org%2Fb");
    assert!(!reload(
        "models.b.pinned = true\nmodels.b.keep_alive = '2h'"
    ));
    let unknown = Connection::connect(paddock.admin()).ask(post("/api/models/x/unpin", ""));
    assert_eq!(
        (unknown.status, unknown.error_code()),
        (404, "unknown_model".into())
    );
}

#[test]
fn a_pin_does_not_outlive_paddock() {
    let state = tempfile::tempdir().unwrap();
    let keeping = || three().config(&format!("server.state_dir = {:?}", state.path().display()));
    let mut paddock = keeping().start();
    assert_eq!(order(&paddock, "pin", "a")["pinned"], true);
    assert_eq!(model(&paddock, "a")["pinned"], true);
    assert!(paddock.stop(Signal::TERM).success());
    assert_eq!(model(&keeping().start(), "a")["pinned"], false);
}
