//! The requests of the table, and which part of the responses is the same.

use paddock_e2e::harness::{get, post};

/// The part of a response that the stand-in and the real engine share.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Same {
    /// Every byte, up to the end of the connection.
    Bytes,
    /// The head, except for the length, and the shape of a JSON body.
    Json,
    /// The head, how events are cut into chunks, and the shape of each event.
    Events,
    /// The head, except for the length; and these words in the body.
    Words(&'static str),
}

pub(crate) type Row = (&'static str, Vec<u8>, Same);

const CHAT: &str = r#""messages":[{"role":"user","content":"Say hi"}],"max_tokens":2"#;

const NATIVE: &str = r#"{"prompt":"a","n_predict":2"#;

const INPUT: &str = r#"{"input":"hi","max_output_tokens":2"#;

/// Returns a request that closes its connection.
fn last(method: &str, path: &str, fields: &str) -> Vec<u8> {
    format!("{method} {path} HTTP/1.1\r\nHost: x\r\n{fields}Connection: close\r\n\r\n").into()
}

fn raw(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

/// Requests that need no model's answer.
pub(crate) fn plain() -> Vec<Row> {
    let mut rows = vec![
        ("health", last("GET", "/health", ""), Same::Bytes),
        ("health, v1", last("GET", "/v1/health", ""), Same::Bytes),
        (
            "a path with escapes",
            last("GET", "/he%61lth?a=b#c", ""),
            Same::Bytes,
        ),
        ("a broken escape", get("/health%").into(), Same::Bytes),
        ("nothing there", get("/nope").into(), Same::Bytes),
        ("POST of nothing", post("/nope", "{}").into(), Same::Bytes),
        (
            "POST where only GET is",
            post("/health", "{}").into(),
            Same::Bytes,
        ),
        ("HEAD", last("HEAD", "/health", ""), Same::Bytes),
        (
            "an origin",
            last("GET", "/health", "Origin: http://a.b\r\n"),
            Same::Bytes,
        ),
        (
            "a preflight",
            last("OPTIONS", "/x", "Origin: q\r\n"),
            Same::Bytes,
        ),
        ("HTTP/1.0", raw("GET /health HTTP/1.0\r\n\r\n"), Same::Bytes),
        (
            "pipelined requests, the first with a body",
            [
                raw("GET /health HTTP/1.1\r\nContent-Length: 4\r\n\r\nGET "),
                get("/health").into(),
                last("GET", "/health", ""),
            ]
            .concat(),
            Same::Bytes,
        ),
        (
            "a chunk without a size",
            raw("POST /tokenize HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n"),
            Same::Bytes,
        ),
        ("a body above 100 MiB", too_large(), Same::Bytes),
        ("models", get("/v1/models").into(), Same::Json),
        ("props", get("/props").into(), Same::Json),
        ("slots", get("/slots").into(), Same::Json),
    ];
    for path in [
        "/metrics",
        "/embeddings",
        "/v1/embeddings",
        "/props",
        "/slots/0?action=save",
    ] {
        let request = if path == "/metrics" {
            get(path)
        } else {
            post(path, "{}")
        };
        rows.push(("a feature that is off", request.into(), Same::Bytes));
    }
    let long = format!("GET /health HTTP/1.1\r\nX: {}\r\n\r\n", "a".repeat(8300));
    for refused in [
        "FOO /health HTTP/1.1\r\n\r\n",
        "GET /health\r\n\r\n",
        "GET /health HTTP/2.0\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost : x\r\n\r\n",
        "GET /health HTTP/1.1\r\nno colon\r\n\r\n",
        &long,
        "POST /tokenize HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST /tokenize HTTP/1.1\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n",
        "POST /tokenize HTTP/1.1\r\nContent-Length: +4\r\n\r\n",
        "POST /tokenize HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
    ] {
        rows.push(("a malformed request", raw(refused), Same::Bytes));
    }
    rows
}

/// Requests that the model answers in every dialect, whole and streamed.
pub(crate) fn inference() -> Vec<Row> {
    let chat = format!("{{{CHAT}");
    let mut rows = Vec::new();
    for (name, path, body) in [
        ("chat", "/v1/chat/completions", chat.as_str()),
        ("chat without v1", "/chat/completions", &chat),
        (
            "completions",
            "/v1/completions",
            r#"{"prompt":"a","max_tokens":2"#,
        ),
        ("completion", "/completion", NATIVE),
        ("completion, plural", "/completions", NATIVE),
        ("messages", "/v1/messages", &chat),
        ("responses", "/v1/responses", INPUT),
        ("responses without v1", "/responses", INPUT),
    ] {
        let streamed = format!(r#"{body},"stream":true}}"#);
        rows.push((name, post(path, &format!("{body}}}")).into(), Same::Json));
        rows.push((name, post(path, &streamed).into(), Same::Events));
    }
    let usage = format!(r#"{chat},"stream":true,"stream_options":{{"include_usage":true}}}}"#);
    rows.push((
        "chat with usage",
        post("/v1/chat/completions", &usage).into(),
        Same::Events,
    ));
    rows
}

/// Requests about text and tokens, and requests that lack something.
pub(crate) fn text() -> Vec<Row> {
    let chat = format!("{{{CHAT}}}");
    let rows = [
        (
            "/v1/completions",
            r#"{"prompt":["a","b"],"max_tokens":2}"#,
            Same::Json,
        ),
        ("/v1/messages/count_tokens", &chat, Same::Json),
        ("/tokenize", r#"{"content":"h\u00e9"}"#, Same::Json),
        ("/tokenize", "{}", Same::Json),
        ("/detokenize", r#"{"tokens":[104]}"#, Same::Json),
        ("/v1/chat/completions", "{}", Same::Json),
        ("/v1/messages", "{}", Same::Json),
        ("/v1/messages/count_tokens", "{}", Same::Json),
        ("/completion", "{}", Same::Json),
        ("/v1/responses", "{}", Same::Json),
        ("/tokenize", r#"{"a"#, Same::Words("parse error at line 1")),
    ];
    let rows = rows
        .into_iter()
        .map(|(path, body, same)| ("text", post(path, body).into(), same));
    let mut rows: Vec<Row> = rows.collect();
    rows.push((
        "a chunked body",
        raw(
            "POST /tokenize HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n\
             5\r\n{\"con\r\na;x=y\r\ntent\":\"a\"}\r\n0\r\nTrailer: t\r\n\r\n",
        ),
        Same::Json,
    ));
    rows
}

/// Requests to an engine with `--embeddings` and `--metrics`.
pub(crate) fn embeddings() -> Vec<Row> {
    vec![
        (
            "embeddings",
            post("/v1/embeddings", r#"{"input":["a","bc"],"model":"m"}"#).into(),
            Same::Json,
        ),
        (
            "embedding",
            post("/embeddings", r#"{"content":"a"}"#).into(),
            Same::Json,
        ),
        (
            "metrics",
            get("/metrics").into(),
            Same::Words("\nllamacpp:requests_processing 0\n"),
        ),
    ]
}

/// Requests to an engine with `--api-prefix /llm`.
pub(crate) fn prefixed() -> Vec<Row> {
    vec![
        (
            "health below the prefix",
            last("GET", "/llm/health", ""),
            Same::Bytes,
        ),
        (
            "health without the prefix",
            get("/health").into(),
            Same::Bytes,
        ),
        (
            "tokenize below the prefix",
            post("/llm/tokenize", "{}").into(),
            Same::Json,
        ),
    ]
}

fn too_large() -> Vec<u8> {
    let length = (100 << 20) + 1;
    let head = format!("POST /tokenize HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n");
    let mut bytes = head.into_bytes();
    bytes.resize(bytes.len() + length, b' ');
    bytes
}
