//! `GET /api/events`: everything that changes, as it changes.

use crate::support::{chat, dropped, model, stream, three, wait_status};
use paddock_e2e::harness::{Connection, LIMIT, Paddock, Signal, get, now, post, wait_until};
use serde_json::{Value, json};
use std::time::Duration;

/// Begins to read, and returns once the answer has begun.
fn read(paddock: &Paddock) -> Connection {
    let mut reader = Connection::connect(paddock.admin());
    reader.send(get("/api/events"));
    let head = reader.head();
    assert_eq!(
        (head.status, head.field("content-type")),
        (200, Some("text/event-stream"))
    );
    reader
}

/// The next event and its data; a comment is one without a name.
fn next(reader: &mut Connection) -> Option<(String, Value)> {
    let event = reader.event()?;
    let first = event.text.lines().next()?;
    let Some(name) = first.strip_prefix("event: ") else {
        return Some((String::new(), Value::Null));
    };
    let data = serde_json::from_str(&event.data()).expect("JSON");
    Some((name.to_owned(), data))
}

/// Reads on until an event of this name comes of which this holds.
fn until(reader: &mut Connection, name: &str, holds: impl Fn(&Value) -> bool) -> Value {
    let begun = now();
    loop {
        assert!(begun.elapsed() < LIMIT, "no such event: {name}");
        let (event, data) = next(reader).expect("more events");
        if event == name && holds(&data) {
            return data;
        }
    }
}

fn order(paddock: &Paddock, path: &str) {
    let answer = Connection::connect(paddock.admin()).ask(post(path, ""));
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[test]
fn a_reader_is_told_how_everything_is_and_what_changes() {
    let builder = three();
    let text = builder.config_text();
    let mut paddock = builder.start();
    // Nothing passes while nothing is loaded, so both say the same, except of connections and sums of contexts.
    let mut status = paddock.status();
    let members = status.as_object_mut().expect("an object");
    for absent in ["connections", "contexts"] {
        assert!(members.remove(absent).is_some());
    }
    let mut reader = read(&paddock);
    let first = reader.event().expect("a snapshot").text;
    let data = first.strip_prefix("event: snapshot\ndata: ").expect("data");
    let snapshot: Value = serde_json::from_str(data).expect("JSON");
    assert_eq!(snapshot, status);

    order(&paddock, "/api/models/a/load?wait=true");
    let ready = until(&mut reader, "model", |model| model["status"] == "ready");
    assert_eq!(ready["id"], "a");
    assert!(ready["pid"].is_u64());
    for (what, pinned) in [("pin", true), ("unpin", false)] {
        order(&paddock, &format!("/api/models/a/{what}"));
        let told = until(&mut reader, "model", |model| model["pinned"] == pinned);
        assert_eq!(told["id"], "a");
    }
    order(&paddock, "/api/models/a/unload?wait=true");
    until(&mut reader, "memory", |memory| memory["used"]["host"] == 0);

    let kept = text.lines().filter(|line| !line.starts_with("models.b"));
    let kept: Vec<String> = kept.map(|line| format!("{line}\n")).collect();
    std::fs::write(paddock.directory().join("paddock.toml"), kept.concat()).unwrap();
    order(&paddock, "/api/reload");
    assert_eq!(
        until(&mut reader, "removed", |_| true),
        json!({ "id": "b" })
    );

    let begun = now();
    assert!(paddock.stop(Signal::TERM).success());
    assert!(begun.elapsed() < Duration::from_secs(5), "{begun:?}");
    while next(&mut reader).is_some() {}
}

#[test]
fn requests_are_told_of_while_they_are_in_flight_and_when_they_end() {
    let paddock = three().hold_streams().start();
    order(&paddock, "/api/models/a/load?wait=true");
    let mut reader = read(&paddock);
    until(&mut reader, "snapshot", |_| true);
    let mut client = paddock.connect();
    client.send(stream("a").replace("\r\n\r\n", "\r\nX-Request-Id: mine\r\n\r\n"));
    assert_eq!(client.head().status, 200);
    let mine = |listed: &Value| listed["requests"][0]["id"] == "mine";
    let streams = |listed: &Value| mine(listed) && listed["requests"][0]["state"] == "streaming";
    // The list and the count of its model are told of in any order.
    let (mut told, mut counted) = (Value::Null, false);
    let begun = now();
    while told.is_null() || !counted {
        assert!(begun.elapsed() < LIMIT, "{told}, counted: {counted}");
        match next(&mut reader).expect("more events") {
            (event, list) if event == "in_flight" && streams(&list) => told = list,
            (event, model) if event == "model" => counted |= model["in_flight"] == 1,
            _ => {}
        }
    }
    assert_eq!(told["total"], 1);
    let listed = paddock.admin_get("/api/requests?in_flight=true").json();
    assert!(mine(&listed), "{listed}");
    let request = &listed["requests"][0];
    assert_eq!(
        (&request["model"], &request["route"]),
        (&"a".into(), &"chat_completions".into())
    );
    assert!(request["seconds"].as_f64().is_some_and(|time| time > 0.0));
    let of = |query: &str| {
        let answer = paddock.admin_get(&format!("/api/requests?{query}"));
        (answer.status, answer.json()["requests"].clone())
    };
    assert_eq!(of("in_flight=true&model=b"), (200, json!([])));
    assert_eq!(of("in_flight=false"), (200, json!([])));
    for wrong in ["in_flight=1", "in_flight=true&limit=201"] {
        assert_eq!(of(wrong).0, 400, "{wrong}");
    }

    let cancel = "DELETE /api/requests/mine HTTP/1.1\r\nHost: localhost\r\n\r\n";
    assert_eq!(Connection::connect(paddock.admin()).ask(cancel).status, 200);
    // The list, the count of its model and the request itself are told of in any order.
    let (mut ended, mut listed, mut counted) = (Value::Null, true, true);
    let begun = now();
    while ended.is_null() || listed || counted {
        assert!(
            begun.elapsed() < LIMIT,
            "{ended}, listed: {listed}, counted: {counted}"
        );
        match next(&mut reader).expect("more events") {
            (event, row) if event == "request" => ended = row,
            (event, list) if event == "in_flight" => listed = list["total"] != 0,
            (event, model) if event == "model" => counted = model["in_flight"] != 0,
            _ => {}
        }
    }
    assert_eq!(
        (&ended["id"], &ended["outcome"]),
        (&"mine".into(), &"cancelled".into())
    );
    assert_eq!(of("model=a"), (200, json!([ended])));
    assert_eq!(of("in_flight=true"), (200, json!([])));
    paddock.release_streams();
}

#[test]
fn a_request_that_waits_for_its_model_is_in_flight_as_queued() {
    let paddock = three().hold_load().start();
    let mut client = paddock.connect();
    client.send(chat("a"));
    wait_until(LIMIT, "one to wait", || model(&paddock, "a")["queued"] == 1);
    let listed = paddock.admin_get("/api/requests?in_flight=true").json();
    assert_eq!(listed["requests"][0]["state"], "queued", "{listed}");
    paddock.release_load();
    assert_eq!(client.answer().status, 200);
    wait_status(&paddock, "a", "ready");
}

#[test]
fn a_reader_that_does_not_read_is_told_how_much_it_missed() {
    // More than the socket and paddock hold for a reader.
    const ENOUGH: u64 = 4_000;
    let builder = three();
    // A unix socket holds 208 KiB, however long nobody reads.
    let admin = format!("unix:{}", builder.directory().join("admin.sock").display());
    let paddock = builder.admin([admin]).start();
    order(&paddock, "/api/models/a/load?wait=true");
    let mut reader = read(&paddock);
    until(&mut reader, "snapshot", |_| true);
    let mut client = paddock.connect();
    let mut asked = 0;
    // Of a flood not every request is listed.
    while asked - dropped(&paddock) < ENOUGH {
        for _ in 0..100 {
            let answer = client.ask(get("/upstream/a/props"));
            assert_eq!(answer.status, 200, "the child answers");
        }
        asked += 100;
    }
    let listed = asked - dropped(&paddock);
    let (mut told, mut missed) = (0, 0);
    let begun = now();
    while told + missed < listed {
        assert!(begun.elapsed() < LIMIT, "{told} told of, {missed} missed");
        match next(&mut reader).expect("more events") {
            (event, _) if event == "request" => told += 1,
            (event, data) if event == "missed" => missed += data["count"].as_u64().unwrap(),
            _ => {}
        }
    }
    assert_eq!(told + missed, listed, "each is told of or counted");
    assert!(missed > 0, "it all fitted");
}
