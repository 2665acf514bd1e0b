//! What requests hold: chat completions, which name their model.

/// A small one.
pub(crate) const CHAT: &[u8] = br#"{"model":"instant","messages":[{"role":"system","content":"You are a helpful assistant."},{"role":"user","content":"What is the capital of France?"}],"temperature":0.7,"max_tokens":64}"#;

/// One of this length, with its model at the head.
pub(crate) fn named_first(len: usize) -> Vec<u8> {
    filled(
        br#"{"model":"instant","messages":[{"role":"user","content":""#,
        br#""}]}"#,
        len,
    )
}

/// One of this length, with its model at the end.
pub(crate) fn named_last(len: usize) -> Vec<u8> {
    filled(
        br#"{"messages":[{"role":"user","content":""#,
        br#""}],"model":"instant"}"#,
        len,
    )
}

fn filled(start: &[u8], end: &[u8], len: usize) -> Vec<u8> {
    let text = vec![b'x'; len - start.len() - end.len()];
    [start, &text, end].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_bodies_are_json_of_their_length() {
        for body in [named_first(64 * 1024), named_last(64 * 1024)] {
            assert_eq!(body.len(), 64 * 1024);
            let json: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(json["model"], "instant");
        }
    }
}
