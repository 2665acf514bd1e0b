use crate::support::{answered_by, chat, three};
use paddock_e2e::harness::{Paddock, PaddockBuilder, get, post};
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

/// Puts another header field into a request.
fn with(request: &str, field: &str) -> String {
    request.replacen("\r\n\r\n", &format!("\r\n{field}\r\n\r\n"), 1)
}

#[test]
fn a_request_that_cannot_be_read_is_told_why() {
    let paddock = three().start();
    let path = "/v1/chat/completions";
    let gzip = with(&post(path, "\u{1f}\u{8b}"), "Content-Encoding: gzip");
    let wrong = "{\"messages\":[],\n \"n\":,\"model\":\"a\"}";
    let cut = "{\"messages\":[";
    let late = format!("{{\"messages\":\"{}\",\"n\":}}", "x".repeat(200_000));
    let form_type = "multipart/form-data; boundary=a";
    let form = post(path, "x").replace("application/json", form_type);
    for (asked, status, kind, words) in [
        (&gzip, 415, "encoded_body", "Content-Encoding: gzip"),
        (&post(path, wrong), 400, "invalid_json", "line 2 column 6"),
        (&post(path, cut), 400, "invalid_json", "line 1 column 13"),
        (
            &post(path, &late),
            400,
            "invalid_json",
            "line 1 column 200020",
        ),
        (&post(path, "a=b"), 400, "invalid_json", "line 1 column 1"),
        (&post(path, "[]"), 400, "no_model", "configured: "),
        (&post(path, ""), 400, "no_model", "configured: "),
        (&form, 400, "no_model", "configured: "),
        (&post("//v1/models", "x"), 404, "unknown_route", "/v1"),
        (&get("/v1/models/"), 404, "unknown_route", "/v1"),
        (&get("/v1/v1/models"), 404, "unknown_route", "/v1"),
        (&get("/"), 404, "unknown_route", "/upstream/MODEL/"),
        (&get("/favicon.ico"), 404, "unknown_route", "/v1"),
        (&get("/props"), 400, "no_model", "configured: "),
    ] {
        let answer = paddock.ask(asked);
        assert_eq!(
            (answer.status, answer.error_code()),
            (status, kind.into()),
            "{asked}"
        );
        assert!(answer.text().contains(words), "{}", answer.text());
        let accepts = (status == 415).then_some("identity");
        assert_eq!(answer.field("accept-encoding"), accepts);
    }
}

#[test]
fn a_body_of_a_known_model_is_not_looked_at() {
    let bodies = ["not JSON", "{\"a\":", "\u{1f}\u{8b}"];
    let echoes = |paddock: &Paddock, field: &str| {
        for body in bodies {
            let asked = with(&post("/__fake/echo", body), "Content-Encoding: gzip");
            let answer = paddock.ask(with(&asked, field));
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert!(answer.text().ends_with(body), "{}", answer.text());
        }
    };
    echoes(&three().start(), "x-paddock-model: a");
    echoes(
        &three().config("server.default_model = 'b'").start(),
        "a: b",
    );
    echoes(&paddock_e2e::paddock!().start(), "a: b");
    let builder = paddock_e2e::paddock!();
    let more = discovering(&builder);
    echoes(&builder.config(&more).start(), "a: b");
}

/// A directory of models in which there are none yet.
fn discovering(builder: &PaddockBuilder) -> String {
    let directory = builder.directory().join("more");
    std::fs::create_dir(&directory).unwrap();
    format!("discover.dirs = [{:?}]", directory.display().to_string())
}

#[test]
fn a_single_model_answers_to_any_name_only_if_no_other_can_appear() {
    let by_body = chat("another");
    let by_query = post("/v1/chat/completions?model=another", BODY);
    let by_header = with(
        &post("/v1/chat/completions", BODY),
        "x-paddock-model: another",
    );
    let unnamed = post("/v1/chat/completions", BODY);
    let status = |paddock: &Paddock, asked: &str| paddock.ask(asked).status;
    let alone = paddock_e2e::paddock!().start();
    assert_eq!(
        (status(&alone, &by_body), status(&alone, &unnamed)),
        (200, 200)
    );
    let builder = paddock_e2e::paddock!();
    let more = discovering(&builder);
    let found = builder.config(&more).start();
    assert_eq!(
        (status(&found, &by_body), status(&found, &unnamed)),
        (404, 200)
    );
    assert_eq!(status(&found, &chat("m")), 200);
    for paddock in [&alone, &found] {
        for asked in [&by_query, &by_header] {
            let answer = paddock.ask(asked);
            assert_eq!(answer.error_code(), "unknown_model", "{asked}");
        }
    }
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
