//! Tests the output of commands that talk to a paddock: in a pipe, at a terminal, as JSON. The admin
//! plane is a stand-in.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

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
    let body = body.to_string();
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nServer: paddock/0\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all((head + &body).as_bytes()).unwrap();
}

/// Returns the stand-in's answer to a path.
fn answer_to(path: &str) -> (&'static str, Value) {
    let ok = "200 OK";
    match path {
        "/api/status" => (ok, status()),
        "/api/models/gemma/explain" => (ok, decisions()),
        "/api/models/r-17/explain" => ("404 Not Found", unknown("r-17")),
        "/api/models/gema/load" | "/api/models/gema/pin" => ("404 Not Found", unknown("gema")),
        "/api/requests/r-17/explain" => (ok, waited()),
        "/api/models/gemma/logs?n=100&follow=false" => (ok, lines()),
        "/api/models/gemma/load" => ("202 Accepted", at("loading")),
        "/api/models/gemma/load?wait=true" => (ok, at("ready")),
        "/api/models/broken/load?wait=true" => ("503 Service Unavailable", failed()),
        "/api/models/gemma/unload" => ("202 Accepted", at("draining")),
        "/api/models/gemma/unload?wait=true" => (ok, at("unloaded")),
        "/api/models/gemma/pin" => (ok, pinned(true)),
        "/api/models/gemma/unpin" => (ok, pinned(false)),
        "/api/requests?limit=20" => (ok, json!({ "requests": requests() })),
        other => panic!("nobody asks for {other}"),
    }
}

fn at(status: &str) -> Value {
    json!({ "id": "gemma", "status": status })
}

fn pinned(pinned: bool) -> Value {
    json!({ "id": "gemma", "status": "ready", "pinned": pinned })
}

fn unknown(name: &str) -> Value {
    let message = format!("there is no model '{name}' here; configured: gemma, broken");
    json!({ "error": { "message": message, "code": "unknown_model" } })
}

fn failed() -> Value {
    let message = "the model's file is broken: it ends too early. Fetch it again.";
    json!({ "id": "broken", "status": "failed", "failure": { "class": "bad_file", "message": message } })
}

const MIB: u64 = 1 << 20;

/// A model in each state.
fn status() -> Value {
    let memory = |mib: u64| json!({ "host": mib * MIB, "devices": {} });
    let model = |id: &str, status: &str, since: Value, more: Value| {
        let mut model = json!({ "id": id, "status": status, "since": since, "in_flight": 0,
            "queued": 0, "pid": null, "pinned": false, "memory": { "predicted": null, "measured": null } });
        let more = more.as_object().unwrap().clone();
        model.as_object_mut().unwrap().extend(more);
        model
    };
    let measured = json!({ "predicted": memory(278), "measured": memory(326) });
    let predicted = json!({ "predicted": memory(286), "measured": null });
    json!({
        "version": "0.0.0",
        "models": [
            model("gemma", "ready", json!(3_725.5),
                json!({ "in_flight": 2, "queued": 11, "pid": 4711, "pinned": true, "memory": measured })),
            model("org/a-long-name", "loading", json!(2.5),
                json!({ "queued": 1, "pid": 4712, "memory": predicted, "progress": 0.42 })),
            model("going", "draining", json!(61.5), json!({ "in_flight": 1, "pid": 4710 })),
            model("broken", "failed", json!(90_000.5), json!({})),
            model("cold", "unloaded", Value::Null, json!({})),
        ],
        "memory": { "budget": { "host": 8_192 * MIB, "devices": {} }, "used": memory(612) },
    })
}

/// So many seconds ago, and half a minute: no test takes that long.
fn ago(seconds: f64) -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    now.as_secs_f64() - seconds - 30.0
}

fn decisions() -> Value {
    let told = |seconds: f64, what: &str, message: &str| json!({ "at": ago(seconds), "what": what, "message": message });
    json!({ "id": "gemma", "status": "ready", "decisions": [
        told(90_000.0, "wanted", "gemma was asked for by a request"),
        told(7_260.0, "starts", "gemma was started: it is expected to hold 278 MiB of the 700 MiB that were free"),
        told(7_200.0, "ready", "gemma was ready after 0.43 s"),
    ] })
}

fn waited() -> Value {
    json!({ "request": "r-17", "model": "gemma", "outcome": "refused", "waited_seconds": 300.02,
        "error": { "kind": "queue_timeout", "message": "'gemma' stayed busy for as long as a request may wait" },
        "meanwhile": [{ "at": ago(3_600.0), "what": "ready", "message": "gemma was ready after 0.43 s" }] })
}

fn lines() -> Value {
    json!({ "lines": ["0.00.000.000 I srv  llama_server: initializing ...", "an escape: \u{1b}[31m"] })
}

/// The newest first.
fn requests() -> Value {
    let request = |more: Value| {
        let mut request = json!({ "route": "chat_completions", "outcome": "complete", "error": null,
            "ttft_seconds": null, "tokens_per_second": null, "status": 200, "model": "gemma",
            "tokens": { "prompt": null, "cached": null, "generated": null } });
        let more = more.as_object().unwrap().clone();
        request.as_object_mut().unwrap().extend(more);
        request
    };
    json!([
        request(
            json!({ "seq": 4, "at": 1_800_000_020, "id": "p-4", "model": null, "status": 404,
            "outcome": "refused", "error": "unknown_model", "total_seconds": 0.0004 })
        ),
        request(
            json!({ "seq": 3, "at": 1_800_000_010, "id": "p-3", "status": null,
            "outcome": "client_gone", "total_seconds": 125.4 })
        ),
        request(
            json!({ "seq": 2, "at": 1_800_000_005, "id": "p-2", "route": "embeddings",
            "model": "org/a-long-name", "total_seconds": 0.0312, "tokens": { "prompt": 12 } })
        ),
        request(
            json!({ "seq": 1, "at": 1_800_000_000, "id": "p-1", "ttft_seconds": 0.0524,
            "total_seconds": 2.25, "tokens_per_second": 116.31,
            "tokens": { "prompt": 26, "cached": 0, "generated": 256 } })
        ),
    ])
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
    snapshot("status", &["status", "ps", "status --json"]);
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
