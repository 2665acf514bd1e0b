//! Failures of saves and restores, with the stand-in: the prompt is read again, and no request fails.

use std::time::Duration;

use paddock_e2e::harness::{Paddock, now};
use serde_json::json;

use crate::support::{ask, assert_no_crash, swap_to, text};

/// Maximum delay of a swap by a failure: a second for the save, and more on a busy machine.
const DELAY_LIMIT: Duration = Duration::from_secs(6);

fn start(args: &[&str]) -> Paddock {
    paddock_e2e::paddock!()
        .engine_args(["--fake-read-ms", "20"])
        .engine_args(args.iter().copied())
        .config("engine.env.FAKE_SAVES_SLOTS = '1'")
        .config("scheduler.max_loaded = 1\nscheduler.min_residency = '0s'")
        .config("models.other.path = 'm.gguf'")
        .start()
}

/// Sends a prompt, swaps models, and sends the prompt again. Returns the number of cached tokens.
fn cached_after_swap(paddock: &Paddock) -> u64 {
    let prompt = text("A story", 200);
    let read = || {
        let body = json!({"model": "m", "prompt": prompt, "n_predict": 1});
        let answer = ask(paddock, "/completion", &body);
        answer["timings"]["cache_n"].as_u64().unwrap()
    };
    assert_eq!(read(), 0);
    let began = now();
    swap_to(paddock, "other");
    let cached = read();
    assert!(began.elapsed() < DELAY_LIMIT, "{:?}", began.elapsed());
    cached
}

#[test]
fn after_each_failure_the_prompt_is_read_again_and_no_request_fails() {
    for how in ["save", "restore", "truncate", "enospc", "hang"] {
        let paddock = start(&["--fake-slot-fail", how]);
        assert_eq!(cached_after_swap(&paddock), 0, "{how}");
        assert_no_crash(&paddock);
    }
}
