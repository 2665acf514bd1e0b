use crate::support::{answered_by, chat, three};
use paddock_e2e::harness::{get, post};
use serde_json::Value;

const BODY: &str = r#"{"messages":[{"role":"user","content":"hi"}]}"#;

#[test]
fn five_ways_to_name_a_model() {
    let paddock = three().config("server.default_model = 'm'").start();
    let path = "/v1/chat/completions";
    let header = post(path, BODY).replace("\r\n\r\n", "\r\nX-Paddock-Model: bee\r\n\r\n");
    for (request, model) in [
        (post(&format!("/upstream/a{path}"), BODY), "a"),
        (post(&format!("/upstream/org/b{path}"), BODY), "b"),
        (post(&format!("{path}?model=b"), BODY), "b"),
        (header, "b"),
        (chat("a"), "a"),
        (chat("bee"), "b"),
        (post(path, BODY), "m"),
    ] {
        assert_eq!(answered_by(&paddock.ask(&request)), model, "{request}");
    }
}

#[test]
fn a_name_behind_a_megabyte_is_found_and_the_body_arrives_whole() {
    let paddock = three().start();
    let text = "x".repeat(1 << 20);
    let body = format!(r#"{{"prompt":"{text}","model":"b"}}"#);
    let answer = paddock.ask(post("/__fake/echo", &body));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.text().contains(&body), "the body is another one");
}

#[test]
fn requests_without_a_known_name_are_told_which_there_are() {
    let paddock = three().start();
    let unnamed = paddock.ask(post("/v1/chat/completions", BODY));
    assert_eq!(
        (unnamed.status, unnamed.error_code()),
        (400, "no_model".into())
    );
    let unknown = paddock.ask(chat("be"));
    assert_eq!(
        (unknown.status, unknown.error_code()),
        (404, "unknown_model".into())
    );
    assert!(
        unknown.text().contains("configured: "),
        "{}",
        unknown.text()
    );
    let number = paddock.ask(post("/v1/chat/completions", r#"{"model":7}"#));
    assert_eq!(number.status, 400, "{}", number.text());
}

#[test]
fn head_is_answered_with_the_length_that_get_would_have() {
    let paddock = three().start();
    for path in ["/health", "/v1/models", "/v1/models/a", "/v1/models/none"] {
        let got = paddock.ask(get(path));
        assert!(!got.body.is_empty(), "{path}");
        let mut client = paddock.connect();
        client.send(get(path).replacen("GET", "HEAD", 1));
        let headed = client.answer_to("HEAD");
        assert_eq!(headed.status, got.status, "{path}");
        assert_eq!(
            headed.field("content-length"),
            got.field("content-length"),
            "{path}"
        );
        // Nothing else is on the connection.
        client.send(get(path));
        assert_eq!(client.answer().status, got.status, "{path}");
    }
}

#[test]
fn models_are_listed_with_their_status() {
    let paddock = three().start();
    let list = paddock.get("/v1/models").json();
    let ids: Vec<&Value> = list["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|model| &model["id"])
        .collect();
    assert_eq!(ids, ["m", "a", "b"]);
    assert_eq!(list["data"][0]["status"], "unloaded");
    let one = paddock.ask(get("/v1/models/org/b"));
    assert_eq!(one.json()["id"], "b");
    assert_eq!(
        paddock.get("/health").status,
        200,
        "requests can be loaded for"
    );
}
