//! Requests that any server of this kind may get: what they are called, and their bytes.

use paddock_e2e::harness::{get, post};

type Request = (&'static str, Vec<u8>);

const CHAT: &str = r#""messages":[{"role":"user","content":"hello"}],"max_tokens":3"#;

/// A request without a body.
fn bare(method: &str, path: &str, fields: &str) -> Vec<u8> {
    format!("{method} {path} HTTP/1.1\r\nHost: x\r\n{fields}\r\n").into()
}

/// A JSON body sent in two chunks, with trailers.
fn chunked(path: &str, body: &str) -> Vec<u8> {
    let (one, two) = body.split_at(body.len() / 2);
    let chunk = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());
    let (one, two) = (chunk(one), chunk(two));
    let fields = "Host: x\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum";
    format!("POST {path} HTTP/1.1\r\n{fields}\r\n\r\n{one}{two}0\r\nx-sum: 1\r\n\r\n").into()
}

/// What is asked of a server whether or not its model is loaded.
pub(crate) fn always() -> Vec<Request> {
    let stream = format!(r#"{{{CHAT},"stream":true}}"#);
    vec![
        ("health", get("/health").into()),
        ("health, v1", get("/v1/health").into()),
        ("health with a query", get("/health?a=b&c=%20").into()),
        ("models", get("/v1/models").into()),
        ("models, old", get("/models").into()),
        ("props", get("/props").into()),
        ("slots", get("/slots").into()),
        ("metrics", get("/metrics").into()),
        ("nothing there", get("/nothing/there").into()),
        ("nothing there, odd bytes", get("/%00%ff//..//?x=%").into()),
        ("a model by name", get("/v1/models/m").into()),
        ("HEAD of health", bare("HEAD", "/health", "")),
        ("HEAD of nothing", bare("HEAD", "/nothing", "")),
        (
            "OPTIONS",
            bare(
                "OPTIONS",
                "/v1/chat/completions",
                "Origin: http://localhost:3000\r\n",
            ),
        ),
        (
            "a preflight",
            bare(
                "OPTIONS",
                "/v1/chat/completions",
                "Origin: http://localhost:3000\r\nAccess-Control-Request-Method: POST\r\n",
            ),
        ),
        ("OPTIONS of nothing", bare("OPTIONS", "/nothing", "")),
        ("DELETE", bare("DELETE", "/v1/stream?conv_id=1", "")),
        ("PATCH", bare("PATCH", "/health", "")),
        (
            "an origin",
            bare("GET", "/props", "Origin: http://127.0.0.1:3000\r\n"),
        ),
        (
            "a request that closes",
            bare("GET", "/props", "Connection: close\r\n"),
        ),
        ("HTTP/1.0", b"GET /props HTTP/1.0\r\n\r\n".into()),
        (
            "a path of 20000 bytes",
            get(&format!("/{}", "p".repeat(20_000))).into(),
        ),
        (
            "many fields",
            bare("GET", "/props", &"x-field: 1\r\nX-Field: 2\r\n".repeat(30)),
        ),
        (
            "chat",
            post("/v1/chat/completions", &format!("{{{CHAT}}}")).into(),
        ),
        (
            "chat, streamed",
            post("/v1/chat/completions", &stream).into(),
        ),
    ]
}

/// What is asked of one that is loaded.
pub(crate) fn loaded() -> Vec<Request> {
    let usage = format!(r#"{{{CHAT},"stream":true,"stream_options":{{"include_usage":true}}}}"#);
    let stream = format!(r#"{{{CHAT},"stream":true}}"#);
    let plain = format!("{{{CHAT}}}");
    let mut requests = always();
    requests.extend([
        (
            "chat with usage",
            post("/v1/chat/completions", &usage).into(),
        ),
        (
            "chat, chunked upload",
            chunked("/v1/chat/completions", &plain),
        ),
        (
            "chat, streamed, chunked upload",
            chunked("/v1/chat/completions", &stream),
        ),
        (
            "completion",
            post("/completion", r#"{"prompt":"a","n_predict":2}"#).into(),
        ),
        (
            "completion, streamed",
            post(
                "/completion",
                r#"{"prompt":"a","n_predict":2,"stream":true}"#,
            )
            .into(),
        ),
        (
            "completions",
            post("/v1/completions", r#"{"prompt":"a","max_tokens":2}"#).into(),
        ),
        ("messages", post("/v1/messages", &plain).into()),
        ("messages, streamed", post("/v1/messages", &stream).into()),
        (
            "responses",
            post("/v1/responses", r#"{"input":"a","max_output_tokens":2}"#).into(),
        ),
        (
            "responses, streamed",
            post(
                "/v1/responses",
                r#"{"input":"a","max_output_tokens":2,"stream":true}"#,
            )
            .into(),
        ),
        (
            "count of tokens",
            post("/v1/messages/count_tokens", &plain).into(),
        ),
        (
            "tokenize",
            post("/tokenize", r#"{"content":"hélló"}"#).into(),
        ),
        (
            "detokenize",
            post("/detokenize", r#"{"tokens":[104,105]}"#).into(),
        ),
        (
            "embeddings",
            post("/v1/embeddings", r#"{"input":["a","b"]}"#).into(),
        ),
        ("embedding", post("/embedding", r#"{"content":"a"}"#).into()),
        ("props to be set", post("/props", "{}").into()),
        (
            "no JSON",
            post("/v1/chat/completions", "{\"messages\": [").into(),
        ),
        ("an empty body", post("/v1/chat/completions", "").into()),
        ("no messages", post("/v1/chat/completions", "{}").into()),
        (
            "an unknown field",
            post("/tokenize", r#"{"content":"a","invented":[1,{}]}"#).into(),
        ),
        ("a mebibyte", post("/tokenize", &mebibyte()).into()),
        (
            "a body where none is expected",
            post("/nothing", "{}").into(),
        ),
    ]);
    requests
}

fn mebibyte() -> String {
    format!(r#"{{"content":"{}"}}"#, "a".repeat(1 << 20))
}

/// A body that is larger than any server of this kind takes, after its head.
pub(crate) fn too_large() -> Vec<u8> {
    let length = (100 << 20) + 1;
    let mut bytes =
        format!("POST /tokenize HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n")
            .into_bytes();
    bytes.resize(bytes.len() + length, b'a');
    bytes
}
