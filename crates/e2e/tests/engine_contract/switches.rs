//! The stand-in's own switches: how it is made to fail.

use std::os::unix::process::ExitStatusExt;

use paddock_e2e::harness::{LIMIT, get, post};

use crate::engine::{Engine, Kind};

fn start(args: &[&str]) -> Engine {
    Engine::start_without_model(Kind::StandIn, args, &[])
}

/// Asserts the exit code or the signal of a process, and words of its log.
fn assert_ends(mut engine: Engine, code: Option<i32>, signal: Option<i32>, words: &[&str]) {
    let status = engine.wait_exit();
    assert_eq!((status.code(), status.signal()), (code, signal));
    for words in words {
        engine.stderr.wait_for(LIMIT, words);
    }
}

#[test]
fn it_ends_at_every_moment_and_in_every_way() {
    for (how, code, signal) in [
        ("exit0", Some(0), None),
        ("exit1", Some(1), None),
        ("kill", None, Some(9)),
        ("segv", None, Some(11)),
        ("abort", None, Some(6)),
    ] {
        assert_ends(
            start(&["--fake-die", &format!("start:{how}")]),
            code,
            signal,
            &[],
        );
    }
    assert_ends(start(&["--fake-die", "loading:segv"]), None, Some(11), &[]);
    assert_ends(
        start(&["--fake-die", "ready:exit1"]),
        Some(1),
        None,
        &["model loaded"],
    );
    assert_ends(
        start(&["--fake-die", "idle-ms:100:exit0"]),
        Some(0),
        None,
        &[],
    );
    let body = |stream| format!(r#"{{"prompt":"a","n_predict":9,"stream":{stream}}}"#);
    for (moment, request, signal, seen) in [
        ("first-request:kill", post("/tokenize", "{}"), 9, ""),
        ("head:abort", post("/completion", &body(false)), 6, ""),
        (
            "mid-stream:3:kill",
            post("/completion", &body(true)),
            9,
            "token 3 ",
        ),
    ] {
        let engine = start(&["--fake-die", moment]);
        engine.wait_listening();
        assert_eq!(engine.get("/health").status, 200, "{moment}");
        let mut connection = engine.connect();
        connection.send(request);
        let rest = String::from_utf8_lossy(&connection.rest()).into_owned();
        assert!(rest.contains(seen) && !rest.contains("token 4 "), "{rest}");
        assert_eq!(rest.is_empty(), seen.is_empty(), "{rest}");
        assert_ends(engine, None, Some(signal), &[]);
    }
}

#[test]
fn it_fails_with_the_real_engines_last_words() {
    const LOAD: &str = "E srv  llama_server: exiting due to model loading error";
    for (kind, code, signal, words) in [
        (
            "missing-file",
            Some(1),
            None,
            &["(No such file or directory)", LOAD][..],
        ),
        (
            "bad-file",
            Some(1),
            None,
            &["invalid magic characters", LOAD],
        ),
        (
            "out-of-memory",
            Some(1),
            None,
            &["failed to allocate buffer for kv cache", LOAD],
        ),
        (
            "disk-full",
            Some(1),
            None,
            &["No space left on device", LOAD],
        ),
        (
            "too-many-files",
            Some(1),
            None,
            &["(Too many open files)", LOAD],
        ),
        ("assert", None, Some(6), &["GGML_ASSERT(obj_new) failed"]),
        (
            "too-many-processes",
            None,
            Some(6),
            &["what():  Resource temporarily unavailable"],
        ),
        (
            "bad-flag",
            Some(1),
            None,
            &["error: invalid argument: --fake-bad-flag"],
        ),
        (
            "missing-library",
            Some(127),
            None,
            &["error while loading shared libraries"],
        ),
        (
            "port-in-use",
            Some(1),
            None,
            &["couldn't bind HTTP server socket, hostname: /"],
        ),
        ("illegal-instruction", None, Some(4), &[]),
    ] {
        assert_ends(start(&["--fake-fail", kind]), code, signal, words);
    }
}

#[test]
fn it_hangs_where_it_is_told_to() {
    let is_silent = |engine: &Engine, request: String| {
        let mut connection = engine.connect();
        connection.send(request);
        !connection.is_closed_within(paddock_e2e::harness::WATCH_TIME)
    };
    let engine = start(&["--fake-hang", "request"]);
    engine.wait_listening();
    assert!(is_silent(&engine, post("/completion", r#"{"prompt":"a"}"#)));
    assert!(is_silent(&engine, get("/slots")));
    assert_eq!(engine.get("/health").status, 200);
    let engine = start(&["--fake-hang", "stream"]);
    engine.wait_listening();
    let mut stream = engine.connect();
    stream.send(post("/completion", r#"{"prompt":"a","stream":true}"#));
    stream.head();
    assert!(stream.event().unwrap().text.contains("token 1 "));
    assert_eq!(engine.get("/__fake/state").json()["streams_open"], 1);
}

#[test]
fn switches_that_do_not_exist_are_refused() {
    for (args, words) in [
        (["--fake-nonsense", "1"], "no such switch"),
        (["--fake-fail", "nonsense"], "no such failure: nonsense"),
        (["--fake-die", "start"], "no such death"),
        (["--fake-die", "start:badly"], "no such death"),
        (["--fake-die", "never:kill"], "no such death"),
        (["--fake-die", "mid-stream:x:kill"], "no such death"),
    ] {
        assert_ends(start(&args), Some(1), None, &[words]);
    }
}
