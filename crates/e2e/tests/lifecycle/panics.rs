//! A part of paddock panics: what is in flight is told so, and nothing is left behind.

use std::time::Duration;

use paddock_e2e::harness::{Connection, Paddock, get, post};
use paddock_e2e::paddock;

use crate::requests::PACED;

/// How long paddock may take to be gone.
const END: Duration = Duration::from_secs(5);

/// Makes a part panic; the spawner does so when it starts another child. The answer may be lost with it.
fn panic(paddock: &Paddock, part: &str) {
    let ask = |path: &str| {
        let _ = Connection::connect(paddock.admin()).try_ask(post(path, ""));
    };
    ask(&format!("/api/panic/{part}"));
    if part == "spawner" {
        ask("/api/models/other/load");
    }
}

/// A paddock with a second model, whose child is ready and does not end of a signal soon.
fn paced() -> Paddock {
    let builder = paddock!().engine_args(PACED);
    let other = format!("models.other.path = '{}'", builder.model_path().display());
    let paddock = builder
        .config("server.drain_timeout = '1s'")
        .config("models.m.preload = true")
        .config("server.default_model = 'm'")
        .config(&other)
        .start();
    paddock.wait_ready();
    paddock
}

#[test]
fn without_its_actor_paddock_ends_and_says_why() {
    for part in ["runtime", "spawner", "worker"] {
        let mut paddock = paced();
        panic(&paddock, part);
        let status = paddock.wait_exit(END);
        assert_eq!(status.code(), Some(1), "{part}");
        assert_eq!(paddock.leftovers(), [""; 0], "{part}");
        let said = paddock.stderr().all().join("\n");
        assert!(said.contains("was told to panic"), "{said}");
        assert!(said.contains("please report it"), "{said}");
    }
}

#[test]
fn a_panic_for_one_operator_is_nobody_elses() {
    let paddock = paced();
    panic(&paddock, "admin");
    paddock.stderr().wait_for(END, "was told to panic");
    assert_eq!(paddock.admin_get("/livez").status, 200);
    assert_eq!(paddock.ask(get("/health")).status, 200);
}
