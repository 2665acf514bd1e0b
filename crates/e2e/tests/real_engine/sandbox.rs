//! The real engine in its sandbox.

use super::support::{direct, ok, ready, small};
use paddock_e2e::harness::{get, post};
use std::fs;

#[test]
fn it_chats_and_keeps_slots_where_it_is_told_to_under_every_part() {
    let slots = tempfile::tempdir().expect("a directory");
    let path = slots.path().display().to_string();
    let builder = small().engine_args(["--slot-save-path", &path]);
    let paddock = ready(builder.config("engine.sandbox = 'on'"));
    let chat = r#"{"messages":[{"role":"user","content":"Say hello."}],"max_tokens":4}"#;
    let answer = ok(paddock.post("/v1/chat/completions", chat)).json();
    assert!(
        answer["choices"][0]["message"]["content"].is_string(),
        "{answer}"
    );

    let saved = direct(&paddock).ask(post("/slots/0?action=save", r#"{"filename":"a"}"#));
    assert!(
        ok(saved).json()["n_written"]
            .as_u64()
            .is_some_and(|bytes| bytes > 0)
    );
    assert!(slots.path().join("a").exists());
    ok(direct(&paddock).ask(get("/props")));

    let child = paddock.child().number();
    let status = fs::read_to_string(format!("/proc/{child}/status")).expect("a process");
    assert!(status.contains("NoNewPrivs:\t1\n"), "{status}");
    assert_eq!(paddock.model()["sandbox"]["files"], true);
    // Nothing that it looks for is denied to it.
    let said = paddock.admin_get("/api/models/m/logs?n=1000").text();
    assert!(!said.to_lowercase().contains("permission denied"), "{said}");
}
