//! Finds the real llama-server, a real model and third-party clients, for tests without the fake.
//! An environment variable names each path; without the variable a script finds or builds the file.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

// Each path is found once per test process.
static ENGINE: LazyLock<PathBuf> = LazyLock::new(|| find_path("PADDOCK_TEST_ENGINE", "engine"));
static MODEL: LazyLock<PathBuf> = LazyLock::new(|| find_path("PADDOCK_TEST_MODEL", "model"));
static CONTEXT_MODELS: LazyLock<PathBuf> =
    LazyLock::new(|| find_path("PADDOCK_TEST_CONTEXT_MODELS", "context-models"));
static CLIENTS: LazyLock<PathBuf> = LazyLock::new(|| find_path("PADDOCK_TEST_CLIENTS", "clients"));

/// Arguments for a fast start of the engine. One thread, because several threads wait for each
/// other by spinning, which takes very long on a busy machine; no options that slow down the start.
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

/// Returns the path of a llama-server; builds it if missing, which takes minutes.
pub fn engine() -> &'static Path {
    &ENGINE
}

/// Returns the path of a small model; fetches it if missing.
pub fn model() -> &'static Path {
    &MODEL
}

/// Returns the path of a model for tests of kept contexts: `smollm2`, or a model that `scripts/tiny-models` writes.
/// Downloads and writes the models if missing.
pub fn context_model(name: &str) -> PathBuf {
    let path = CONTEXT_MODELS.join(format!("{name}.gguf"));
    path.canonicalize().expect("a model for kept contexts")
}

/// Returns the directory of third-party clients; installs them if missing.
pub fn clients() -> &'static Path {
    &CLIENTS
}

/// Returns the variable's value, or else the script's output.
fn find_path(variable: &str, script: &str) -> PathBuf {
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
