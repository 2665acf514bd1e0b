//! Tests the output of commands that talk to a paddock: in a pipe, at a terminal, as JSON. The admin
//! plane is a stand-in.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use paddock_api::{
    ContextCounts, Decision, EndedRequest, EndedRequests, ErrorBody, ErrorDetails, FirstDifference,
    LoadFailure, LoadResult, LogLines, Memory, MemoryUsage, Model, ModelContexts, ModelExplanation,
    ModelMemory, ModelStatus, PinResult, RefusalReason, RequestExplanation, Status, Tokens,
};
use serde::Serialize;

/// Answers requests until the test is over.
fn start_admin_plane() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for stream in listener.incoming() {
            answer(stream.unwrap());
        }
    });
    at
}

fn answer(mut stream: TcpStream) {
    let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
    let first = lines.next().unwrap();
    let _rest: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let path = first.split(' ').nth(1).unwrap();
    let (status, body) = answer_to(path);
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nServer: paddock/0\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all((head + &body).as_bytes()).unwrap();
}

/// Returns the stand-in's answer to a path.
fn answer_to(path: &str) -> (&'static str, String) {
    let ok = "200 OK";
    let (accepted, not_found) = ("202 Accepted", "404 Not Found");
    match path {
        "/api/status" => (ok, json(&status())),
        "/api/models/gemma/explain" => (ok, json(&decisions())),
        "/api/models/r-17/explain" => (not_found, unknown("r-17")),
        "/api/models/gema/load" | "/api/models/gema/pin" => (not_found, unknown("gema")),
        "/api/requests/r-17/explain" => (ok, json(&waited())),
        "/api/models/gemma/logs?n=100" => (ok, json(&lines())),
        "/api/models/gemma/load" => (accepted, at(ModelStatus::Loading)),
        "/api/models/gemma/load?wait=true" => (ok, at(ModelStatus::Ready)),
        "/api/models/broken/load?wait=true" => ("503 Service Unavailable", json(&failed())),
        "/api/models/gemma/unload" => (accepted, at(ModelStatus::Draining)),
        "/api/models/gemma/unload?wait=true" => (ok, at(ModelStatus::Unloaded)),
        "/api/models/gemma/pin" => (ok, pinned(true)),
        "/api/models/gemma/unpin" => (ok, pinned(false)),
        "/api/requests?limit=20" => (ok, json(&requests())),
        "/api/models/later/pin" => (ok, r#"{"id":"later","status":"new","pinned":1}"#.to_owned()),
        other => panic!("nobody asks for {other}"),
    }
}

fn json(answer: &impl Serialize) -> String {
    serde_json::to_string(answer).unwrap()
}

fn at(status: ModelStatus) -> String {
    json(&LoadResult {
        failure: None,
        id: "gemma".to_owned(),
        message: None,
        status,
    })
}

fn pinned(pinned: bool) -> String {
    json(&PinResult {
        id: "gemma".to_owned(),
        pinned,
        status: ModelStatus::Ready,
    })
}

fn unknown(name: &str) -> String {
    json(&ErrorBody {
        error: ErrorDetails {
            code: "unknown_model".to_owned(),
            failure: None,
            message: format!("there is no model '{name}' here; configured: gemma, broken"),
            param: None,
            class: "invalid_request_error".to_owned(),
        },
    })
}

fn failed() -> LoadResult {
    let failure = LoadFailure {
        class: "bad_file".to_owned(),
        exit: None,
        log_tail: Vec::new(),
        message: "the model's file is broken: it ends too early. Fetch it again.".to_owned(),
        phase: "spawning".to_owned(),
        restarts_left: 0,
        retry_at: None,
    };
    LoadResult {
        failure: Some(failure),
        id: "broken".to_owned(),
        message: Some("broken failed".to_owned()),
        status: ModelStatus::Failed,
    }
}

fn memory(mib: u64) -> Memory {
    Memory {
        host: Some(mib << 20),
        ..Memory::default()
    }
}

/// A model in each state.
fn status() -> Status {
    let model = |id: &str, status: ModelStatus| Model {
        id: id.to_owned(),
        status,
        ..Model::default()
    };
    let contexts = ContextCounts {
        stored: 12,
        bytes: 310 << 20,
        saved: 14,
        restored: 12,
        hits: 9,
        tokens_reused: 4_200,
        seconds_saved: 31.5,
        ..ContextCounts::default()
    };
    let ready = Model {
        since: Some(3_725.5),
        in_flight: 2,
        queued: 11,
        pid: Some(4711),
        pinned: true,
        memory: ModelMemory {
            measured: Some(memory(326)),
            predicted: Some(memory(278)),
            ..ModelMemory::default()
        },
        contexts: ModelContexts {
            counts: contexts,
            ..ModelContexts::default()
        },
        ..model("gemma", ModelStatus::Ready)
    };
    let loading = Model {
        since: Some(2.5),
        queued: 1,
        pid: Some(4712),
        progress: Some(0.42),
        memory: ModelMemory {
            predicted: Some(memory(286)),
            ..ModelMemory::default()
        },
        ..model("org/a-long-name", ModelStatus::Loading)
    };
    let draining = Model {
        since: Some(61.5),
        in_flight: 1,
        pid: Some(4710),
        ..model("going", ModelStatus::Draining)
    };
    let broken = Model {
        since: Some(90_000.5),
        contexts: ModelContexts {
            not_kept: Some("the model has a projector".to_owned()),
            ..ModelContexts::default()
        },
        ..model("broken", ModelStatus::Failed)
    };
    let cold = model("cold", ModelStatus::Unloaded);
    Status {
        connections: None,
        contexts: Some(contexts),
        memory: Some(MemoryUsage {
            budget: memory(8_192),
            claimed: memory(0),
            used: memory(612),
        }),
        models: vec![ready, loading, draining, broken, cold],
        version: "0.0.0".to_owned(),
    }
}

/// Returns the Unix time `seconds` and half a minute ago: no test takes so long that the printed age changes.
fn ago(seconds: f64) -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    now.as_secs_f64() - seconds - 30.0
}

fn decision(seconds: f64, what: &str, message: &str) -> Decision {
    Decision {
        at: ago(seconds),
        message: message.to_owned(),
        what: what.to_owned(),
    }
}

fn decisions() -> ModelExplanation {
    let started = "gemma was started: it is expected to use 278 MiB of the 700 MiB that is free";
    ModelExplanation {
        decisions: vec![
            decision(90_000.0, "wanted", "gemma was requested by a client"),
            decision(7_260.0, "starts", started),
            decision(7_200.0, "ready", "gemma was ready after 0.43 s"),
        ],
        id: Some("gemma".to_owned()),
        status: Some(ModelStatus::Ready),
    }
}

fn waited() -> RequestExplanation {
    RequestExplanation {
        arrived: ago(3_900.0),
        engine_wait_seconds: None,
        error: Some(RefusalReason {
            kind: "queue_timeout".to_owned(),
            message: "timed out waiting for a free slot on 'gemma'".to_owned(),
        }),
        first_difference: Some(FirstDifference {
            message: "the prompt follows a stored context for 1 of 2 tokens".to_owned(),
            prompt_text: None,
            shared_tokens: Some(1),
            stored_text: None,
        }),
        meanwhile: vec![decision(3_600.0, "ready", "gemma was ready after 0.43 s")],
        model: Some("gemma".to_owned()),
        outcome: "refused".to_owned(),
        request: "r-17".to_owned(),
        tokens: None,
        waited_seconds: 300.02,
    }
}

fn lines() -> LogLines {
    let first = "0.00.000.000 I srv  llama_server: initializing ...";
    LogLines {
        lines: vec![first.to_owned(), "an escape: \u{1b}[31m".to_owned()],
    }
}

/// The newest first.
fn requests() -> EndedRequests {
    let request = |seq: u64, seconds: f64, total_seconds: f64| EndedRequest {
        seq,
        at: 1_800_000_000.0 + seconds,
        id: format!("p-{seq}"),
        model: Some("gemma".to_owned()),
        route: "chat_completions".to_owned(),
        status: Some(200),
        outcome: "complete".to_owned(),
        total_seconds,
        ..EndedRequest::default()
    };
    let tokens = |prompt: u64, cached: Option<u64>, generated: Option<u64>| Tokens {
        prompt: Some(prompt),
        cached,
        generated,
    };
    EndedRequests {
        requests: vec![
            EndedRequest {
                model: None,
                status: Some(404),
                outcome: "refused".to_owned(),
                error: Some("unknown_model".to_owned()),
                ..request(4, 20.0, 0.0004)
            },
            EndedRequest {
                status: None,
                outcome: "client_gone".to_owned(),
                ..request(3, 10.0, 125.4)
            },
            EndedRequest {
                route: "embeddings".to_owned(),
                model: Some("org/a-long-name".to_owned()),
                tokens: tokens(12, None, None),
                ..request(2, 5.0, 0.0312)
            },
            EndedRequest {
                ttft_seconds: Some(0.0524),
                tokens: tokens(26, Some(0), Some(256)),
                tokens_per_second: Some(116.31),
                ..request(1, 0.0, 2.25)
            },
        ],
    }
}

/// Types these, each in a pipe and, where that differs, at a terminal, and shows all of it as one text.
fn typed(lines: &[&str]) -> String {
    let admin = start_admin_plane();
    let program = env!("CARGO_BIN_EXE_paddock");
    let run = |command: &mut Command| {
        let command = command.env_clear().env("PADDOCK_ADMIN", &admin);
        let command = command.env("PATH", "/usr/bin:/bin").env("TZ", "UTC");
        let output = command.stdin(Stdio::null()).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace('\r', "");
        let (out, error) = (text(&output.stdout), text(&output.stderr));
        (output.status.code().unwrap(), out, error)
    };
    let mut shown = String::new();
    for line in lines {
        let (code, out, error) = run(Command::new(program).args(line.split(' ')));
        let _ = write!(shown, "$ paddock {line} | cat\n{out}{error}");
        if code != 0 {
            let _ = writeln!(shown, "({code})");
        }
        if code == 0 && !line.contains("load") && !line.contains("json") {
            let at = format!("stty cols 120 && exec {program} {line}");
            let (_, out, _) = run(Command::new("script").args(["-qefc", &at, "/dev/null"]));
            let _ = write!(shown, "$ paddock {line}\n{out}");
        }
    }
    shown
}

fn snapshot(name: &str, lines: &[&str]) {
    let shown = typed(lines);
    insta::assert_snapshot!(name, shown);
}

#[test]
fn models() {
    snapshot(
        "status",
        &[
            "status",
            "ps",
            "status gemma",
            "status none",
            "status --json",
        ],
    );
}

#[test]
fn why_a_model_is_where_it_is_and_what_became_of_a_request() {
    snapshot("explain", &["explain gemma", "explain r-17"]);
}

#[test]
fn what_a_child_writes() {
    snapshot("logs", &["logs gemma", "logs gemma --json"]);
}

#[test]
fn requests_that_have_ended() {
    snapshot("requests", &["requests", "requests --json"]);
}

#[test]
fn loads() {
    let done = ["load gemma", "load gemma --wait", "load gemma --json"];
    let refused = ["load gema", "load broken --wait"];
    snapshot("load", &[&done[..], &refused].concat());
}

#[test]
fn unloads() {
    let lines = ["unload gemma", "unload gemma --wait", "unload gemma --json"];
    snapshot("unload", &lines);
}

#[test]
fn pins() {
    let lines = ["pin gemma", "pin gemma --json", "unpin gemma", "pin gema"];
    snapshot("pin", &lines);
}

#[test]
fn the_version() {
    let shown = typed(&["version"]).replace(env!("CARGO_PKG_VERSION"), "VERSION");
    insta::assert_snapshot!("version", shown);
}

#[test]
fn an_answer_of_another_version_is_named_as_such() {
    let admin = start_admin_plane();
    let mut command = Command::new(env!("CARGO_BIN_EXE_paddock"));
    let output = command.args(["pin", "later", "--admin", &admin]).output();
    let output = output.unwrap();
    let expected = format!(
        "error: paddock at {admin} sent a response that this version cannot read: invalid type: \
         integer `1`, expected a boolean at line 1 column 39\n"
    );
    assert_eq!(String::from_utf8(output.stderr).unwrap(), expected);
    assert_eq!(output.status.code(), Some(1));
}
