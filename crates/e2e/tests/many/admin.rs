use crate::support::{answered_by, chat, decisions, model, stream, three, wait_status};
use paddock_e2e::harness::{Connection, HttpResponse, LIMIT, Paddock, get, post, wait_until};
use rustix::process::Signal;
use std::fs;

fn admin(paddock: &Paddock, request: &str) -> HttpResponse {
    Connection::connect(paddock.admin()).ask(request)
}

#[test]
fn a_model_is_loaded_and_unloaded_by_hand() {
    let paddock = three().start();
    let loaded = admin(&paddock, &post("/api/models/a/load?wait=true", ""));
    assert_eq!(
        (loaded.status, loaded.json()["status"].clone()),
        (200, "ready".into())
    );
    let unloaded = admin(&paddock, &post("/api/models/a/unload?wait=true", ""));
    assert_eq!(
        (unloaded.status, unloaded.json()["status"].clone()),
        (200, "unloaded".into())
    );
    assert!(decisions(&paddock, "a").contains("unloaded by the operator"));
    assert_eq!(admin(&paddock, &post("/api/models/x/load", "")).status, 404);
    let later = admin(&paddock, &post("/api/models/b/load", ""));
    assert_eq!(later.status, 202);
    wait_status(&paddock, "b", "ready");
}

#[test]
fn a_request_in_flight_is_cancelled_and_its_client_told() {
    let paddock = three()
        .engine_args(["--fake-token-ms", "50", "--fake-tokens", "10000"])
        .start();
    let mut client = Connection::connect(paddock.public());
    client.send(stream("a").replace("\r\n\r\n", "\r\nX-Request-Id: mine\r\n\r\n"));
    assert_eq!(client.head().status, 200);
    let cancel = "DELETE /api/requests/mine HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let cancelled = admin(&paddock, cancel);
    assert_eq!(cancelled.json()["cancelled"], 1);
    let (events, clean) = client.events();
    assert!(!clean && events.last().unwrap().data().contains("cancelled"));
    wait_until(LIMIT, "the slot to be free", || {
        model(&paddock, "a")["in_flight"] == 0
    });
    assert_eq!(admin(&paddock, cancel).status, 404);
}

#[test]
fn a_queued_request_is_explained_and_cancelled() {
    let paddock = three().hold_load().start();
    let mut client = Connection::connect(paddock.public());
    client.send(chat("a").replace("\r\n\r\n", "\r\nX-Request-Id: q-1\r\n\r\n"));
    wait_until(LIMIT, "one to wait", || model(&paddock, "a")["queued"] == 1);
    let explained = paddock.admin_get("/api/requests/q-1/explain").json();
    assert_eq!(
        (&explained["outcome"], &explained["model"]),
        (&"waiting".into(), &"a".into())
    );
    let cancel = "DELETE /api/requests/q-1 HTTP/1.1\r\nHost: localhost\r\n\r\n";
    assert_eq!(admin(&paddock, cancel).status, 200);
    let answer = client.answer();
    assert_eq!(
        (answer.status, answer.error_code()),
        (503, "cancelled".into())
    );
    let explained = paddock.admin_get("/api/requests/q-1/explain").json();
    assert_eq!(explained["outcome"], "left");
    paddock.release_load();
}

#[test]
fn a_reload_touches_only_what_changed() {
    let builder = three().config("memory.reserve = '0B'");
    let text = builder.config_text();
    let paddock = builder.start();
    let file = paddock.directory().join("paddock.toml");
    assert_eq!(answered_by(&paddock.ask(chat("a"))), "a");
    let pid = model(&paddock, "a")["pid"].clone();
    fs::write(
        &file,
        format!("{text}\nmodels.new.path = 'm.gguf'\nmodels.b.context = 512\n"),
    )
    .unwrap();
    let reloaded = admin(&paddock, &post("/api/reload", ""));
    assert_eq!(reloaded.status, 200, "{}", reloaded.text());
    assert_eq!(reloaded.json()["added"], serde_json::json!(["new"]));
    assert_eq!(reloaded.json()["changed"], serde_json::json!(["b"]));
    assert_eq!(model(&paddock, "a")["pid"], pid);
    fs::write(&file, "models.x = 7").unwrap();
    let refused = admin(&paddock, &post("/api/reload", ""));
    assert_eq!(refused.status, 422, "{}", refused.text());
    assert_eq!(
        model(&paddock, "a")["pid"],
        pid,
        "an invalid file changes nothing"
    );
    fs::write(&file, text).unwrap();
    paddock.signal(Signal::HUP);
    wait_until(LIMIT, "the new model to be gone", || {
        paddock.status()["models"]
            .as_array()
            .is_some_and(|models| models.len() == 3)
    });
    assert_eq!(model(&paddock, "a")["pid"], pid);
}

#[test]
fn no_browser_takes_an_answer_for_another_kind() {
    let paddock = three().start();
    let evil = get("/api/status").replace("localhost", "evil.test");
    let paths = ["/", "/livez", "/api/status", "/metrics", "/none"].map(get);
    for request in paths.into_iter().chain([evil]) {
        let answer = admin(&paddock, &request);
        let kinds: Vec<_> = answer.head.all("x-content-type-options").collect();
        assert_eq!(kinds, ["nosniff"], "{request}");
    }
}
