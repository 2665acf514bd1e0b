//! Defines the requests that paddock itself sends to a child (a llama-server process) to test whether the child still
//! computes.

use paddock_config::Mode;
use paddock_supervisor::InferencePolicy;

/// A completion of one token, which nearly every child can serve.
const COMPLETION_PROBE: (&str, &str) = ("/v1/completions", r#"{"prompt":"a","max_tokens":1}"#);

/// The embedding of one token. An embedding model has no logits and answers each completion with 500 (llama.cpp
/// b11434, tools/server/server-context.cpp, "the current context does not support logits computation"); any other
/// model answers this request with 501. The route without `/v1` accepts every kind of pooling.
const EMBEDDING_PROBE: (&str, &str) = ("/embedding", r#"{"content":"a"}"#);

/// Returns the probes for a child. llama-server in router mode has no model of its own and gets none.
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

/// Returns the bytes of an HTTP request with this path and JSON body.
fn probe_request((path, body): (&str, &str)) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_is_a_whole_request() {
        let probes = policy(Mode::Serve).probes;
        let [completion, embedding] = probes.as_slice() else {
            panic!("{probes:?}");
        };
        let expected = "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: 29\r\n\r\n{\"prompt\":\"a\",\"max_tokens\":1}";
        assert_eq!(String::from_utf8_lossy(completion), expected);
        let text = String::from_utf8_lossy(embedding);
        assert!(text.starts_with("POST /embedding HTTP/1.1\r\n"), "{text}");
        assert!(text.contains("Content-Length: 15\r\n"), "{text}");
        assert!(text.ends_with("\r\n\r\n{\"content\":\"a\"}"), "{text}");
    }

    #[test]
    fn a_router_is_not_probed() {
        for (router, count) in [(true, 0), (false, 2)] {
            let mode = Mode::Wrap {
                router,
                is_launched: false,
            };
            assert_eq!(policy(mode).probes.len(), count);
        }
    }
}
