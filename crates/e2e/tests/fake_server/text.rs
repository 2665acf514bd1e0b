//! Text, in every shape, streamed and whole.

use serde_json::Value;

use super::support::{Fake, get, post};

/// The chunks of a stream, checked for their framing.
fn chunks(fake: &Fake, path: &str, body: &str) -> Vec<String> {
    let mut connection = fake.connect();
    connection.send(post(path, body));
    let head = connection.until("\r\n\r\n");
    assert_eq!(
        head,
        "HTTP/1.1 200 OK\r\nServer: llama.cpp\r\nAccess-Control-Allow-Origin: \r\n\
         X-Accel-Buffering: no\r\nContent-Type: text/event-stream\r\n\
         Transfer-Encoding: chunked\r\nKeep-Alive: timeout=5, max=100\r\n\r\n"
    );
    // The connection of a stream ends with it, whatever the head says.
    let wire = connection.rest();
    let mut rest = wire.strip_suffix("0\r\n\r\n").expect("a last chunk");
    let mut chunks = Vec::new();
    while let Some((size, more)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        chunks.push(more[..size].to_owned());
        rest = more[size..].strip_prefix("\r\n").unwrap();
    }
    chunks
}

/// The JSON of each event of a chunk.
fn events(chunk: &str) -> Vec<Value> {
    let datas = chunk.lines().filter_map(|line| line.strip_prefix("data: "));
    datas
        .map(|data| serde_json::from_str(data).unwrap())
        .collect()
}

const CHAT: &str = r#"{"messages":[{"role":"user","content":"Say hi"}],"max_tokens":2"#;

#[test]
fn chat_whole() {
    let fake = Fake::ready(&["--alias", "name"]);
    for path in ["/chat/completions", "/v1/chat/completions"] {
        let answer = fake.post(path, &format!("{CHAT}}}")).json();
        let choice = &answer["choices"][0];
        assert_eq!(choice["message"]["content"], "token 1 token 2 ");
        assert_eq!(choice["finish_reason"], "length");
        assert_eq!(answer["usage"]["prompt_tokens"], 6);
        assert_eq!(answer["usage"]["total_tokens"], 8);
        assert_eq!(answer["timings"]["predicted_n"], 2);
        assert_eq!(answer["model"], "name");
    }
}

#[test]
fn chat_streamed() {
    let fake = Fake::ready(&[]);
    let chunks = chunks(
        &fake,
        "/v1/chat/completions",
        &format!(r#"{CHAT},"stream":true}}"#),
    );
    assert_eq!(chunks.len(), 4);
    let first = events(&chunks[0]);
    assert_eq!(first[0]["choices"][0]["delta"]["role"], "assistant");
    assert_eq!(first[1]["choices"][0]["delta"]["content"], "token 1 ");
    assert_eq!(
        events(&chunks[1])[0]["choices"][0]["delta"]["content"],
        "token 2 "
    );
    let last = events(&chunks[2]);
    assert_eq!(last[0]["choices"][0]["finish_reason"], "length");
    assert_eq!(last[0]["timings"]["predicted_n"], 2);
    assert_eq!(chunks[3], "data: [DONE]\n\n");
}

#[test]
fn chat_streamed_with_usage() {
    let fake = Fake::ready(&["--fake-tokens", "1"]);
    let body = r#"{"messages":[],"stream":true,"stream_options":{"include_usage":true}}"#;
    let chunks = chunks(&fake, "/v1/chat/completions", body);
    let last = events(&chunks[1]);
    assert_eq!(last[0]["choices"][0]["finish_reason"], "stop");
    assert_eq!(last[1]["choices"], Value::Array(Vec::new()));
    assert_eq!(last[1]["usage"]["completion_tokens"], 1);
    assert_eq!(last[1]["timings"]["predicted_n"], 1);
}

#[test]
fn completions() {
    let fake = Fake::ready(&[]);
    let body = r#"{"prompt":["a","b"],"max_tokens":2}"#;
    let answer = fake.post("/v1/completions", body).json();
    assert_eq!(answer["choices"][0]["text"], "token 1 token 2 ");
    assert_eq!(answer["usage"]["prompt_tokens"], 2);
    let body = r#"{"prompt":"a","max_tokens":2,"stream":true}"#;
    let chunks = chunks(&fake, "/v1/completions", body);
    assert_eq!(events(&chunks[1])[0]["choices"][0]["text"], "token 2 ");
    assert_eq!(events(&chunks[2])[0]["usage"]["completion_tokens"], 2);
    assert_eq!(chunks[3], "data: [DONE]\n\n");
}

#[test]
fn native_completion() {
    let fake = Fake::ready(&[]);
    for path in ["/completion", "/completions"] {
        let answer = fake.post(path, r#"{"prompt":"a","n_predict":2}"#).json();
        assert_eq!(answer["content"], "token 1 token 2 ");
        assert_eq!(answer["stop_type"], "limit");
        let body = r#"{"prompt":"a","n_predict":2,"stream":true}"#;
        let chunks = chunks(&fake, path, body);
        assert_eq!(chunks.len(), 3);
        assert_eq!(events(&chunks[0])[0]["content"], "token 1 ");
        assert_eq!(events(&chunks[2])[0]["stop"], true);
        assert_eq!(events(&chunks[2])[0]["timings"]["predicted_n"], 2);
    }
}

#[test]
fn messages() {
    let fake = Fake::ready(&[]);
    let answer = fake.post("/v1/messages", &format!("{CHAT}}}")).json();
    assert_eq!(answer["content"][0]["text"], "token 1 token 2 ");
    assert_eq!(answer["stop_reason"], "max_tokens");
    assert_eq!(answer["usage"]["output_tokens"], 2);
    let chunks = chunks(&fake, "/v1/messages", &format!(r#"{CHAT},"stream":true}}"#));
    let named: Vec<&str> = chunks
        .iter()
        .flat_map(|chunk| chunk.lines())
        .filter_map(|line| line.strip_prefix("event: "))
        .collect();
    assert_eq!(
        named,
        [
            "message_start",
            "content_block_start",
            "content_block_delta",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop",
        ]
    );
    assert_eq!(chunks.len(), 3);
    let count = fake.post("/v1/messages/count_tokens", &format!("{CHAT}}}"));
    assert_eq!(count.body, r#"{"input_tokens":6}"#);
}

#[test]
fn responses() {
    let fake = Fake::ready(&[]);
    let body = r#"{"input":"hi","max_output_tokens":2}"#;
    let answer = fake.post("/v1/responses", body).json();
    assert_eq!(
        answer["output"][0]["content"][0]["text"],
        "token 1 token 2 "
    );
    let body = r#"{"input":"hi","max_output_tokens":2,"stream":true}"#;
    let chunks = chunks(&fake, "/responses", body);
    assert!(chunks[0].starts_with("event: response.created\ndata: "));
    assert_eq!(chunks.len(), 3);
    let last = events(&chunks[2]);
    assert_eq!(last[3]["type"], "response.completed");
    assert_eq!(last[3]["response"]["usage"]["output_tokens"], 2);
}

#[test]
fn requests_that_lack_something() {
    let fake = Fake::ready(&[]);
    let refused = [
        ("/v1/chat/completions", "{}", "'messages' is required"),
        ("/v1/messages", "{}", "'messages' is required"),
        (
            "/completion",
            "{}",
            "[json.exception.out_of_range.403] key 'prompt' not found",
        ),
    ];
    for (path, body, message) in refused {
        let answer = fake.post(path, body);
        let error = format!(
            r#"{{"error":{{"code":400,"message":"{message}","type":"invalid_request_error"}}}}"#
        );
        assert_eq!((answer.status(), answer.body), (400, error));
    }
    let answer = fake.post("/tokenize", r#"{"a"#);
    assert_eq!(answer.status(), 400);
    assert!(
        answer
            .body
            .contains("[json.exception.parse_error.101] parse error at line 1")
    );
}

#[test]
fn tokens_go_and_come_back() {
    let fake = Fake::ready(&[]);
    let tokens = fake.post("/tokenize", r#"{"content":"h\u00e9"}"#).body;
    assert_eq!(tokens, r#"{"tokens":[104,195,169]}"#);
    assert_eq!(
        fake.post("/detokenize", &tokens).body,
        "{\"content\":\"hé\"}"
    );
}

#[test]
fn embeddings_and_metrics_where_they_are_on() {
    let fake = Fake::ready(&["--embeddings", "--metrics"]);
    let answer = fake
        .post("/v1/embeddings", r#"{"input":["a","bc"],"model":"m"}"#)
        .json();
    assert_eq!(answer["data"][1]["index"], 1);
    assert_eq!(answer["usage"]["total_tokens"], 3);
    assert_eq!(answer["model"], "m");
    let vector = &fake.post("/embeddings", r#"{"content":"a"}"#).json()[0]["embedding"][0];
    assert_eq!(*vector, answer["data"][0]["embedding"]);
    let metrics = fake.ask(&get("/metrics"));
    assert!(
        metrics
            .head
            .contains("\r\nContent-Type: text/plain; version=0.0.4\r\n")
    );
    assert!(metrics.body.contains("\nllamacpp:requests_processing 0\n"));
}
