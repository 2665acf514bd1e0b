use crate::support::{direct, ok, ready, small};
use paddock_e2e::harness::{Connection, Paddock, post};
use serde_json::Value;

/// The same each time: nothing random, and nothing kept from the request before.
fn chat(stream: bool) -> String {
    let body = format!(
        r#"{{"messages":[{{"role":"user","content":"Name three colours."}}],"max_tokens":16,
            "temperature":0,"seed":1,"cache_prompt":false,"stream":{stream},
            "stream_options":{{"include_usage":{stream}}}}}"#
    );
    post("/v1/chat/completions", &body)
}

fn completion(path: &str) -> String {
    let body = r#"{"prompt":"The capital of France is","max_tokens":8,"n_predict":8,
        "temperature":0,"seed":1,"cache_prompt":false}"#;
    post(path, body)
}

/// The same of paddock and of the engine itself, which closes a connection that waits too long.
fn both<T>(paddock: &Paddock, ask: impl Fn(&mut Connection) -> T) -> [T; 2] {
    let through = ask(&mut paddock.connect());
    [through, ask(&mut direct(paddock))]
}

/// What a stream says, and its last events.
fn streamed(connection: &mut Connection) -> (String, Vec<Value>) {
    connection.send(chat(true));
    let head = connection.head();
    assert_eq!(head.status, 200, "{head:?}");
    assert_eq!(head.field("content-type"), Some("text/event-stream"));
    let (mut events, clean) = connection.events();
    assert!(clean);
    assert_eq!(events.pop().expect("events").data(), "[DONE]");
    let events = events
        .iter()
        .map(|event| serde_json::from_str(&event.data()).expect("JSON"));
    let events: Vec<Value> = events.collect();
    let texts = events
        .iter()
        .filter_map(|event| event["choices"][0]["delta"]["content"].as_str());
    (texts.collect(), events)
}

#[test]
fn text_is_what_the_engine_itself_says() {
    let paddock = ready(small());

    let [through, itself] = both(&paddock, |to| ok(to.ask(chat(false))).json());
    let text = through["choices"][0]["message"]["content"]
        .as_str()
        .expect("text");
    assert!(!text.is_empty());
    assert_eq!(through["choices"], itself["choices"]);
    assert_eq!(through["usage"], itself["usage"]);
    assert_eq!(through["usage"]["completion_tokens"], 16);

    let [through, itself] = both(&paddock, streamed);
    assert_eq!(through.0, text);
    assert_eq!(itself.0, text);
    let shape = |events: &[Value]| -> Vec<Value> {
        events
            .iter()
            .map(|event| event["choices"].clone())
            .collect()
    };
    assert_eq!(shape(&through.1), shape(&itself.1));
    assert!(through.1.len() > 10, "{:?}", through.1);

    for path in ["/v1/completions", "/completion"] {
        let [through, itself] = both(&paddock, |to| ok(to.ask(completion(path))).json());
        let text = |answer: &Value| answer["choices"].to_string() + &answer["content"].to_string();
        assert!(
            text(&through).contains("France") || text(&through).len() > 30,
            "{through}"
        );
        assert_eq!(text(&through), text(&itself));
    }
}
