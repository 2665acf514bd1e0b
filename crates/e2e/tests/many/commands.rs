//! The commands that ask a paddock that runs.

use crate::support::{chat, stream, three, wait_status};
use paddock_e2e::harness::{Connection, LIMIT, Paddock, wait_until};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

/// Runs a command to its end: its exit code, standard output and standard error.
fn run(paddock: &Paddock, args: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_paddock-e2e"))
        .args(args)
        .env("PADDOCK_ADMIN", paddock.admin().to_string())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let code = output.status.code().unwrap();
    (code, text(output.stdout), text(output.stderr))
}

fn done(text: &str) -> (i32, String, String) {
    (0, text.to_owned(), String::new())
}

#[test]
fn models_are_loaded_shown_explained_and_unloaded() {
    let paddock = three().start();
    assert_eq!(
        run(&paddock, &["load", "bee", "--wait"]),
        done("b: ready\n")
    );
    let (code, table, error) = run(&paddock, &["ps"]);
    assert_eq!((code, error.as_str()), (0, ""));
    let rows: Vec<Vec<&str>> = table
        .lines()
        .map(|line| line.split('\t').collect())
        .collect();
    let status: Vec<_> = rows.iter().map(|row| (row[0], row[1], row.len())).collect();
    assert_eq!(
        status,
        [
            ("m", "unloaded", 8),
            ("a", "unloaded", 8),
            ("b", "ready", 8)
        ]
    );
    assert_eq!(run(&paddock, &["pin", "bee"]), done("b: ready, pinned\n"));
    let (_, table, _) = run(&paddock, &["ps"]);
    assert!(table.ends_with("\tyes\n"), "{table}");
    assert_eq!(
        run(&paddock, &["unpin", "b"]),
        done("b: ready, not pinned\n")
    );
    let (code, json, _) = run(&paddock, &["status", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((code, &json["models"][2]["status"]), (0, &"ready".into()));

    let (code, text, _) = run(&paddock, &["explain", "org/b"]);
    assert!(code == 0 && text.starts_with("model b: ready\n"), "{text}");
    assert!(
        text.contains("s ago  ") && text.lines().count() > 2,
        "{text}"
    );
    assert_eq!(
        run(&paddock, &["unload", "b", "--wait"]),
        done("b: unloaded\n")
    );
    let (code, json, _) = run(&paddock, &["load", "a", "--json"]);
    assert_eq!(
        (code, json.trim_end()),
        (0, r#"{"id":"a","status":"loading"}"#)
    );
    wait_status(&paddock, "a", "ready");
}

#[test]
fn a_request_that_waited_is_explained() {
    let paddock = three().start();
    let mut client = Connection::connect(paddock.public());
    client.send(stream("a").replace("\r\n\r\n", "\r\nX-Request-Id: mine/1\r\n\r\n"));
    assert_eq!(client.head().status, 200);
    let (code, text, _) = run(&paddock, &["explain", "mine/1"]);
    assert!(
        code == 0 && text.starts_with("request mine/1 for model a: granted after "),
        "{text}"
    );
    let (code, out, error) = run(&paddock, &["explain", "nobody"]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(
        error.starts_with("error: there is no model 'nobody' here; configured: "),
        "{error}"
    );
    assert!(
        error.contains("; and no request with this id is known"),
        "{error}"
    );
}

#[test]
fn requests_that_have_ended_are_printed() {
    let paddock = three().start();
    // Requests that end together are listed in any order.
    for (before, model) in ["a", "nobody"].into_iter().enumerate() {
        paddock.ask(chat(model));
        let listed = || run(&paddock, &["requests"]).1.lines().count() > before;
        wait_until(LIMIT, "the request to be listed", listed);
    }
    let (code, text, error) = run(&paddock, &["requests"]);
    assert_eq!((code, error.as_str()), (0, ""));
    let rows: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.split('\t').collect())
        .collect();
    let told = rows.iter().map(|row| row[1..5].to_vec());
    assert_eq!(
        told.collect::<Vec<_>>(),
        [
            ["a", "chat_completions", "200", "complete"],
            ["-", "chat_completions", "404", "unknown_model"]
        ]
    );
    let (_, json, _) = run(&paddock, &["requests", "--json", "--model", "a", "-n", "1"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["model"], &json["seq"]), (&"a".into(), &1.into()));
    let (code, _, error) = run(&paddock, &["requests", "-n", "0"]);
    assert!(code == 2 && error.contains("1..=1000"), "{error}");

    let mut following = Command::new(env!("CARGO_BIN_EXE_paddock-e2e"))
        .args(["requests", "--follow", "--json"])
        .env("PADDOCK_ADMIN", paddock.admin().to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(following.stdout.take().unwrap()).lines();
    let mut seqs = lines.map(|line| {
        let line: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
        line["seq"].as_u64().unwrap()
    });
    assert_eq!(seqs.by_ref().take(2).collect::<Vec<_>>(), [1, 2]);
    paddock.ask(chat("a"));
    assert_eq!(seqs.next(), Some(3));
    following.kill().unwrap();
    following.wait().unwrap();
}

#[test]
fn what_does_not_load_is_told_with_its_cause() {
    let paddock = three().engine_args(["--fake-fail", "bad-file"]).start();
    let (code, out, error) = run(&paddock, &["load", "a", "--wait"]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(error.starts_with("error: ") && error.len() > 20, "{error}");
    let (code, _, error) = run(&paddock, &["unload", "aa"]);
    assert_eq!(code, 1);
    assert!(error.contains("there is no model 'aa' here"), "{error}");
}

#[test]
fn a_chat_is_streamed_from_a_model_that_is_loaded_for_it() {
    let paddock = three().start();
    let (code, text, figures) = run(&paddock, &["chat", "bee", "hi"]);
    assert_eq!(code, 0, "{figures}");
    let streamed = text.strip_suffix('\n').unwrap();
    assert!(
        figures.contains(" tok/s, first token after ") && figures.contains(", prompt "),
        "{figures}"
    );
    let (code, json, error) = run(&paddock, &["chat", "bee", "hi", "--json"]);
    assert_eq!((code, error.as_str()), (0, ""));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["choices"][0]["message"]["content"], streamed);
    assert!(json["usage"]["completion_tokens"].is_u64(), "{json}");

    let (code, out, error) = run(&paddock, &["chat", "nobody", "hi"]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(
        error.starts_with("error: there is no model 'nobody' here"),
        "{error}"
    );
}

#[test]
fn a_chat_with_nobody_is_refused_where_one_model_would_answer_to_any_name() {
    let paddock = paddock_e2e::paddock!().start();
    let body = r#"{"model":"nobody","messages":[{"role":"user","content":"hi"}]}"#;
    assert_eq!(paddock.post("/v1/chat/completions", body).status, 200);
    let (code, out, error) = run(&paddock, &["chat", "nobody", "hi"]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert_eq!(
        error,
        "error: there is no model 'nobody' here; configured: m\n"
    );
}
