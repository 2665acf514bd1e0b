//! Starts, signals and exits: both engines do the same.

use std::io::Write;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use paddock_e2e::harness::{LIMIT, Signal, WATCH_TIME, get, post, wait_until};
use serde_json::Value;

use crate::engine::{Engine, Kind, endless_model, file};
use crate::shape;

/// More tokens than any test waits for.
const LONG: &str = r#"{"prompt":"a","n_predict":1800,"ignore_eos":true"#;

fn long_stream() -> String {
    post("/completion", &format!(r#"{LONG},"stream":true}}"#))
}

/// Engine arguments for a long response; the stand-in's tokens come as fast as the real ones, or slower.
fn ready(kind: Kind) -> Engine {
    let mut args = vec!["-c", "2048", "-np", "1"];
    if kind == Kind::StandIn {
        args.extend(["--fake-token-ms", "20"]);
    }
    Engine::ready(kind, &args)
}

#[test]
fn every_path_answers_503_while_the_model_loads_and_sigterm_kills() {
    for kind in Kind::BOTH {
        let (_directory, model) = endless_model();
        let mut engine = Engine::start_without_model(kind, &["--model", &model], &[]);
        for request in [
            get("/health"),
            get("/nope"),
            post("/v1/chat/completions", "{}"),
        ] {
            let mut connection = engine.connect();
            connection.send(request);
            assert_eq!(
                String::from_utf8_lossy(&connection.rest()),
                "HTTP/1.1 503 Service Unavailable\r\nServer: llama.cpp\r\n\
                 Access-Control-Allow-Origin: \r\nContent-Type: application/json; charset=utf-8\r\n\
                 Content-Length: 75\r\nConnection: close\r\n\r\n\
                 {\"error\":{\"message\":\"Loading model\",\"type\":\"unavailable_error\",\"code\":503}}",
                "{kind:?}"
            );
        }
        engine.signal(Signal::TERM);
        assert_eq!(engine.wait_exit().signal(), Some(15), "{kind:?}");
    }
}

#[test]
fn a_signal_ends_an_idle_engine_its_connections_and_not_its_sockets_file() {
    for kind in Kind::BOTH {
        for signal in [Signal::TERM, Signal::INT] {
            let mut engine = ready(kind);
            let mut connection = engine.connect();
            connection.ask(get("/health"));
            engine.signal(signal);
            assert_eq!(connection.rest(), b"", "{kind:?}");
            assert_eq!(engine.wait_exit().code(), Some(0), "{kind:?}");
            assert!(engine.socket().exists(), "{kind:?}");
        }
    }
}

#[test]
fn after_a_signal_a_stream_lasts_until_its_ping_or_its_clients_end() {
    for kind in Kind::BOTH {
        let mut engine = ready(kind);
        let mut connection = engine.connect();
        connection.send(post(
            "/completion",
            &format!(r#"{LONG},"stream":true,"sse_ping_interval":1}}"#),
        ));
        connection.head();
        connection.event();
        engine.signal(Signal::TERM);
        let (_, clean) = connection.events();
        assert!(!clean, "{kind:?}");
        assert_eq!(engine.wait_exit().code(), Some(0), "{kind:?}");

        let mut engine = ready(kind);
        let mut connection = engine.connect();
        connection.send(long_stream());
        connection.head();
        connection.event();
        engine.signal(Signal::TERM);
        // The real engine ends the stream at once if it has a token left to write when the signal comes: httplib looks
        // after each write. Without one it waits until the ping. The stand-in always waits.
        if kind == Kind::StandIn {
            engine.assert_lives_for(WATCH_TIME);
        }
        drop(connection);
        assert_eq!(engine.wait_exit().code(), Some(0), "{kind:?}");
    }
}

#[test]
fn a_request_without_a_stream_holds_up_the_end_until_a_second_signal() {
    for kind in Kind::BOTH {
        let mut engine = ready(kind);
        let mut waiting = engine.connect();
        waiting.send(post("/completion", &format!("{LONG}}}")));
        wait_until(LIMIT, "a busy slot", || {
            engine.get("/slots").json()[0]["is_processing"] == true
        });
        engine.signal(Signal::TERM);
        engine.assert_lives_for(Duration::from_millis(1500));
        engine.signal(Signal::TERM);
        assert_eq!(engine.wait_exit().code(), Some(1), "{kind:?}");
        engine
            .stderr
            .wait_for(LIMIT, "Received second interrupt, terminating immediately.");
    }
}

/// Returns the state that a router's child has reported.
fn event(line: &str) -> Value {
    let json = line.strip_prefix("cmd_child_to_router:state:").unwrap();
    serde_json::from_str(json).unwrap()
}

#[test]
fn a_router_gets_the_progress_of_the_load_and_then_the_model() {
    let events = Kind::BOTH.map(|kind| {
        let engine = Engine::start_for_router(kind, &["--alias", "name"]);
        let ready = engine.stdout.wait_for(LIMIT, "\"ready\"");
        let first = engine.stdout.all().swap_remove(0);
        assert_eq!(engine.get("/health").status, 200, "{kind:?}");
        [event(&first), event(&ready)]
    });
    let [claimed, real] = events;
    assert_eq!(claimed[0], real[0]);
    let differences = shape::differences(&claimed[1], &real[1]);
    assert!(differences.is_empty(), "{differences:#?}");
    assert_eq!(real[1]["payload"]["id"], "name");
}

#[test]
fn a_routers_child_ends_by_the_routers_word_or_absence_and_not_by_a_signal() {
    for kind in Kind::BOTH {
        let ready = || {
            let engine = Engine::start_for_router(kind, &[]);
            engine.stdout.wait_for(LIMIT, "\"ready\"");
            engine
        };
        let say_exit = |engine: &mut Engine| {
            let stdin = engine.stdin.as_mut().unwrap();
            stdin.write_all(b"cmd_router_to_child:exit\n").unwrap();
        };
        let mut engine = ready();
        engine.stdin = None;
        assert_eq!(engine.wait_exit().code(), Some(1), "{kind:?}");
        let mut engine = ready();
        say_exit(&mut engine);
        assert_eq!(engine.wait_exit().code(), Some(0), "{kind:?}");
        let mut engine = ready();
        engine.signal(Signal::TERM);
        engine.stderr.wait_for(LIMIT, "cleaning up before exit...");
        engine.assert_lives_for(WATCH_TIME);
        say_exit(&mut engine);
        assert_eq!(engine.wait_exit().code(), Some(0), "{kind:?}");
    }
}

#[test]
fn without_a_router_there_are_no_events_and_stdin_does_not_matter() {
    for kind in Kind::BOTH {
        let mut engine = ready(kind);
        engine.stdin = None;
        engine.assert_lives_for(WATCH_TIME);
        engine.signal(Signal::TERM);
        assert_eq!(engine.wait_exit().code(), Some(0), "{kind:?}");
        assert!(!engine.stdout.contain("cmd_child_to_router"), "{kind:?}");
    }
}

/// Asserts that both engines exit with 1 and write these words.
fn assert_fails(args: &[&str], words: &[&str]) {
    for kind in Kind::BOTH {
        let mut engine = Engine::start_without_model(kind, args, &[]);
        let status = engine.wait_exit();
        assert_eq!(status.code(), Some(1), "{kind:?} {args:?}");
        for words in words {
            engine.stderr.wait_for(LIMIT, words);
        }
    }
}

#[test]
fn a_model_file_that_cannot_be_loaded_is_named() {
    const END: &str = "E srv  llama_server: exiting due to model loading error";
    let directory = tempfile::tempdir().unwrap();
    let load = |path: &str, words: &str| {
        assert_fails(&["-m", path], &[words, "failed to load model,", END]);
    };
    load("/no/such.gguf", "failed to open GGUF file '/no/such.gguf'");
    let itself = directory.path().display().to_string();
    load(&itself, "gguf_init_from_reader: failed to read magic");
    let empty = file(&directory, "empty.gguf", b"");
    load(&empty, "gguf_init_from_reader: failed to read magic");
    let bad = file(&directory, "bad.gguf", b"ab\x01d...");
    load(&bad, "invalid magic characters: 'ab?d', expected 'GGUF'");
}

#[test]
fn an_address_that_is_taken_is_named() {
    const END: &str = "E srv  llama_server: exiting due to HTTP server error";
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = tcp.local_addr().unwrap().port().to_string();
    let words = format!("couldn't bind HTTP server socket, hostname: 127.0.0.1, port: {port}");
    assert_fails(&["--host", "127.0.0.1", "--port", &port], &[&words, END]);
    // The socket file of a dead server is in the way too.
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("stale.sock");
    drop(UnixListener::bind(&path).unwrap());
    let words = "couldn't bind HTTP server socket";
    assert_fails(&["--host", path.to_str().unwrap()], &[words, END]);
}

#[test]
fn a_flag_that_is_wrong_is_named() {
    assert_fails(
        &["--no-such-flag"],
        &["error: invalid argument: --no-such-flag"],
    );
    let words = "error while handling argument \"-c\": expected value for argument";
    assert_fails(&["-c"], &[words]);
}
