//! `POST /api/chat`: a chat asked on the admin plane is one of the public plane.

use crate::support::{model, three};
use paddock_e2e::harness::{
    Connection, HttpResponse, LIMIT, Paddock, Pid, Signal, post, wait_for, wait_until,
};
use serde_json::Value;

fn body(model: &str, more: &str) -> String {
    format!(r#"{{"messages":[{{"role":"user","content":"hi"}}],"model":"{model}"{more}}}"#)
}

fn ask(paddock: &Paddock, body: &str) -> HttpResponse {
    Connection::connect(paddock.admin()).ask(post("/api/chat", body))
}

#[test]
fn a_chat_is_answered_as_on_the_public_plane() {
    let paddock = three().config("server.body_limit = '4KiB'").start();
    let asked = post("/api/chat", &body("a", "")).replace(
        "\r\n\r\n",
        "\r\nX-Request-Id: mine\r\nX-Paddock-Model: b\r\n\r\n",
    );
    let there = Connection::connect(paddock.admin()).ask(asked);
    assert_eq!(there.status, 200, "{}", there.text());
    assert_eq!(there.field("x-request-id"), Some("mine"));
    assert_eq!(there.json()["model"], "a", "the body says which");
    assert_eq!(there.field("access-control-allow-origin"), None);
    assert!(
        there
            .field("server")
            .is_some_and(|name| name.starts_with("paddock/"))
    );
    let row = wait_for(LIMIT, "the request to be listed", || {
        let listed = paddock.admin_get("/api/requests").json()["requests"][0].clone();
        listed.is_object().then_some(listed)
    });
    assert_eq!(
        (&row["id"], &row["route"], &row["outcome"]),
        (
            &"mine".into(),
            &"chat_completions".into(),
            &"complete".into()
        )
    );

    for (body, status, kind) in [
        (body("nobody", ""), 404, "unknown_model"),
        (r#"{"messages":[]}"#.to_owned(), 400, "no_model"),
        (
            body("a", &format!(r#","x":"{}""#, "x".repeat(5000))),
            413,
            "body_too_large",
        ),
    ] {
        let answer = ask(&paddock, &body);
        assert_eq!((answer.status, answer.error_code()), (status, kind.into()));
        assert_eq!(answer.field("x-paddock-error"), Some(kind));
    }
    let evil = post("/api/chat", &body("a", ""))
        .replace("\r\n\r\n", "\r\nOrigin: https://evil.example\r\n\r\n");
    assert_eq!(Connection::connect(paddock.admin()).ask(evil).status, 403);
}

#[test]
fn a_chat_streams_and_breaks_off_like_its_model() {
    let paddock = three().hold_streams().start();
    let mut client = Connection::connect(paddock.admin());
    client.send(post("/api/chat", &body("a", r#","stream":true"#)));
    let head = client.head();
    assert_eq!(
        (head.status, head.field("content-type")),
        (200, Some("text/event-stream"))
    );
    assert!(
        client.event().is_some(),
        "it comes while the stream is open"
    );
    paddock.release_streams();
    let (events, clean) = client.events();
    assert!(clean && events.last().is_some_and(|event| event.data() == "[DONE]"));

    let mut client = Connection::connect(paddock.admin());
    let long = body("a", r#","stream":true,"max_tokens":1000000"#);
    client.send(post("/api/chat", &long));
    assert_eq!(client.head().status, 200);
    assert!(client.event().is_some());
    let pid = model(&paddock, "a")["pid"].as_i64().expect("a pid");
    let child = Pid::find(i32::try_from(pid).unwrap()).expect("a child");
    child.signal(Signal::KILL);
    let (events, clean) = client.events();
    assert!(!clean, "it did not end");
    let last: Value = serde_json::from_str(&events.last().unwrap().data()).unwrap();
    assert_eq!(last["error"]["code"], "upstream_closed", "{last}");
}

#[test]
fn who_leaves_a_chat_frees_its_slot() {
    let paddock = three().start();
    for more in [r#","stream":true"#, ""] {
        let mut client = Connection::connect(paddock.admin());
        let long = body("a", &format!(r#","max_tokens":1000000{more}"#));
        client.send(post("/api/chat", &long));
        if !more.is_empty() {
            assert_eq!(client.head().status, 200);
        }
        wait_until(LIMIT, "one in flight", || {
            model(&paddock, "a")["in_flight"] == 1
        });
        drop(client);
        wait_until(LIMIT, "the slot to be free", || {
            model(&paddock, "a")["in_flight"] == 0
        });
    }
    // Nor does one that waits for its model's load stay in line.
    let paddock = three().hold_load().start();
    let mut client = Connection::connect(paddock.admin());
    client.send(post("/api/chat", &body("a", "")));
    wait_until(LIMIT, "one to wait", || model(&paddock, "a")["queued"] == 1);
    drop(client);
    wait_until(LIMIT, "nobody to wait", || {
        model(&paddock, "a")["queued"] == 0
    });
    paddock.release_load();
}
