//! The requests that the tests of this folder send.

use paddock_e2e::harness::post;

/// More tokens than any test waits for.
pub(crate) const ENDLESS: u64 = 1_000_000;

/// Engine arguments for answers that take their time: a token every 10 ms.
pub(crate) const PACED: [&str; 2] = ["--fake-token-ms", "10"];

/// A request for so many tokens at once.
pub(crate) fn whole(tokens: u64) -> String {
    let body = format!(r#"{{"prompt":"a","n_predict":{tokens}}}"#);
    post("/completion", &body)
}

/// A request for a stream of a chat.
pub(crate) fn chat_stream(tokens: u64) -> String {
    let messages = r#"[{"role":"user","content":"a"}]"#;
    let body = format!(r#"{{"messages":{messages},"stream":true,"max_tokens":{tokens}}}"#);
    post("/v1/chat/completions", &body)
}

/// A request for a stream the Anthropic way.
pub(crate) fn messages_stream(tokens: u64) -> String {
    let messages = r#"[{"role":"user","content":"a"}]"#;
    let body = format!(r#"{{"messages":{messages},"stream":true,"max_tokens":{tokens}}}"#);
    post("/v1/messages", &body)
}
