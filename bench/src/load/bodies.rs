//! What requests hold: chat completions, which name their model.

/// Where they go.
pub(crate) const CHATS: &str = "/v1/chat/completions";

/// A small one.
pub(crate) const CHAT: &[u8] = br#"{"model":"instant","messages":[{"role":"system","content":"You are a helpful assistant."},{"role":"user","content":"What is the capital of France?"}],"temperature":0.7,"max_tokens":64}"#;

/// A small one that gets what the child has under this path.
pub(crate) fn wish(model: &str, path: &str) -> Vec<u8> {
    format!(
        r#"{{"model":"{model}","wish":"{path}","messages":[{{"role":"user","content":"What is the capital of France?"}}],"stream":true,"temperature":0.7,"max_tokens":64}}"#
    )
    .into_bytes()
}

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

    #[test]
    fn wishes_are_json_of_their_model() {
        let json: serde_json::Value = serde_json::from_slice(&wish("a", "/b")).unwrap();
        assert_eq!((&json["model"], &json["wish"]), (&"a".into(), &"/b".into()));
    }
}
