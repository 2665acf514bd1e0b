//! The recorded versions, and a paddock with the same model and settings as at the recording.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use paddock_e2e::harness::{Connection, LIMIT, Paddock, PaddockBuilder, post, wait_until};
use serde_json::{Value, json};

/// The id of the recorded request.
pub(crate) const REQUEST_ID: &str = "recorded-request";

/// Returns the directory of the recorded versions.
pub(crate) fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/upgrades/versions")
}

/// Returns the directories of all recorded versions.
pub(crate) fn versions() -> Vec<PathBuf> {
    let entries = fs::read_dir(directory()).unwrap();
    let versions: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    assert!(!versions.is_empty());
    versions
}

/// Returns a paddock whose engine reads slowly enough that saving a conversation pays off.
pub(crate) fn builder() -> PaddockBuilder {
    paddock_e2e::paddock!()
        .engine_args(["--fake-read-ms", "50"])
        .config("engine.env.FAKE_SAVES_SLOTS = '1'")
}

/// Sends a chat that is long enough to be saved.
pub(crate) fn chat(paddock: &Paddock) {
    let words = "the quick brown fox jumps over the lazy dog ".repeat(40);
    let body = json!({"model": "m", "messages": [{"role": "user", "content": words}]});
    let request = post("/v1/chat/completions", &body.to_string());
    let head = format!("\r\nX-Request-Id: {REQUEST_ID}\r\n\r\n");
    let answer = paddock.ask(request.replacen("\r\n\r\n", &head, 1));
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// Unloads the model, which saves its conversation.
pub(crate) fn unload(paddock: &Paddock) {
    let unload = post("/api/models/m/unload?wait=true", "");
    assert_eq!(Connection::connect(paddock.admin()).ask(unload).status, 200);
    wait_until(LIMIT, "a context", || contexts(paddock)["stored"] == 1);
}

pub(crate) fn contexts(paddock: &Paddock) -> Value {
    paddock.model()["contexts"].clone()
}

/// Copies a version's state and makes it as old as today, because paddock deletes old state.
pub(crate) fn copy_state(version: &Path, directory: &Path) {
    let state = directory.join("state");
    copy_privately(&version.join("state"), &state);
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let seconds = i64::try_from(seconds.as_secs()).unwrap();
    for (file, table, column, unit) in [
        ("activity.sqlite", "requests", "at_us", 1_000_000),
        ("activity.sqlite", "events", "at_us", 1_000_000),
        ("learned.sqlite", "lessons", "used_at", 1),
        ("contexts/contexts.sqlite", "contexts", "used_at", 1),
    ] {
        let database = rusqlite::Connection::open(state.join(file)).unwrap();
        let update = format!("UPDATE {table} SET {column} = ?1");
        let rows = database.execute(&update, [seconds * unit]).unwrap();
        assert!(rows > 0, "{file} has no {table}");
    }
}

/// Copies a directory with access for its owner only, as paddock requires.
pub(crate) fn copy_privately(from: &Path, to: &Path) {
    DirBuilder::new().mode(0o700).create(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_privately(&entry.path(), &target);
            continue;
        }
        let mut options = OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600);
        let mut file = file.open(target).unwrap();
        file.write_all(&fs::read(entry.path()).unwrap()).unwrap();
    }
}
