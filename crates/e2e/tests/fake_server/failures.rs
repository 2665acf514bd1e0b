//! Starts that fail, with the real server's last words.

use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::os::unix::process::ExitStatusExt;

use super::support::{Dir, Fake};

const LOAD: &str = "E srv  llama_server: exiting due to model loading error";
const BIND: &str = "E srv  llama_server: exiting due to HTTP server error";

/// Checks how it ends and that each of these words is in its log.
fn assert_fails(args: &[&str], code: Option<i32>, signal: Option<i32>, words: &[&str]) {
    let mut fake = Fake::start(args);
    let status = fake.exit();
    assert_eq!((status.code(), status.signal()), (code, signal), "{args:?}");
    let log = fake.stderr.all();
    for word in words {
        assert!(log.contains(word), "no '{word}' in {log}");
    }
}

#[test]
fn ordered_failures_of_the_load() {
    let load = |kind, words: &[&str]| assert_fails(&["--fake-fail", kind], Some(1), None, words);
    load(
        "missing-file",
        &[
            "failed to open GGUF file",
            "(No such file or directory)",
            LOAD,
        ],
    );
    load(
        "bad-file",
        &["invalid magic characters", "failed to load model,", LOAD],
    );
    load(
        "out-of-memory",
        &[
            "insufficient memory",
            "failed to allocate buffer for kv cache",
            LOAD,
        ],
    );
    load("disk-full", &["No space left on device", LOAD]);
    load("too-many-files", &["(Too many open files)", LOAD]);
    let assertion = ["GGML_ASSERT(obj_new) failed"];
    assert_fails(&["--fake-fail", "assert"], None, Some(6), &assertion);
    let thread = ["what():  Resource temporarily unavailable"];
    assert_fails(
        &["--fake-fail", "too-many-processes"],
        None,
        Some(6),
        &thread,
    );
}

#[test]
fn ordered_failures_of_the_start() {
    let start =
        |kind, code, words: &[&str]| assert_fails(&["--fake-fail", kind], Some(code), None, words);
    start("bad-flag", 1, &["error: invalid argument: --fake-bad-flag"]);
    start(
        "missing-library",
        127,
        &["error while loading shared libraries"],
    );
    start(
        "port-in-use",
        1,
        &["couldn't bind HTTP server socket, hostname: /", BIND],
    );
    assert_fails(&["--fake-fail", "illegal-instruction"], None, Some(4), &[]);
    start("nonsense", 1, &["no such failure: nonsense"]);
}

#[test]
fn model_files_that_cannot_be_loaded() {
    let dir = Dir::new();
    let load = |path: &str, words: &str| {
        assert_fails(
            &["-m", path],
            Some(1),
            None,
            &[words, "failed to load model,", LOAD],
        );
    };
    load("/no/such.gguf", "failed to open GGUF file '/no/such.gguf'");
    load(
        &dir.path().display().to_string(),
        "gguf_init_from_reader: failed to read magic",
    );
    load(
        &dir.file("empty.gguf", b""),
        "gguf_init_from_reader: failed to read magic",
    );
    load(
        &dir.file("bad.gguf", b"ab\x01d..."),
        "invalid magic characters: 'ab?d', expected 'GGUF'",
    );
}

#[test]
fn a_model_file_that_starts_well_loads() {
    let dir = Dir::new();
    let path = dir.file("good.gguf", b"GGUF\x03\0\0\0");
    let fake = Fake::ready(&["--model", &path]);
    let model = &fake.get("/v1/models").json()["data"][0];
    assert_eq!(model["id"], path.as_str());
    assert_eq!(model["meta"]["size"], 8);
}

#[test]
fn addresses_that_are_taken() {
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = tcp.local_addr().unwrap().port();
    let words = format!("couldn't bind HTTP server socket, hostname: 127.0.0.1, port: {port}");
    let args = ["--host", "127.0.0.1", "--port", &port.to_string()];
    assert_fails(&args, Some(1), None, &[&words, BIND]);
    // A socket file that a dead server has left is in the way too.
    let dir = Dir::new();
    let path = dir.path().join("stale.sock");
    drop(UnixListener::bind(&path).unwrap());
    let args = ["--host", path.to_str().unwrap()];
    assert_fails(
        &args,
        Some(1),
        None,
        &["couldn't bind HTTP server socket", BIND],
    );
}

#[test]
fn flags_that_are_wrong() {
    let words = ["error: invalid argument: --no-such-flag"];
    assert_fails(&["--no-such-flag"], Some(1), None, &words);
    let words = ["error while handling argument \"-c\": expected value for argument"];
    assert_fails(&["-c"], Some(1), None, &words);
    assert_fails(
        &["--fake-nonsense", "1"],
        Some(1),
        None,
        &["no such switch"],
    );
}
