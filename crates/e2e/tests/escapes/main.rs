//! Ways out of the sandbox, tried by a program that the child runs.

#![cfg(target_os = "linux")]
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use paddock_e2e::harness::{Paddock, PaddockBuilder};
use paddock_e2e::paddock;
use serde_json::{Map, Value, json};

/// Tries each way out; see the script for what it is given.
const SCRIPT: &str = include_str!("escapes.py");

/// Kinds of sockets and calls that not every kernel has.
const RARE: [&str; 11] = [
    "mptcp",
    "listen without bind, IPv6",
    "packets in sequence",
    "virtual sockets",
    "shared memory sockets",
    "reliable datagrams",
    "cluster sockets",
    "raw packets",
    "fchmodat2",
    "io_uring",
    "flags",
];

/// The outcome of each attempt.
struct Attempts {
    kinds: Value,
    sandbox: Value,
}

impl Attempts {
    /// Starts a paddock, and has its child try everything.
    fn of(builder: PaddockBuilder) -> Self {
        let outside = tempfile::tempdir().expect("a directory");
        let file = outside.path().join("secret");
        fs::write(&file, "secret").expect("a file");
        let given = tempfile::tempdir().expect("a directory");
        let script = given.path().join("escapes.py");
        fs::write(&script, SCRIPT).expect("a script");
        let readable = given.path().join("readable");
        fs::write(&readable, "r").expect("a file");
        let directory = given.path().display().to_string();
        let builder = builder.engine_args(["--lora".to_owned(), directory]);
        let paddock = builder.start();
        paddock.wait_ready();
        let before = fs::metadata(&file).expect("the file");
        let victim = paddock.id();
        let admin = paddock.admin().to_string();
        assert!(admin.starts_with("127."), "{admin}");
        let words = [
            "/usr/bin/python3".to_owned(),
            script.display().to_string(),
            victim.to_string(),
            file.display().to_string(),
            readable.display().to_string(),
            admin,
        ];
        let kinds = run(&paddock, &words.join(","));
        let sandbox = paddock.model()["sandbox"].clone();
        if sandbox["metadata"] == true {
            let after = fs::metadata(&file).expect("the file");
            assert_eq!(after.ctime_nsec(), before.ctime_nsec());
        }
        Self { kinds, sandbox }
    }

    fn kind(&self, kind: &str) -> &Map<String, Value> {
        let attempts = self.kinds[kind].as_object();
        attempts.unwrap_or_else(|| panic!("no {kind} in {}", self.kinds))
    }

    fn are(&self, kind: &str, outcome: &str) {
        for (name, came) in self.kind(kind) {
            assert_eq!(came, outcome, "{kind}: {name}");
        }
    }

    fn are_denied(&self, kind: &str) {
        self.are(kind, if kind == "network" { "EACCES" } else { "EPERM" });
    }

    /// Without the denial the attempts succeed, where the kernel has what is tried.
    fn succeed(&self, kind: &str) {
        for (name, came) in self.kind(kind) {
            let lacks = RARE.contains(&name.as_str()) && came != "EACCES";
            // There is nobody with that number.
            let nobody = name == "priority of a user" && came == "ESRCH";
            assert!(came == "done" || lacks || nobody, "{kind}: {name}: {came}");
        }
    }
}

fn run(paddock: &Paddock, command: &str) -> Value {
    let answer = paddock.get(&format!("/__fake/try?ask={command}")).json();
    let stdout = answer["stdout"].as_str().unwrap_or_default().to_owned();
    serde_json::from_str(&stdout).unwrap_or_else(|_| panic!("{stdout}"))
}

const ALL: [&str; 5] = ["network", "processes", "scheduling", "metadata", "rings"];

#[test]
fn no_way_out_is_open() {
    let attempts = Attempts::of(paddock!());
    for kind in ALL {
        attempts.are_denied(kind);
    }
    attempts.are("old numbers", "ENOSYS");
    attempts.are("its own", "done");
}

#[test]
fn without_a_sandbox_each_way_out_is_open() {
    let attempts = Attempts::of(paddock!().config("engine.sandbox = 'off'"));
    for kind in ALL {
        attempts.succeed(kind);
    }
}

#[test]
fn an_open_network_opens_nothing_else() {
    let attempts = Attempts::of(paddock!().engine_args(["--rpc", "127.0.0.1:9"]));
    attempts.succeed("network");
    for kind in ["processes", "scheduling", "metadata", "rings"] {
        attempts.are_denied(kind);
    }
    attempts.are("its own", "done");
    assert_eq!(attempts.sandbox["network"], false);
    assert_eq!(attempts.sandbox["metadata"], true);
}

#[test]
fn flags_that_bind_threads_open_their_scheduling_alone() {
    let attempts = Attempts::of(paddock!().engine_args(["--cpu-mask", "f"]));
    attempts.succeed("scheduling");
    for kind in ["network", "processes", "metadata", "rings"] {
        attempts.are_denied(kind);
    }
    assert_eq!(attempts.sandbox["scheduling"], false);
    assert_eq!(attempts.sandbox["processes"], true);
    assert_eq!(attempts.sandbox["opened_by"], json!(["--cpu-mask"]));
}

#[test]
fn files_that_are_open_have_open_metadata() {
    let attempts = Attempts::of(paddock!().engine_args(["--tools", "all"]));
    attempts.succeed("metadata");
    attempts.are_denied("processes");
    assert_eq!(attempts.sandbox["metadata"], false);
    assert_eq!(attempts.sandbox["files"], false);
}
