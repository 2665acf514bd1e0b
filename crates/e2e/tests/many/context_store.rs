//! The store of kept contexts: its directory, its limits, and its encryption.

use paddock_e2e::harness::{Connection, LIMIT, Paddock, PaddockBuilder, Signal, post, wait_until};
use serde_json::{Value, json};
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Returns a paddock whose engine reads slowly enough that saving a conversation pays off.
fn slow_reader() -> PaddockBuilder {
    paddock_e2e::paddock!()
        .engine_args(["--fake-read-ms", "50"])
        .config("engine.env.FAKE_SAVES_SLOTS = '1'")
}

/// Sends a long chat and returns the number of cached tokens.
fn chat(paddock: &Paddock) -> u64 {
    let words = "the quick brown fox jumps over the lazy dog ".repeat(40);
    let body = json!({"model": "m", "messages": [{"role": "user", "content": words}]});
    let answer = paddock.post("/v1/chat/completions", &body.to_string());
    assert_eq!(answer.status, 200, "{}", answer.text());
    let usage = &answer.json()["usage"];
    usage["prompt_tokens_details"]["cached_tokens"]
        .as_u64()
        .unwrap_or(0)
}

fn unload(paddock: &Paddock) {
    let unload = post("/api/models/m/unload?wait=true", "");
    assert_eq!(Connection::connect(paddock.admin()).ask(unload).status, 200);
}

/// Returns the context files in a directory.
fn context_files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    paths
        .filter(|path| path.extension().is_some_and(|end| end == "slot"))
        .collect()
}

/// Sends a chat and unloads the model, which saves the context.
fn save_chat(paddock: &Paddock, directory: &Path) {
    chat(paddock);
    unload(paddock);
    wait_until(LIMIT, "a context", || !context_files(directory).is_empty());
}

fn not_kept(paddock: &Paddock) -> Value {
    paddock.model()["contexts"]["not_kept"].clone()
}

#[test]
fn encrypted_contexts_are_restored() {
    if !Path::new("/dev/shm").is_dir() {
        return;
    }
    let builder = slow_reader();
    let key = builder.directory().join("context.key");
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(&key);
    file.unwrap().write_all(&[7; 32]).unwrap();
    let directory = builder.directory().join("kept");
    let mut paddock = builder
        .config("context_cache.dir = 'kept'\ncontext_cache.encryption_key_file = 'context.key'")
        .start();
    save_chat(&paddock, &directory);
    assert!(chat(&paddock) > 0, "the conversation was restored");
    let files = context_files(&directory);
    assert!(!files.is_empty());
    for file in files {
        let bytes = fs::read(file).unwrap();
        assert!(bytes.starts_with(b"paddctx1"), "encrypted");
    }
    // A killed paddock would leave its directory in /dev/shm.
    assert!(paddock.stop(Signal::TERM).success());
}

#[test]
fn a_reload_applies_the_quota_and_context_cache() {
    let builder = slow_reader();
    let text = builder.config_text();
    let paddock = builder.start();
    let reload = |more: &str| {
        fs::write(
            paddock.directory().join("paddock.toml"),
            format!("{more}\n{text}"),
        )
        .unwrap();
        let answer = Connection::connect(paddock.admin()).ask(post("/api/reload", ""));
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    };
    let directory = paddock.directory().join("state/contexts");
    save_chat(&paddock, &directory);

    reload("context_cache.quota = '0B'");
    wait_until(LIMIT, "no context", || context_files(&directory).is_empty());
    assert_eq!(chat(&paddock), 0);
    assert_eq!(not_kept(&paddock), "`quota` under [context_cache] is 0");
    unload(&paddock);

    reload("defaults.context_cache = false");
    chat(&paddock);
    assert_eq!(not_kept(&paddock), "`context_cache` is false for the model");

    let report = reload("context_cache.dir = 'elsewhere'");
    assert_eq!(report["at_next_start"], json!(["context_cache.dir"]));
}

#[test]
fn a_directory_that_others_may_enter_is_refused_and_left_alone() {
    let builder = slow_reader();
    let open = builder.directory().join("open");
    DirBuilder::new().mode(0o755).create(&open).unwrap();
    let paddock = builder.config("context_cache.dir = 'open'").start();
    chat(&paddock);
    let reason = "the context store cannot be used; the log says why";
    assert_eq!(not_kept(&paddock), reason);
    let lines = paddock.stderr().all();
    let expected = "other users have access to it (mode 755";
    assert!(
        lines.iter().any(|line| line.contains(expected)),
        "{lines:#?}"
    );
    assert_eq!(fs::read_dir(&open).unwrap().count(), 0);
    let mode = fs::metadata(&open).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o755);
}
