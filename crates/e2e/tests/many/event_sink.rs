//! What has happened is posted where the configuration says, and no request knows of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::thread;

use paddock_e2e::harness::{LIMIT, Paddock, PaddockBuilder, Signal, now, wait_until};
use serde_json::Value;

use crate::receiver::{OK, Post, Receiver, Reply, ids};
use crate::support::{chat, dropped};

fn posting(url: &str) -> PaddockBuilder {
    // Slowly enough that each is listed.
    let slowly = ["--fake-token-ms", "2", "--fake-tokens", "4"];
    let builder = paddock_e2e::paddock!().engine_args(slowly);
    builder.config(&format!("telemetry.events_url = {url:?}"))
}

/// A chat that brings its id.
fn named(id: &str) -> String {
    chat("m").replacen("\r\n\r\n", &format!("\r\nX-Request-Id: {id}\r\n\r\n"), 1)
}

/// So many chats of each of so many clients; their ids.
fn chats(paddock: &Paddock, clients: usize, each: usize) -> BTreeSet<String> {
    let ids = thread::scope(|scope| {
        let clients = (0..clients).map(|client| {
            scope.spawn(move || {
                let mut connection = paddock.connect();
                let ids = (0..each).map(|number| format!("r-{client}-{number}"));
                let ids: Vec<String> = ids.collect();
                for id in &ids {
                    assert_eq!(connection.ask(named(id)).status, 200);
                }
                ids
            })
        });
        let clients: Vec<_> = clients.collect();
        let ids = clients
            .into_iter()
            .map(|client| client.join().expect("a client"));
        ids.collect::<Vec<_>>()
    });
    ids.into_iter().flatten().collect()
}

/// An event is what is listed, but for what a microsecond is rounded to.
fn assert_same(event: &Value, listed: &Value) {
    let event = event.as_object().expect("an object").clone();
    let names = event.keys().filter(|name| *name != "type");
    assert!(names.eq(listed.as_object().expect("an object").keys()));
    for (name, value) in listed.as_object().expect("an object") {
        match (value.as_f64(), event[name].as_f64()) {
            (Some(one), Some(other)) => assert!((one - other).abs() < 1e-5, "{name}: {event:?}"),
            _ => assert_eq!(value, &event[name], "{name}"),
        }
    }
}

/// A sample of the metrics.
fn sample(paddock: &Paddock, name: &str) -> u64 {
    let text = paddock.admin_get("/metrics").text();
    let value = text.lines().find_map(|line| line.strip_prefix(name));
    value.expect("a sample").trim().parse().expect("a count")
}

#[test]
fn the_events_of_a_thousand_requests_arrive_once() {
    let receiver = Receiver::start(|_| OK);
    let builder = posting(&receiver.url());
    let token = builder.directory().join("token");
    fs::write(&token, "s3cret\n").expect("a file");
    let paddock = builder
        .config("telemetry.events_token_file = 'token'\nmodels.m.parallel = 4")
        .start();
    let asked = chats(&paddock, 2, 500);
    assert_eq!(dropped(&paddock), 0, "a worker could not list them all");
    let requests = receiver.wait_requests(1000);
    assert_eq!(ids(&requests), asked);

    // Each is what the admin plane lists.
    let listed = paddock.admin_get("/api/requests?limit=1000").json();
    let listed = listed["requests"].as_array().expect("requests").iter();
    let listed: BTreeMap<u64, &Value> = listed
        .map(|row| (row["seq"].as_u64().expect("a place"), row))
        .collect();
    for request in &requests {
        assert_same(request, listed[&request["seq"].as_u64().expect("a place")]);
    }
    let lives = receiver.taken().into_iter();
    let lives: Vec<String> = lives
        .filter(|event| event["type"] == "lifecycle" && event["model"] == "m")
        .map(|event| event["event"].as_str().expect("an event").to_owned())
        .collect();
    assert_eq!(lives, ["load_started", "ready"]);
    assert_eq!(receiver.taken()[0]["event"], "started");

    let posts = receiver.posts();
    let keys: BTreeSet<&str> = posts.iter().map(Post::key).collect();
    assert_eq!(keys.len(), posts.len());
    for post in &posts {
        assert!(
            post.head.starts_with("POST /events?from=here HTTP/1.1\r\n"),
            "{}",
            post.head
        );
        assert_eq!(post.field("authorization"), Some("Bearer s3cret"));
        assert_eq!(post.field("content-type"), Some("application/json"));
        assert!(post.events().len() <= 500);
        for secret in ["messages", "content", "hi\"", "token0"] {
            assert!(!post.body.contains(secret), "{secret}: {}", post.body);
        }
    }
    let all = posts.iter().map(|post| post.events().len() as u64).sum();
    wait_until(LIMIT, "the posts to be counted", || {
        sample(&paddock, "paddock_events_posted_total ") >= all
    });

    // Another token is shown from now on.
    fs::write(&token, "0ther").expect("a file");
    assert_eq!(paddock.ask(named("last")).status, 200);
    receiver.wait_requests(1001);
    let last = receiver.posts().pop().expect("a post");
    assert_eq!(last.field("authorization"), Some("Bearer 0ther"));
    assert!(!paddock.stderr().all().concat().contains("s3cret"));
}

#[test]
fn a_receiver_that_fails_delays_no_request_and_gets_all_of_them() {
    let receiver = Receiver::start(|number| match number {
        0 => Reply::Hang,
        1 => Reply::Status(500, ""),
        2 => Reply::Status(429, "Retry-After: 1\r\n"),
        _ => OK,
    });
    let paddock = posting(&receiver.url()).start();
    assert_eq!(paddock.ask(named("first")).status, 200);
    wait_until(LIMIT, "a post", || receiver.posts().len() == 1);
    let mut asked = chats(&paddock, 2, 100);
    assert_eq!(
        receiver.posts().len(),
        1,
        "it hangs, and every request has its answer"
    );
    asked.insert("first".to_owned());
    let requests = receiver.wait_requests(201);
    assert_eq!(ids(&requests), asked);
    let posts = receiver.posts();
    for post in &posts[1..4] {
        assert_eq!((post.key(), &post.body), (posts[0].key(), &posts[0].body));
    }
    assert_ne!(posts[4].key(), posts[0].key());
    let said = paddock.stderr().all().concat();
    assert_eq!(said.matches("cannot deliver events").count(), 1);
    assert_eq!(said.matches("events are being delivered again").count(), 1);
}

#[test]
fn what_a_receiver_refuses_is_counted_and_not_posted_again() {
    let receiver = Receiver::start(|number| match number {
        0 => Reply::Status(404, ""),
        _ => OK,
    });
    let paddock = posting(&receiver.url()).start();
    wait_until(LIMIT, "a post", || !receiver.posts().is_empty());
    let refused = receiver.posts()[0].events().len() as u64;
    let counted = || {
        sample(
            &paddock,
            "paddock_events_dropped_total{reason=\"refused\"} ",
        )
    };
    wait_until(LIMIT, "it to be counted", || counted() == refused);
    assert_eq!(paddock.ask(named("one")).status, 200);
    let requests = receiver.wait_requests(1);
    assert_eq!(ids(&requests), BTreeSet::from(["one".to_owned()]));
    let keys: BTreeSet<String> = receiver
        .posts()
        .iter()
        .map(|post| post.key().to_owned())
        .collect();
    assert_eq!(keys.len(), receiver.posts().len());
    assert_eq!(counted(), refused);
}

#[test]
fn what_is_left_is_posted_at_the_end() {
    let receiver = Receiver::start(|number| match number {
        0 => Reply::Status(503, "Retry-After: 300\r\n"),
        1 => Reply::Status(500, ""),
        _ => OK,
    });
    let mut paddock = posting(&receiver.url()).start();
    wait_until(LIMIT, "a post", || receiver.posts().len() == 1);
    let asked = chats(&paddock, 1, 20);
    assert_eq!(receiver.posts().len(), 1, "nothing more before the end");
    assert_eq!(paddock.stop(Signal::TERM).code(), Some(0));
    // Before it ends, not some time after it.
    let mut requests = receiver.taken();
    requests.retain(|event| event["type"] == "request");
    assert_eq!(ids(&requests), asked);
    let last = receiver.taken().pop().expect("an event");
    assert_eq!(
        (&last["event"], &last["reason"]),
        (&"stopped".into(), &"signal".into())
    );
}

#[test]
fn a_receiver_that_hangs_holds_up_the_end_for_seconds_at_most() {
    let receiver = Receiver::start(|_| Reply::Hang);
    let mut paddock = posting(&receiver.url()).start();
    chats(&paddock, 1, 20);
    wait_until(LIMIT, "a post", || !receiver.posts().is_empty());
    let begun = now();
    assert_eq!(paddock.stop(Signal::TERM).code(), Some(0));
    assert!(begun.elapsed() < LIMIT / 2, "{:?}", begun.elapsed());
    let said = paddock.stderr().all().concat();
    assert!(said.contains("undelivered events: they are lost"), "{said}");
}
