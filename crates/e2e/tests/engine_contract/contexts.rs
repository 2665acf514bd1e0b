//! Saving, restoring and erasing slots, and cached prompts.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;

use paddock_e2e::harness::{HttpResponse, get, post, real};
use serde_json::Value;
use tempfile::TempDir;

use crate::engine::{Engine, Kind};
use crate::shape;

/// An engine with one slot and a directory for slot files.
struct Saving {
    engine: Engine,
    directory: TempDir,
}

impl Saving {
    fn start(kind: Kind) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let model = real::context_model("llama").display().to_string();
        let path = format!("{}/", directory.path().display());
        let args = ["-m", &model, "-c", "1024", "-np", "1", "--metrics"];
        let args = [&args[..], &["--slot-save-path", &path]].concat();
        let engine = Engine::start_without_model(kind, &args, &[]);
        engine.wait_listening();
        Self { engine, directory }
    }

    fn act(&self, action: &str, file: &str) -> HttpResponse {
        let path = format!("/slots/0?action={action}");
        self.engine
            .ask(post(&path, &format!(r#"{{"filename":"{file}"}}"#)))
    }

    /// Makes the engine read a prompt and returns the number of cached tokens.
    fn read(&self, prompt: &str) -> u64 {
        let body = format!(r#"{{"prompt":{prompt},"n_predict":0,"id_slot":0}}"#);
        let answer = self.engine.ask(post("/completion", &body));
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["timings"]["cache_n"].as_u64().unwrap()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

/// A prompt of 62 characters as JSON; each character is a token for both engines.
const PROMPT: &str = r#""The quick brown fox jumps over the lazy dog and runs far away.""#;

#[test]
fn slot_actions_have_the_same_answers() {
    let engines = Kind::BOTH.map(Saving::start);
    let body = format!(r#"{{"prompt":{PROMPT},"n_predict":2}}"#);
    let name = r#"{"filename":"a"}"#;
    let rows = [
        ("a prompt", post("/completion", &body)),
        ("slots that were used", get("/slots")),
        ("saved", post("/slots/0?action=save", name)),
        ("restored", post("/slots/0?action=restore", name)),
        ("erased", post("/slots/0?action=erase", "{}")),
        ("a number that wraps", post("/slots/9?action=save", name)),
        ("no number", post("/slots/x?action=save", name)),
        ("no such action", post("/slots/0?action=sell", name)),
        (
            "a path",
            post("/slots/0?action=save", r#"{"filename":"../a"}"#),
        ),
        (
            "no such file",
            post("/slots/0?action=restore", r#"{"filename":"b"}"#),
        ),
    ];
    for (row, request) in rows {
        let [claimed, real] = engines.each_ref().map(|saving| saving.engine.ask(&request));
        assert_eq!(claimed.status, real.status, "{row}: {real:?}");
        if real.status != 200 {
            assert_eq!(claimed.text(), real.text(), "{row}");
        }
        let differences = shape::differences(&claimed.json(), &real.json());
        assert!(differences.is_empty(), "{row}: {differences:#?}");
    }
    for saving in &engines {
        let page = saving.engine.get("/metrics").text();
        for counter in ["prompt_tokens_total 6", "prompt_seconds_total "] {
            let line = format!("\nllamacpp:{counter}");
            assert!(page.contains(&line), "no {counter:?} in {page}");
        }
    }
}

#[test]
fn answers_state_the_length_of_the_file() {
    for kind in Kind::BOTH {
        let saving = Saving::start(kind);
        saving.read(PROMPT);
        let saved = saving.act("save", "a").json();
        let length = fs::metadata(saving.file("a")).unwrap().len();
        assert_eq!(saved["n_written"], length, "{kind:?}");
        let restored = saving.act("restore", "a").json();
        assert_eq!(restored["n_read"], length, "{kind:?}");
        assert_eq!(restored["n_restored"], saved["n_saved"], "{kind:?}");
        let slots = saving.engine.get("/slots").json();
        assert_eq!(slots[0]["n_prompt_tokens"], saved["n_saved"], "{kind:?}");
    }
}

#[test]
fn a_prompt_is_cached_in_its_slot_in_the_prompt_cache_and_in_a_file() {
    for kind in Kind::BOTH {
        let saving = Saving::start(kind);
        // The real engine adds a token before the text.
        let all_but_one = |cached: u64| assert!((61..=62).contains(&cached), "{kind:?}: {cached}");
        assert_eq!(saving.read(PROMPT), 0, "{kind:?}");
        all_but_one(saving.read(PROMPT));
        assert_eq!(saving.act("save", "a").status, 200, "{kind:?}");
        // Another conversation moves this one to the prompt cache, from where the next request takes it back.
        assert_eq!(saving.read("[300]"), 0, "{kind:?}");
        all_but_one(saving.read(PROMPT));
        assert_eq!(saving.act("erase", "").status, 200, "{kind:?}");
        assert_eq!(saving.read(PROMPT), 0, "{kind:?}");
        assert_eq!(saving.act("erase", "").status, 200, "{kind:?}");
        assert_eq!(saving.act("restore", "a").status, 200, "{kind:?}");
        assert_eq!(saving.read("[300]"), 0, "{kind:?}");
        all_but_one(saving.read(PROMPT));
    }
}

#[test]
fn a_damaged_file_aborts_the_engine() {
    for kind in Kind::BOTH {
        let mut saving = Saving::start(kind);
        saving.read(PROMPT);
        assert_eq!(saving.act("save", "a").status, 200);
        let whole = fs::read(saving.file("a")).unwrap();
        fs::write(saving.file("a"), &whole[..whole.len() / 2]).unwrap();
        let mut connection = saving.engine.connect();
        connection.send(post("/slots/0?action=restore", r#"{"filename":"a"}"#));
        assert_eq!(connection.rest(), b"", "{kind:?}");
        assert_eq!(saving.engine.wait_exit().signal(), Some(6), "{kind:?}");
    }
}

#[test]
fn the_stand_in_simulates_failures_of_saves_and_restores() {
    let row = |how: &str| {
        let args = ["--fake-slot-fail", how];
        let directory = tempfile::tempdir().unwrap();
        let path = format!("{}/", directory.path().display());
        let args = [&args[..], &["--slot-save-path", &path, "-np", "1"]].concat();
        let engine = Engine::start_without_model(Kind::StandIn, &args, &[]);
        engine.wait_listening();
        Saving { engine, directory }
    };
    for (how, status, left) in [
        ("save", 500, None),
        ("enospc", 500, Some(false)),
        ("truncate", 200, Some(false)),
        ("restore", 200, Some(true)),
    ] {
        let saving = row(how);
        saving.read(PROMPT);
        let saved = saving.act("save", "a");
        assert_eq!(saved.status, status, "{how}");
        let length = fs::metadata(saving.file("a")).map(|file| file.len()).ok();
        let whole = saved.json().get("n_written").and_then(Value::as_u64);
        let is_whole = length.map(|length| Some(length) == whole);
        assert_eq!(is_whole, left, "{how}");
        if how == "restore" {
            assert_eq!(saving.act("restore", "a").status, 400);
        }
    }
    let saving = row("hang");
    let mut connection = saving.engine.connect();
    connection.send(post("/slots/0?action=save", r#"{"filename":"a"}"#));
    assert!(!connection.is_closed_within(paddock_e2e::harness::WATCH_TIME));
    assert_eq!(saving.engine.get("/health").status, 200);
}
