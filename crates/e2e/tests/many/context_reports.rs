//! Contexts in the status, in metrics and events, and in the explanation of a request.

use paddock_e2e::harness::{
    Connection, LIMIT, Paddock, PaddockBuilder, Signal, post, wait_for, wait_until,
};
use serde_json::{Value, json};

/// Sends a chat with this request id, whose prompt repeats a sentence `times` times.
fn chat(paddock: &Paddock, id: &str, times: usize) {
    let words = "the quick brown fox jumps over the lazy dog ".repeat(times);
    let body = json!({"model": "m", "messages": [{"role": "user", "content": words}]});
    let request = post("/v1/chat/completions", &body.to_string());
    let head = format!("\r\nX-Request-Id: {id}\r\n\r\n");
    let answer = paddock.ask(request.replacen("\r\n\r\n", &head, 1));
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// Returns the message about cached tokens in the explanation of a request.
fn cached_tokens_message(paddock: &Paddock, id: &str) -> String {
    let entry = wait_for(LIMIT, "an explanation", || {
        let path = format!("/api/requests/{id}/explain");
        let explained = paddock.admin_get(&path).json();
        let entries = explained["meanwhile"].as_array().into_iter().flatten();
        let mut entries = entries.filter(|entry| entry["what"] == "cached_tokens");
        entries.next().cloned()
    });
    entry["message"].as_str().unwrap_or_default().to_owned()
}

fn contexts(paddock: &Paddock) -> Value {
    paddock.model()["contexts"].clone()
}

/// Returns the message of the model's last lifecycle event of this name.
fn event(paddock: &Paddock, name: &str) -> String {
    let event = wait_for(LIMIT, "the event", || {
        let listed = paddock.admin_get("/api/lifecycle?model=m").json();
        let events = listed["events"].as_array().into_iter().flatten();
        let mut events = events.filter(|event| event["event"] == name);
        events.next().cloned()
    });
    event["message"].as_str().unwrap_or_default().to_owned()
}

/// Returns a paddock whose engine reads slowly enough that saving a conversation pays off.
fn slow_reader() -> PaddockBuilder {
    paddock_e2e::paddock!()
        .engine_args(["--fake-read-ms", "50"])
        .config("engine.env.FAKE_SAVES_SLOTS = '1'")
}

#[test]
fn a_restored_context_is_reported_everywhere() {
    let paddock = slow_reader().start();
    // paddock treats the content of a slot right after the load as a restored context.
    chat(&paddock, "first", 1);
    let cold = cached_tokens_message(&paddock, "first");
    let none = "no context of m was stored when it was loaded";
    assert!(cold.ends_with(none), "{cold}");
    chat(&paddock, "cold", 40);
    let unload = post("/api/models/m/unload?wait=true", "");
    assert_eq!(Connection::connect(paddock.admin()).ask(unload).status, 200);
    chat(&paddock, "warm", 40);

    let reported = contexts(&paddock);
    assert_eq!(reported["not_kept"], Value::Null);
    assert_eq!(reported["restored"], 1, "{reported}");
    let last = &reported["last_restore"];
    assert_eq!((&last["found"], &last["contexts"]), (&json!(1), &json!(1)));
    assert_eq!(last["longest"], last["tokens"]);
    assert_eq!(reported["stored"], 1, "{reported}");
    assert!(reported["bytes"].as_u64() > Some(0), "{reported}");
    let totals = paddock.status()["contexts"].clone();
    assert_eq!(totals["restored"], 1, "{totals}");

    let line = r#"paddock_contexts_restored_total{model="m",result="complete"} 1"#;
    assert!(paddock.admin_get("/metrics").text().contains(line));
    let message = event(&paddock, "contexts_restored");
    assert!(
        message.starts_with("restored 1 context of m ("),
        "{message}"
    );
    let warm = cached_tokens_message(&paddock, "warm");
    let restored =
        "prompt tokens came from the child's cache, into which paddock had restored 1 context";
    assert!(warm.contains(restored), "{warm}");
}

#[test]
fn a_context_saved_at_shutdown_is_listed_after_the_restart() {
    let state = tempfile::tempdir().expect("a directory");
    let config = format!("server.state_dir = {:?}", state.path().display());
    let mut first = slow_reader().config(&config).start();
    chat(&first, "first", 1);
    cached_tokens_message(&first, "first");
    chat(&first, "long", 40);
    assert_eq!(first.stop(Signal::TERM).code(), Some(0));
    let second = slow_reader().config(&config).start();
    let message = event(&second, "contexts_saved");
    assert!(
        message.starts_with("contexts of m were saved once ("),
        "{message}"
    );
    wait_until(LIMIT, "the store's report", || {
        contexts(&second)["stored"] == 1
    });
}
