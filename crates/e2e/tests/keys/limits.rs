use crate::support::{bearer, chat, stream, two, with_key};
use paddock_e2e::harness::{Connection, LIMIT, get, post, wait_until};

#[test]
fn so_many_at_once_over_all_workers() {
    let lines = ["max_concurrent = 3"];
    let (builder, secret) = with_key(two(), "alice", &lines);
    let (builder, other) = with_key(builder, "bob", &[]);
    let paddock = builder
        .config("models.m.parallel = 8")
        .hold_streams()
        .start();
    let asked = bearer(&stream(), &secret);
    let mut open = Vec::new();
    for _ in 0..3 {
        let mut client = paddock.connect();
        client.send(&asked);
        assert_eq!(client.head().status, 200);
        open.push(client);
    }
    for _ in 0..8 {
        let refused = paddock.ask(&asked);
        assert_eq!(
            (refused.status, refused.error_code()),
            (429, "rate_limited".into())
        );
        assert_eq!(refused.field("retry-after"), Some("1"));
    }
    let mut client = paddock.connect();
    client.send(bearer(&stream(), &other));
    assert_eq!(client.head().status, 200, "another key has its own");
    // One that leaves makes room.
    drop(open.pop());
    wait_until(LIMIT, "room for one more", || {
        let mut client = paddock.connect();
        client.send(&asked);
        let let_in = client.head().status == 200;
        if let_in {
            open.push(client);
        }
        let_in
    });
    paddock.release_streams();
    for client in &mut open {
        assert!(client.events().1, "it ends as it would have");
    }
}

#[test]
fn a_stream_that_is_left_costs_what_was_seen_of_it() {
    let (builder, secret) = with_key(two(), "alice", &["tokens_per_minute = 3"]);
    let paddock = builder.hold_streams().start();
    // What states no tokens costs none: it only finds out.
    let asked = bearer(&get("/upstream/m/props"), &secret);
    assert_eq!(paddock.ask(&asked).status, 200);
    let mut client = paddock.connect();
    client.send(bearer(&stream(), &secret));
    assert_eq!(client.head().status, 200);
    for _ in 0..8 {
        assert!(client.event().is_some());
    }
    assert_eq!(paddock.ask(&asked).status, 200, "it is paid for at its end");
    drop(client);
    wait_until(LIMIT, "what was seen to be paid for", || {
        paddock.ask(&asked).status == 429
    });
}

#[test]
fn an_absurd_number_of_tokens_locks_no_key_and_spoils_no_total() {
    let (builder, secret) = with_key(two(), "alice", &["tokens_per_minute = 1000"]);
    let paddock = builder.start();
    let mut client = Connection::connect(paddock.public());
    for tokens in [u64::MAX, u64::MAX / 2, 1 << 40] {
        let usage = format!(
            r#"{{"usage":{{"prompt_tokens":{tokens},"completion_tokens":{tokens},"total_tokens":0}}}}"#
        );
        let length = usage.len();
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{usage}"
        );
        let asked = bearer(&post("/upstream/m/__fake/respond", &answer), &secret);
        let answer = client.ask(asked);
        assert_eq!(
            (answer.status, answer.text()),
            (200, usage),
            "it passes as it came"
        );
    }
    assert_eq!(client.ask(bearer(&chat("m"), &secret)).status, 200);
    let metrics = paddock.admin_get("/metrics").text();
    let totals = metrics
        .lines()
        .filter(|line| line.starts_with("paddock_tokens_total{"));
    let totals: Vec<f64> = totals
        .map(|line| line.rsplit(' ').next().unwrap().parse().unwrap())
        .collect();
    assert!(!totals.is_empty(), "{metrics}");
    assert!(totals.iter().all(|total| *total < 10_000.0), "{totals:?}");
}
