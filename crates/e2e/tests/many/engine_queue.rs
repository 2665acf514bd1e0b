//! Requests that the child has taken beyond its slots: they wait, and that is said.

use crate::support::{model, stream, three, wait_status};
use paddock_e2e::harness::{Connection, LIMIT, Paddock, wait_for, wait_until};
use serde_json::{Value, json};

fn send(paddock: &Paddock, id: &str) -> Connection {
    let mut client = Connection::connect(paddock.public());
    let head = format!("\r\nX-Request-Id: {id}\r\n\r\n");
    client.send(stream("a").replacen("\r\n\r\n", &head, 1));
    client
}

fn explain(paddock: &Paddock, id: &str) -> Value {
    let path = format!("/api/requests/{id}/explain");
    paddock.admin_get(&path).json()
}

fn told(explained: &Value) -> String {
    let mut entries = explained["meanwhile"].as_array().into_iter().flatten();
    let wait = entries.find(|entry| entry["what"] == "engine_wait");
    wait.map_or_else(String::new, |told| told["message"].to_string())
}

#[test]
fn requests_beyond_the_slots_are_reported_as_waiting_in_the_engine() {
    let paddock = three().hold_streams().start();
    let mut first = send(&paddock, "e-1");
    assert_eq!(first.head().status, 200);
    wait_status(&paddock, "a", "ready");
    let mut second = send(&paddock, "e-2");
    wait_until(LIMIT, "the second to be with the child", || {
        model(&paddock, "a")["in_flight"] == 2
    });
    let mut third = send(&paddock, "e-3");
    let waiting = wait_for(LIMIT, "two to wait in the engine", || {
        let waiting = model(&paddock, "a")["waiting_in_engine"].clone();
        (waiting["estimated"] == 2).then_some(waiting)
    });
    assert!(waiting["longest_seconds"].as_f64() > Some(0.0), "{waiting}");
    assert_eq!(model(&paddock, "a")["queued"], 0, "not in paddock's queue");
    let gauge = r#"paddock_engine_waiting{model="a"} 2"#;
    assert!(paddock.admin_get("/metrics").text().contains(gauge));

    let listed = paddock.admin_get("/api/requests?in_flight=true").json();
    let listed = listed["requests"].as_array().cloned().unwrap_or_default();
    let states: Vec<_> = listed
        .iter()
        .map(|one| (&one["id"], &one["state"]))
        .collect();
    let expected = [
        (&json!("e-1"), &json!("streaming")),
        (&json!("e-2"), &json!("waiting_in_engine")),
        (&json!("e-3"), &json!("waiting_in_engine")),
    ];
    assert_eq!(states, expected);
    let explained = explain(&paddock, "e-2");
    assert!(told(&explained).contains("has been waiting"), "{explained}");
    assert!(explained["engine_wait_seconds"].as_f64() > Some(0.0));

    paddock.release_streams();
    for client in [&mut first, &mut second, &mut third] {
        let (_, clean) = client.events();
        assert!(clean);
    }
    let rows = wait_for(LIMIT, "three rows", || {
        let rows = paddock.admin_get("/api/requests").json();
        let rows = rows["requests"].as_array().cloned().unwrap_or_default();
        (rows.len() == 3).then_some(rows)
    });
    for row in rows {
        let waited = row["engine_wait_seconds"].as_f64() > Some(0.0);
        assert_eq!(waited, row["id"] != "e-1", "{row}");
        if waited {
            assert_eq!(row["queue_seconds"].as_f64(), Some(0.0), "{row}");
        }
    }
    let explained = explain(&paddock, "e-3");
    assert!(
        told(&explained).contains("inside the engine"),
        "{explained}"
    );
    assert_eq!(explained["outcome"], "granted");
    let page = paddock.admin_get("/metrics").text();
    assert!(page.contains(r#"paddock_engine_wait_seconds_count{model="a"} 2"#));
    assert!(page.contains(r#"paddock_engine_waiting{model="a"} 0"#));
    assert_eq!(paddock.admin_get("/api/requests/e-4/explain").status, 404);
}
