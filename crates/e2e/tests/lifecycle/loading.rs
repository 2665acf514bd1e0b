//! While the child loads the port is open, health says so, and requests wait.

use paddock_e2e::harness::{LIMIT, WATCH_TIME, post, wait_until};
use paddock_e2e::paddock;

use crate::requests::whole;

#[test]
fn health_is_503_starting_from_the_first_moment_until_it_is_ok() {
    let args = ["--fake-slow-accept-ms", "200", "--fake-load-ms", "500"];
    let paddock = paddock!().hold_load().engine_args(args).start();
    let mut seen = Vec::new();
    wait_until(LIMIT, "health to be ok", || {
        // A connection refused would panic.
        let health = paddock.get("/health");
        let body = health.json();
        assert_eq!(body["models"][0]["id"], "m");
        assert_eq!(body["models"][0]["status"], body["status"]);
        let word = body["status"].as_str().unwrap().to_owned();
        seen.push((health.status, word));
        paddock.release_load();
        health.status == 200
    });
    let ok = seen.pop().unwrap();
    assert_eq!(ok, (200, "ok".to_owned()));
    assert!(!seen.is_empty());
    assert!(
        seen.iter()
            .all(|seen| *seen == (503, "starting".to_owned()))
    );
}

#[test]
fn every_health_route_says_starting() {
    let paddock = paddock!().engine_args(["--fake-load-ms", "60000"]).start();
    for answer in [
        paddock.get("/health"),
        paddock.get("/v1/health"),
        paddock.admin_get("/readyz"),
    ] {
        assert_eq!(
            (answer.status, &answer.json()["status"]),
            (503, &"starting".into())
        );
    }
    assert_eq!(paddock.admin_get("/livez").status, 200);
    assert_eq!(paddock.model()["status"], "loading");
}

#[test]
fn the_port_is_open_while_there_is_no_child_yet() {
    for builder in [paddock!(), paddock!().listen_unix()] {
        let paddock = builder.hold_load().start();
        // All connect at once, ask at once, and are answered when the time has come.
        let mut clients: Vec<_> = (0..20).map(|_| paddock.connect()).collect();
        for client in &mut clients {
            client.send(whole(1));
        }
        paddock.wait_queued(20);
        paddock.release_load();
        for client in &mut clients {
            assert_eq!(client.answer().status, 200);
        }
    }
}

#[test]
fn a_body_that_comes_while_its_request_waits_is_not_forgotten() {
    // A mebibyte is read before the request waits. More than any buffer is left, and less than one: both come
    // whole while there is no child.
    let first = 1 << 20;
    for length in [first + 400_000, first + 1000] {
        let paddock = paddock!().hold_load().start();
        let mut client = paddock.connect();
        let request = post(
            "/tokenize",
            &format!(r#"{{"content":"{}"}}"#, "a".repeat(length)),
        );
        let (first, rest) = request.split_at(first + 500);
        client.send(first);
        paddock.wait_queued(1);
        client.send(rest);
        // In the client's socket or in paddock: both know it by now.
        assert!(!client.is_closed_within(WATCH_TIME));
        paddock.release_load();
        assert_eq!(client.answer().status, 200);
    }
}
