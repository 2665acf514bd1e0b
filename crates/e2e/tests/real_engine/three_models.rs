//! One file under three names and contexts, in a budget for two.

use crate::support::{SMALL, engine, model};
use paddock_e2e::harness::{Connection, Paddock, post};
use std::thread;

const NAMES: [&str; 3] = ["short", "middle", "long"];

fn start() -> Paddock {
    let path = model().display().to_string();
    let models: Vec<String> = NAMES
        .iter()
        .zip([512, 1024, 2048])
        .map(|(name, context)| {
            format!("models.{name}.path = {path:?}\nmodels.{name}.context = {context}")
        })
        .collect();
    // Each takes about 290 MiB.
    paddock_e2e::paddock!()
        .engine(engine())
        .engine_args(SMALL)
        .config(&models.join("\n"))
        .config("memory.ram = '750MiB'\nscheduler.max_wait = '2s'\nscheduler.min_residency = '0s'")
        .start()
}

/// Streams an answer to its end, and says how many pieces it had.
fn stream(paddock: &Paddock, name: &str) -> usize {
    let body = format!(
        r#"{{"model":"{name}","stream":true,"max_tokens":12,"messages":[{{"role":"user","content":"Count to ten."}}]}}"#
    );
    let mut client = Connection::connect(paddock.public());
    client.send(post("/v1/chat/completions", &body));
    let head = client.head();
    assert_eq!(head.status, 200, "{name}");
    let (events, clean) = client.events();
    assert!(clean, "an answer of {name} was cut");
    assert_eq!(events.last().expect("an event").data(), "[DONE]");
    events.len()
}

#[test]
fn every_answer_is_whole_and_every_swap_explained() {
    let paddock = start();
    thread::scope(|scope| {
        for client in 0..3 {
            let paddock = &paddock;
            scope.spawn(move || {
                for round in 0..4 {
                    assert!(stream(paddock, NAMES[(client + round) % 3]) > 3);
                }
            });
        }
    });
    let status = paddock.status();
    let used = status["memory"]["used"]["host"].as_u64().unwrap();
    assert!(used <= 750 << 20, "{used} bytes are used: {status:#}");
    let mut left = 0;
    for name in NAMES {
        let told = paddock
            .admin_get(&format!("/api/models/{name}/explain"))
            .json();
        let told = told["decisions"].as_array().cloned().unwrap_or_default();
        let count = |what: &str| told.iter().filter(|told| told["what"] == what).count();
        let (ready, gone) = (count("ready"), count("evicted") + count("yields"));
        assert!(ready >= 1, "{name} was never ready: {told:#?}");
        // Each time it was loaded again it had gone, and why was said.
        assert!(gone + 1 >= ready, "{name} went without a word: {told:#?}");
        left += gone;
    }
    assert!(left >= 1, "three were in memory at once");
}

#[test]
fn what_is_measured_is_remembered() {
    let paddock = start();
    stream(&paddock, "long");
    let seen = || {
        let status = paddock.status();
        let models = status["models"].as_array().cloned().unwrap_or_default();
        let long = models
            .into_iter()
            .find(|model| model["id"] == "long")
            .unwrap();
        let bytes = |kind: &str| long["memory"][kind]["host"].as_u64();
        bytes("predicted").zip(bytes("measured"))
    };
    let limit = paddock_e2e::harness::LIMIT;
    let (predicted, measured) = paddock_e2e::harness::wait_for(limit, "a measurement", seen);
    let near = predicted * 4 / 5..predicted * 13 / 10;
    assert!(
        near.contains(&measured),
        "{predicted} predicted, {measured} measured"
    );
    assert!(paddock.directory().join("state/learned.sqlite").exists());
}
