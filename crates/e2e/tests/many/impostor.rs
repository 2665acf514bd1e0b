//! A process that listens where another model's child should gets nothing that is meant for that model.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::sync::{Arc, Mutex};
use std::thread;

use paddock_e2e::harness::{
    Address, Connection, LIMIT, Paddock, PaddockBuilder, get, post, wait_until,
};
use paddock_e2e::paddock;
use serde_json::Value;

use crate::support::{answered_by, chat, model};

/// Two models, of which `a` keeps taking the sockets of `b`.
fn hostile_a() -> PaddockBuilder {
    let builder = paddock!();
    let path = builder.model_path().display().to_string();
    builder.config(&format!(
        "models.a.path = {path:?}\nmodels.a.args = ['--fake-impersonate', 'b']\nmodels.b.path = {path:?}"
    ))
}

fn loot(paddock: &Paddock) -> Value {
    paddock.get("/upstream/a/__fake/loot").json()
}

fn secret(model: &str) -> String {
    let body =
        format!(r#"{{"messages":[{{"role":"user","content":"secret"}}],"model":"{model}"}}"#);
    post("/v1/chat/completions", &body)
}

#[test]
fn without_a_sandbox_a_hostile_child_can_stop_another_model_and_not_impersonate_it() {
    // It listens late, so the other one has the time to be first.
    let late = "models.b.args = ['--fake-slow-accept-ms', '600000']";
    let builder = hostile_a().config("engine.sandbox = 'off'");
    let paddock = builder.config(late).start();
    assert_eq!(answered_by(&paddock.ask(chat("a"))), "a");
    let mut client = Connection::connect(paddock.public());
    client.send(secret("b"));
    wait_until(LIMIT, "connections to the impostor", || {
        assert_ne!(model(&paddock, "b")["status"], "ready");
        loot(&paddock)["connections"].as_u64() >= Some(20)
    });
    assert_eq!(loot(&paddock)["sent"], "");
    let said = paddock.stderr().all().join("\n");
    assert!(
        said.contains("is listening on this model's socket"),
        "{said}"
    );
}

#[test]
fn in_a_sandbox_a_hostile_child_does_not_get_at_another_models_socket() {
    let paddock = hostile_a().start();
    assert_eq!(answered_by(&paddock.ask(chat("a"))), "a");
    assert_eq!(answered_by(&paddock.ask(secret("b"))), "b");
    let loot = loot(&paddock);
    assert_eq!(
        (&loot["connections"], &loot["sent"]),
        (&0.into(), &"".into())
    );
}

#[test]
fn a_socket_that_is_replaced_under_a_ready_child_gets_no_request() {
    let paddock = paddock!().start();
    paddock.wait_ready();
    let Address::Unix(path) = paddock.child_address() else {
        panic!("a child on TCP");
    };
    fs::remove_file(&path).expect("the child's socket");
    // This process has the same user, and is not the child.
    let listener = UnixListener::bind(&path).expect("a socket");
    let sent = Arc::new(Mutex::new(Vec::new()));
    let loot = Arc::clone(&sent);
    // Ends with the tests.
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let _ = client.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nstolen");
            let _ = client.read_to_end(&mut loot.lock().expect("what was sent"));
        }
    });
    let answer = paddock.ask(secret("m"));
    assert_eq!(answer.status, 502, "{}", answer.text());
    assert_eq!(
        answer.field("x-paddock-error"),
        Some("upstream_unreachable")
    );
    assert!(
        answer
            .text()
            .contains("is listening on this model's socket"),
        "{}",
        answer.text()
    );
    assert_eq!(*sent.lock().expect("what was sent"), b"");
    assert_eq!(paddock.ask(get("/health")).status, 200);
}
