//! `paddock serve` from its start to the end that a signal asks for.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};

use paddock_gguf::builder::GgufBuilder;

/// Ends the process if a test fails before it does.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

impl Running {
    fn signal(&self, name: &str) {
        let pid = self.0.id().to_string();
        let sent = Command::new("kill")
            .args(["-s", name, &pid])
            .status()
            .unwrap();
        assert!(sent.success());
    }
}

/// Starts paddock with an engine that sleeps, in a directory of its own.
fn start(directory: &std::path::Path, log: &str) -> Running {
    let engine = directory.join("llama-server");
    fs::write(&engine, "#!/bin/sh\nexec sleep 600\n").unwrap();
    fs::set_permissions(&engine, fs::Permissions::from_mode(0o755)).unwrap();
    let model = GgufBuilder::stand_in();
    fs::write(directory.join("m.gguf"), model.build()).unwrap();
    let path = format!("{}:/usr/bin:/bin", directory.display());
    let command = [
        "serve",
        "--model",
        "m.gguf",
        "--log",
        log,
        "--admin",
        "unix:admin.sock",
    ];
    let child = Command::new(env!("CARGO_BIN_EXE_paddock"))
        .args(command)
        .args(["--listen", "127.0.0.1:0"])
        .current_dir(directory)
        .env_clear()
        .env("PATH", path)
        .env("TMPDIR", directory)
        .env("XDG_STATE_HOME", directory.join("state"))
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    Running(child.unwrap())
}

#[test]
fn a_signal_ends_it_well_and_nothing_is_left() {
    let directory = tempfile::tempdir().unwrap();
    let mut running = start(directory.path(), "error");
    let mut lines = BufReader::new(running.0.stderr.take().unwrap());
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    assert!(
        line.starts_with('{') && line.contains("\"message\":\"serving\""),
        "{line}"
    );
    assert!(line.contains("\"listen\":\"http://127.0.0.1:"), "{line}");
    assert!(!line.contains("127.0.0.1:0"), "{line}");
    assert!(directory.path().join("admin.sock").exists());

    running.signal("TERM");
    assert_eq!(running.0.wait().unwrap().code(), Some(0));
    let mut rest = String::new();
    lines.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "");
    let left = fs::read_dir(directory.path()).unwrap();
    let mut left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["llama-server", "m.gguf", "state"]);
}

#[test]
fn an_interrupt_does_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let mut running = start(directory.path(), "info");
    let lines = BufReader::new(running.0.stderr.take().unwrap());
    let mut lines = lines.lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains("\"message\":\"serving\"")));
    running.signal("INT");
    assert!(lines.any(|line| line.contains("draining")));
    assert_eq!(running.0.wait().unwrap().code(), Some(0));
}
