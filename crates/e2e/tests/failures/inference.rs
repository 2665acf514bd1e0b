//! A child that answers `/health` and fails its requests is replaced; one whose requests are at fault is not.

use std::fs;

use paddock_e2e::harness::{LIMIT, Paddock, post, wait_for};
use paddock_e2e::paddock;

/// Sends a prompt to one of the routes for completions, and returns the status of the answer.
fn complete(paddock: &Paddock, prompt: &str) -> u16 {
    let body = format!(r#"{{"prompt":"{prompt}"}}"#);
    paddock.ask(post("/v1/completions", &body)).status
}

/// Returns how many requests the child has had, probes included.
fn served(paddock: &Paddock) -> u64 {
    let state = paddock.child_get("/__fake/state").json();
    state["requests_served"].as_u64().unwrap()
}

/// Waits until the child has had this many requests, and nothing speaks against it any more.
fn wait_until_cleared(paddock: &Paddock, requests: u64) {
    wait_for(LIMIT, "the probes of a child that works", || {
        let is_probed = served(paddock) >= requests;
        (is_probed && paddock.model()["suspicion"].is_null()).then_some(())
    });
}

#[test]
fn a_child_that_fails_every_completion_is_replaced_and_the_next_one_serves() {
    let builder = paddock!();
    let lost = builder.directory().join("lost");
    let at = format!("lost:{}", lost.display());
    let paddock = builder.engine_args(["--fake-compute-error", &at]).start();
    paddock.wait_ready();
    assert_eq!(complete(&paddock, "a"), 200);
    let first = paddock.child();

    fs::write(&lost, "").unwrap();
    assert_eq!(complete(&paddock, "a"), 500);
    // What the child has lost is lost for it alone.
    fs::remove_file(&lost).unwrap();
    assert_eq!(paddock.child_get("/health").status, 200);
    for _ in 0..2 {
        assert_eq!(complete(&paddock, "a"), 500);
    }
    let suspect = paddock
        .stderr()
        .wait_for(LIMIT, "inference requests failed with server errors");
    assert!(suspect.contains("may be stuck"), "{suspect}");
    let failure = wait_for(LIMIT, "another child", || {
        let model = paddock.model();
        (model["restarts"] == 1).then(|| model["failure"].clone())
    });
    assert_eq!(complete(&paddock, "a"), 200);
    assert_ne!(paddock.child(), first);
    let explained = paddock.admin_get("/api/models/m/explain").text();
    assert!(
        explained.contains("inference_failed"),
        "{failure}: {explained}"
    );
}

#[test]
fn requests_that_fail_in_every_child_do_not_cost_a_healthy_one_its_life() {
    let paddock = paddock!()
        .engine_args(["--fake-compute-error", "prompt:poison"])
        .start();
    paddock.wait_ready();
    let (child, before) = (paddock.child(), served(&paddock));
    for _ in 0..6 {
        assert_eq!(complete(&paddock, "poison"), 500);
    }
    wait_until_cleared(&paddock, before + 7);
    assert_eq!(complete(&paddock, "a"), 200);
    assert_eq!(paddock.child(), child);
    assert_eq!(paddock.model()["restarts"], 0);
}

#[test]
fn a_model_for_embeddings_that_is_asked_for_completions_is_left_alone() {
    let paddock = paddock!()
        .engine_args(["--embeddings", "--fake-compute-error", "completions"])
        .start();
    paddock.wait_ready();
    let (child, before) = (paddock.child(), served(&paddock));
    for _ in 0..3 {
        assert_eq!(complete(&paddock, "a"), 500);
    }
    // The probe for a completion fails as well, the one for an embedding does not.
    wait_until_cleared(&paddock, before + 5);
    let embedded = paddock.ask(post("/v1/embeddings", r#"{"input":"a"}"#));
    assert_eq!(embedded.status, 200);
    assert_eq!(paddock.child(), child);
    assert_eq!(paddock.model()["restarts"], 0);
}

#[test]
fn errors_of_clients_send_no_probe() {
    let paddock = paddock!().start();
    paddock.wait_ready();
    let before = served(&paddock);
    for _ in 0..4 {
        let incomplete = paddock.ask(post("/v1/completions", "{}"));
        assert_eq!(incomplete.status, 400);
        let not_offered = paddock.ask(post("/v1/embeddings", r#"{"input":"a"}"#));
        assert_eq!(not_offered.status, 501);
    }
    assert!(paddock.model()["suspicion"].is_null());
    assert_eq!(served(&paddock), before + 8);
}
