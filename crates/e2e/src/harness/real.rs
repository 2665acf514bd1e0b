//! The real engine and the real model, and what else the scripts find or make.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

static ENGINE: LazyLock<PathBuf> = LazyLock::new(|| named("PADDOCK_TEST_ENGINE", "engine"));
static MODEL: LazyLock<PathBuf> = LazyLock::new(|| named("PADDOCK_TEST_MODEL", "model"));
static CLIENTS: LazyLock<PathBuf> = LazyLock::new(|| named("PADDOCK_TEST_CLIENTS", "clients"));

/// Its arguments for a fast start. One thread: several wait for each other by spinning, which on a
/// busy machine takes for ever. Without what makes a start slow.
pub const SMALL: [&str; 8] = [
    "--threads",
    "1",
    "--threads-batch",
    "1",
    "--no-warmup",
    "--fit",
    "off",
    "--no-mmproj",
];

/// A llama-server; built where there is none, which takes minutes.
pub fn engine() -> &'static Path {
    &ENGINE
}

/// A small model; fetched where there is none.
pub fn model() -> &'static Path {
    &MODEL
}

/// The directory of other people's clients; installed where there is none.
pub fn clients() -> &'static Path {
    &CLIENTS
}

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
