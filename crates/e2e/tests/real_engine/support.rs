//! The real engine, as small as it can be run.

use paddock_e2e::harness::{Answer, Builder, Connection, LIMIT, Paddock};
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

static ENGINE: LazyLock<PathBuf> = LazyLock::new(|| named("PADDOCK_TEST_ENGINE", "engine"));
static MODEL: LazyLock<PathBuf> = LazyLock::new(|| named("PADDOCK_TEST_MODEL", "model"));

/// One thread: several wait for each other by spinning, which on a busy machine takes for ever.
/// Without what makes a start slow.
pub(crate) const SMALL: [&str; 8] = [
    "--threads",
    "1",
    "--threads-batch",
    "1",
    "--no-warmup",
    "--fit",
    "off",
    "--no-mmproj",
];

/// What the variable names, else what the script prints.
fn named(variable: &str, script: &str) -> PathBuf {
    if let Some(path) = env::var_os(variable) {
        return path.into();
    }
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts");
    let output = Command::new(scripts.join(script)).output();
    let output = output.expect("a script");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "scripts/{script}: {said}");
    let path = String::from_utf8(output.stdout).expect("a path");
    path.trim_end().into()
}

pub(crate) fn engine() -> &'static Path {
    &ENGINE
}

pub(crate) fn model() -> &'static Path {
    &MODEL
}

/// The engine with its own defaults for all that makes a start slow.
pub(crate) fn plain() -> Builder {
    paddock_e2e::paddock!()
        .engine(engine())
        .model(model())
        .config("models.m.context = 2048")
}

/// The engine with one slot, started fast.
pub(crate) fn small() -> Builder {
    plain().engine_args(SMALL)
}

/// Starts it and waits until the model is ready.
pub(crate) fn ready(builder: Builder) -> Paddock {
    let paddock = builder.start();
    paddock.wait_ready();
    paddock
}

/// Asks the child itself, past paddock.
pub(crate) fn direct(paddock: &Paddock) -> Connection {
    Connection::to(&paddock.child_address())
}

/// A request's answer with status 200.
pub(crate) fn ok(answer: Answer) -> Answer {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer
}

/// Whether each slot is at work.
pub(crate) fn busy(paddock: &Paddock) -> Vec<bool> {
    let slots = ok(paddock.child_get("/slots")).json();
    let slots = slots.as_array().expect("slots").iter();
    slots
        .map(|slot| slot["is_processing"].as_bool().expect("a state"))
        .collect()
}

/// Waits until no slot is at work.
pub(crate) fn wait_idle(paddock: &Paddock) {
    paddock_e2e::harness::wait_until(LIMIT, "idle slots", || !busy(paddock).contains(&true));
}
