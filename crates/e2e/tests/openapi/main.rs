//! The admin plane does what its `OpenAPI` document says: schemathesis asks it what the document allows, and
//! what it does not, and judges every answer by it.
//!
//! `schemathesis.toml` says how, `bounded.py` what is left out: what has no end, and what the document says in
//! words alone. `scripts/schemathesis` finds or installs the program.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use paddock_e2e::harness::{Connection, Paddock, post};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Limit in seconds: some twelve times what the run takes on a machine that does nothing else.
const TIME: &str = "240";

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/openapi")
}

fn schemathesis() -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/schemathesis");
    let output = Command::new(script).output().expect("a script");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "scripts/schemathesis: {said}");
    let path = String::from_utf8(output.stdout).expect("a path");
    path.trim_end().into()
}

/// Models with and without a slash in their name, and a request that had to wait.
fn paddock() -> Paddock {
    let builder = paddock_e2e::paddock!().engine_args(["--fake-tokens", "2"]);
    let path = builder.model_path().display().to_string();
    let models = format!(
        "models.'b/slash'.path = {path:?}\nserver.default_model = 'm'\nmemory.reserve = '0B'"
    );
    let paddock = builder.config(&models).start();
    let chat = post("/v1/chat/completions", r#"{"messages":[]}"#);
    let named = chat.replacen("\r\n\r\n", "\r\nX-Request-Id: waited\r\n\r\n", 1);
    assert_eq!(paddock.ask(named).status, 200);
    paddock
}

#[test]
fn every_answer_is_as_the_document_says() {
    let program = schemathesis();
    let paddock = paddock();
    let document = format!("http://{}/api/openapi.json", paddock.admin());
    let mut command = Command::new("timeout");
    command.arg(TIME).arg(program);
    command
        .arg("--config-file")
        .arg(here().join("schemathesis.toml"));
    command.args(["run", &document, "--no-color"]);
    // It writes down what it has tried.
    command.current_dir(paddock.directory());
    command
        .env("PYTHONPATH", here())
        .env("PYTHONDONTWRITEBYTECODE", "1");
    let output = command.output().expect("schemathesis");
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{errors}");
    assert!(said.contains("17 selected / 17 total"), "{said}");
    assert_eq!(paddock.admin_get("/livez").status, 200);
}

#[test]
fn a_name_that_is_no_text_is_refused_in_paddocks_words() {
    let paddock = paddock_e2e::paddock!().start();
    for (method, path) in [
        ("GET", "/api/models/%ff/explain"),
        ("GET", "/api/models/%ff/logs"),
        ("POST", "/api/models/%ff/load"),
        ("POST", "/api/models/%ff/unload"),
        ("POST", "/api/models/%ff/pin"),
        ("POST", "/api/models/%ff/unpin"),
        ("GET", "/api/requests/%ff/explain"),
        ("DELETE", "/api/requests/%ff"),
    ] {
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
        let answer = Connection::connect(paddock.admin()).ask(request);
        assert_eq!(answer.status, 400, "{path}");
        assert_eq!(answer.json()["error"]["param"], "id", "{path}");
    }
    let answer = paddock.get("/v1/models/%ff");
    assert_eq!(
        (answer.status, answer.error_code()),
        (400, "bad_request".into())
    );
}

#[test]
fn numbers_are_digits_within_bounds() {
    let paddock = paddock_e2e::paddock!().start();
    for (list, query) in [
        ("requests", "limit=%2B5"),
        ("requests", "limit=-5"),
        ("requests", "limit=5.0"),
        ("requests", "limit="),
        ("requests", "in_flight=true&limit=%2B5"),
        ("requests", "in_flight=true&limit=201"),
        ("requests", "before=%2B5"),
        ("requests", "after=9223372036854775808"),
        ("lifecycle", "limit=%2B5"),
        ("lifecycle", "limit=1001"),
        ("lifecycle", "before=9223372036854775808"),
    ] {
        let answer = paddock.admin_get(&format!("/api/{list}?{query}"));
        assert_eq!(answer.status, 400, "{list} {query}");
        let named = query
            .rsplit('&')
            .next()
            .and_then(|last| last.split('=').next());
        assert_eq!(
            answer.json()["error"]["param"],
            named.expect("a name"),
            "{query}"
        );
    }
    for query in ["limit=1000", "before=9223372036854775807", "after=0"] {
        assert_eq!(
            paddock.admin_get(&format!("/api/requests?{query}")).status,
            200
        );
    }
}

#[test]
fn another_method_is_refused_in_paddocks_words() {
    let paddock = paddock_e2e::paddock!().start();
    let answer = Connection::connect(paddock.admin()).ask(post("/api/status", ""));
    assert_eq!(answer.status, 405);
    assert_eq!(answer.json()["error"]["code"], "method_not_allowed");
    assert_eq!(answer.field("allow"), Some("GET,HEAD"));
}
