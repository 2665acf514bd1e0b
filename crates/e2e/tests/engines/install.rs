//! Engines that are installed, chosen, used and removed.

use std::fs;

use paddock_e2e::harness::{Connection, post};
use serde_json::{Value, json};

use crate::support::{User, asset};

#[test]
fn a_release_is_installed_used_and_rolled_back() {
    let user = User::new();
    let none = user.types("engine list");
    assert!(none.stderr.contains("paddock engine install"), "{none:#?}");
    user.release("b11400");
    let first = user.succeeds("engine install --backend cpu");
    assert_eq!(
        first,
        "b11400 installed: version: b11400\nb11400 is in use; restart `paddock serve` if it is running\n"
    );
    user.release("b11434");
    let second = user.succeeds("engine install --backend cpu");
    assert!(second.contains("b11434 is in use"), "{second}");
    assert!(
        second.ends_with("to go back: paddock engine use b11400\n"),
        "{second}"
    );
    assert_eq!(
        user.names(),
        ["b11400", "b11434", "current", "digests.json"]
    );

    let back = user.succeeds("engine use b11400");
    assert!(
        back.ends_with("to go back: paddock engine use b11434\n"),
        "{back}"
    );
    let list: Value = serde_json::from_str(&user.succeeds("engine list --json")).unwrap();
    let engines = list["engines"].as_array().unwrap();
    let names: Vec<_> = engines
        .iter()
        .map(|engine| (&engine["name"], &engine["current"]))
        .collect();
    assert_eq!(
        names,
        [
            (&"b11400".into(), &true.into()),
            (&"b11434".into(), &false.into())
        ]
    );
    let digest = engines[0]["archives"][0]["sha256"].as_str().unwrap();
    assert_eq!(digest.len(), 64);

    let error = user.fails("engine remove b11400");
    assert!(
        error.contains(
            "b11400 is in use\n  = help: use another one first: paddock engine use b11434"
        )
    );
    assert_eq!(user.succeeds("engine remove b11434"), "removed b11434\n");
    let error = user.fails("engine remove b11434");
    assert!(error.contains("b11434 is not installed"), "{error}");
    let error = user.fails("engine use b11434");
    assert!(error.contains("b11434 is not installed"), "{error}");
}

#[test]
fn an_engine_is_not_downloaded_twice_and_leaves_no_archive() {
    let user = User::new();
    user.release("b1");
    user.succeeds("engine install b1 --backend cpu --no-use");
    let downloads = || {
        let requests = user.mirror.requests();
        requests
            .iter()
            .filter(|head| head.contains("/objects/"))
            .count()
    };
    let before = downloads();
    assert!(before > 0);
    let again = user.succeeds("engine install b1 --backend cpu");
    assert!(again.starts_with("b1 was already installed"), "{again}");
    assert_eq!(downloads(), before);
    assert!(!user.engines().join(".downloads").exists());
}

#[test]
fn a_cut_download_is_completed() {
    let user = User::new();
    let program = format!("#!/bin/sh\necho version: 1\n#{}\n", "x".repeat(500_000));
    user.release_of("b1", program.as_bytes());
    user.mirror.cut(3, 100_000);
    user.succeeds("engine install --backend cpu");
    let installed = fs::read(user.engines().join("b1/llama-b1/llama-server")).unwrap();
    assert_eq!(installed, program.as_bytes());
}

#[test]
fn serve_uses_the_installed_engine_until_the_next_start() {
    let user = User::new();
    let program = fs::read(user.paddock.engine_path()).unwrap();
    user.release_of("b1", &program);
    user.succeeds("engine install --backend cpu");
    user.release_of("b2", &program);
    user.succeeds("engine install --backend cpu --no-use");
    let checked =
        user.succeeds("check --json --model m.gguf --listen 127.0.0.1:0 --admin 127.0.0.1:0");
    let checked: Value = serde_json::from_str(&checked).unwrap();
    let want = user.engines().join("b1/llama-b1/llama-server");
    assert_eq!(checked["engine"], want.display().to_string());

    let mut switch = user.paddock.command();
    let paddock = user.paddock.engine("llama-server").start();
    paddock.wait_ready();
    let answer = paddock.post("/completion", r#"{"prompt":"a","n_predict":3}"#);
    assert_eq!(answer.status, 200);

    let child = paddock.child();
    assert!(
        switch
            .args(["engine", "use", "b2"])
            .status()
            .unwrap()
            .success()
    );
    let answer = Connection::connect(paddock.admin()).ask(post("/api/reload", ""));
    assert_eq!(answer.json()["at_next_start"], json!(["engine.command"]));
    assert_eq!(answer.json()["changed"], json!([]));
    assert_eq!(paddock.child(), child);
}

#[test]
fn the_feed_is_listed_with_the_build_for_this_machine() {
    let user = User::new();
    user.release("b1");
    user.mirror
        .add(paddock_e2e::mirror::releases::MirrorRelease {
            tag: "v1.0.0".to_owned(),
            ..Default::default()
        });
    let list: Value =
        serde_json::from_str(&user.succeeds("engine list --available --json")).unwrap();
    let releases = list["releases"].as_array().unwrap();
    assert_eq!(releases[0]["tag"], "v1.0.0");
    assert_eq!(
        releases[0]["unsuitable"],
        "the release has no build for this system"
    );
    assert_eq!(releases[1]["installed"], false);
    assert!(releases[1]["name"].as_str().unwrap().starts_with("b1"));
    let error = user.fails("engine install b7");
    assert!(
        error.contains("there is no release b7 of llama.cpp"),
        "{error}"
    );
    let installed = user.succeeds("engine install --backend cpu");
    assert!(installed.starts_with("b1 installed"), "{installed}");
    assert!(asset("b1", "").starts_with("llama-b1"));
}
