//! paddock's own requests that test whether a child still computes.

use paddock_config::Mode;
use paddock_supervisor::InferencePolicy;

/// A completion of one token, which nearly every child can serve.
const COMPLETION_PROBE: (&str, &str) = ("/v1/completions", r#"{"prompt":"a","max_tokens":1}"#);

/// The embedding of one token. An embedding model has no logits and answers each completion with 500 (llama.cpp
/// b11434, tools/server/server-context.cpp, "the current context does not support logits computation"); any other
/// model answers this request with 501. The route without `/v1` accepts every kind of pooling.
const EMBEDDING_PROBE: (&str, &str) = ("/embedding", r#"{"content":"a"}"#);

/// Returns the probes for a child. A router has no model of its own and gets none.
pub(crate) fn policy(mode: Mode) -> InferencePolicy {
    let probes = match mode {
        Mode::Wrap { router: true, .. } => Vec::new(),
        Mode::Serve | Mode::Wrap { router: false, .. } => {
            vec![
                probe_request(COMPLETION_PROBE),
                probe_request(EMBEDDING_PROBE),
            ]
        }
    };
    InferencePolicy {
        probes,
        ..InferencePolicy::default()
    }
}

fn probe_request((path, body): (&str, &str)) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}
