//! API keys: made, listed, revoked.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use paddock_gguf::{GgmlType, builder::GgufBuilder};
use tempfile::TempDir;

/// A directory with a configuration of one model.
struct Place(TempDir);

const FILE: &str =
    "# mine\n[engine]\ncommand = './engine'   # here\n\n[models.m]\npath = 'm.gguf'\n";

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        let path = |name: &str| place.0.path().join(name);
        fs::write(path("engine"), "#!/bin/sh\n").unwrap();
        fs::set_permissions(path("engine"), fs::Permissions::from_mode(0o755)).unwrap();
        let model = GgufBuilder::new("llama").tensor("t", &[8], GgmlType::F32);
        fs::write(path("m.gguf"), model.build()).unwrap();
        place.write(FILE);
        place
    }

    fn write(&self, text: &str) {
        fs::write(self.0.path().join("paddock.toml"), text).unwrap();
    }

    fn text(&self) -> String {
        fs::read_to_string(self.0.path().join("paddock.toml")).unwrap()
    }

    /// Runs paddock and returns its exit code, standard output and standard error.
    fn run(&self, args: &str) -> (i32, String, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_paddock"))
            .args(args.split(' '))
            .current_dir(self.0.path())
            .env_clear()
            .env("HOME", self.0.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (
            output.status.code().unwrap(),
            text(output.stdout),
            text(output.stderr),
        )
    }
}

/// Hides the secret and its hash.
fn hidden(text: &str) -> String {
    let mut hidden = text.to_owned();
    for (start, length, shown) in [("pdk_", 64, "SECRET"), ("sha256:", 64, "HASH")] {
        while let Some(at) = hidden.find(start) {
            hidden.replace_range(at..at + start.len() + length, shown);
        }
    }
    hidden
}

#[test]
fn a_new_key_is_shown_once_and_its_hash_is_for_the_file() {
    let place = Place::new();
    let (code, secret, told) = place.run("key new laptop --allow inference,metrics --model m");
    assert_eq!(code, 0);
    assert_eq!(hidden(&secret), "SECRET\n");
    insta::assert_snapshot!("key_new", hidden(&told));
    assert!(!told.contains("pdk_"));
    assert_eq!(place.text(), FILE);
    let (_, again, _) = place.run("key new laptop");
    assert_ne!(secret, again);
}

#[test]
fn a_key_is_added_to_the_file_listed_and_revoked() {
    let place = Place::new();
    let (code, secret, told) = place.run("key new laptop --write");
    assert_eq!((code, hidden(&secret).as_str()), (0, "SECRET\n"), "{told}");
    insta::assert_snapshot!("key_new_written", told);
    assert!(place.text().starts_with(FILE));
    let (code, json, _) = place.run("key new ops --allow admin --write --json");
    assert_eq!(code, 0);
    insta::assert_snapshot!("key_new_json", hidden(&json));

    let (code, rows, error) = place.run("key list");
    assert_eq!((code, error.as_str()), (0, ""));
    assert_eq!(
        rows,
        "laptop\tinference\t*\t-\t-\t-\t-\nops\tadmin\t*\t-\t-\t-\t-\n"
    );
    let (_, json, _) = place.run("key list --json");
    insta::assert_snapshot!("key_list_json", hidden(&json));
    assert_eq!(
        place
            .run("check --listen 127.0.0.1:0 --admin 127.0.0.1:0")
            .0,
        0
    );

    let (code, told, error) = place.run("key revoke laptop");
    assert_eq!((code, error.as_str()), (0, ""));
    insta::assert_snapshot!("key_revoke", told);
    let (code, _, error) = place.run("key revoke ops");
    assert_eq!(code, 0);
    insta::assert_snapshot!("key_revoke_last", error);
    assert_eq!(place.text(), FILE, "as it was before there were keys");
    assert_eq!(place.run("key list"), (0, String::new(), String::new()));
}

#[test]
fn a_key_may_have_an_end() {
    let place = Place::new();
    let (code, _, told) = place.run("key new guest --expires 2099-06-30 --write");
    assert_eq!(code, 0, "{told}");
    assert!(place.text().contains("expires = 2099-06-30T00:00:00Z\n"));
    let (code, _, told) = place.run("key new week --expires 7d");
    assert_eq!(code, 0);
    assert!(told.contains("\nexpires = 2"), "{told}");
    let (_, rows, _) = place.run("key list");
    let row = "guest\tinference\t*\t2099-06-30T00:00:00Z\t-\t-\t-\n";
    assert_eq!(rows, row);
    let (_, json, _) = place.run("key list --json");
    assert!(
        json.contains("\"expires\": \"2099-06-30T00:00:00Z\""),
        "{json}"
    );
    place.write(&place.text().replace("2099-06-30T00:00:00Z", "2020-01-01"));
    let (_, rows, _) = place.run("key list");
    assert!(
        rows.contains("\t2020-01-01T00:00:00Z (expired)\t"),
        "{rows}"
    );
    for (when, words) in [
        ("soon", "expected a duration such as 90d, or a date"),
        ("2020-01-01", "has passed: the key would never be valid"),
        ("366d", "is more than a year; give a date instead"),
    ] {
        let (code, out, error) = place.run(&format!("key new a --expires {when}"));
        assert_eq!((code, out.as_str()), (2, ""));
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn what_cannot_be_done_is_told_and_changes_nothing() {
    let place = Place::new();
    place.run("key new laptop --write");
    let before = place.text();
    for (name, args, expected) in [
        ("key_new_again", "key new laptop --write", 1),
        ("key_new_name", "key new a.b", 2),
        ("key_new_scope", "key new a --allow admni", 2),
        ("key_new_model", "key new a --model mm --write", 64),
        ("key_revoke_unknown", "key revoke latpop", 1),
        ("key_no_file", "key revoke laptop --config gone.toml", 64),
        ("key_usage_add", "key add laptop", 2),
        ("key_usage_nothing", "key", 2),
    ] {
        let (code, out, error) = place.run(args);
        assert_eq!((code, out.as_str()), (expected, ""), "{args}: {error}");
        insta::assert_snapshot!(name, error);
    }
    assert_eq!(place.text(), before);
    fs::remove_file(place.0.path().join("paddock.toml")).unwrap();
    let (code, _, error) = place.run("key new laptop --write");
    assert_eq!(code, 64);
    insta::assert_snapshot!("key_new_nowhere", error);
}

#[test]
fn a_key_that_keeps_an_open_address_shut_is_not_revoked() {
    let place = Place::new();
    place.write(&format!("{FILE}\n[server]\nlisten = ['0.0.0.0:0']\n"));
    place.run("key new laptop --write");
    let before = place.text();
    let (code, out, error) = place.run("key revoke laptop");
    assert_eq!((code, out.as_str()), (64, ""));
    insta::assert_snapshot!("key_revoke_open", error);
    assert_eq!(place.text(), before);
    place.run("key new other --write");
    assert_eq!(place.run("key revoke laptop").0, 0);
}
