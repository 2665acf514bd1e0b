//! Requests of paddock's own that tell whether a child still computes.

use paddock_config::Mode;
use paddock_supervisor::InferencePolicy;

/// One token of a completion, which nearly every child can make.
const COMPLETION: (&str, &str) = ("/v1/completions", r#"{"prompt":"a","max_tokens":1}"#);

/// The embedding of one token. A model for embeddings has no logits and answers each completion with 500
/// (llama.cpp b11434, tools/server/server-context.cpp, "the current context does not support logits
/// computation"); another one answers this with 501. The route without `/v1` takes every kind of pooling.
const EMBEDDING: (&str, &str) = ("/embedding", r#"{"content":"a"}"#);

/// Returns how a child's inference is probed. A router has no model of its own, so it is not.
pub(crate) fn policy(mode: Mode) -> InferencePolicy {
    let probes = match mode {
        Mode::Wrap { router: true, .. } => Vec::new(),
        Mode::Serve | Mode::Wrap { router: false, .. } => {
            vec![request(COMPLETION), request(EMBEDDING)]
        }
    };
    InferencePolicy {
        probes,
        ..InferencePolicy::default()
    }
}

fn request((path, body): (&str, &str)) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}
