//! Request bodies: chat completions that name their model.

/// The path of chat completions.
pub(crate) const CHAT_PATH: &str = "/v1/chat/completions";

/// A small chat completion.
pub(crate) const SMALL_CHAT: &[u8] = br#"{"model":"instant","messages":[{"role":"system","content":"You are a helpful assistant."},{"role":"user","content":"What is the capital of France?"}],"temperature":0.7,"max_tokens":64}"#;

/// Returns a small chat completion that the child answers as a request for `path`.
pub(crate) fn chat_for_route(model: &str, path: &str) -> Vec<u8> {
    format!(
        r#"{{"model":"{model}","route":"{path}","messages":[{{"role":"user","content":"What is the capital of France?"}}],"stream":true,"temperature":0.7,"max_tokens":64}}"#
    )
    .into_bytes()
}

/// Returns a body of `len` bytes with the model first.
pub(crate) fn chat_model_first(len: usize) -> Vec<u8> {
    filled_to(
        br#"{"model":"instant","messages":[{"role":"user","content":""#,
        br#""}]}"#,
        len,
    )
}

/// Returns a body of `len` bytes with the model last.
pub(crate) fn chat_model_last(len: usize) -> Vec<u8> {
    filled_to(
        br#"{"messages":[{"role":"user","content":""#,
        br#""}],"model":"instant"}"#,
        len,
    )
}

fn filled_to(start: &[u8], end: &[u8], len: usize) -> Vec<u8> {
    let text = vec![b'x'; len - start.len() - end.len()];
    [start, &text, end].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_bodies_are_json_of_their_length() {
        for body in [chat_model_first(64 * 1024), chat_model_last(64 * 1024)] {
            assert_eq!(body.len(), 64 * 1024);
            let json: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(json["model"], "instant");
        }
    }

    #[test]
    fn routed_chats_are_json_with_their_model() {
        let json: serde_json::Value = serde_json::from_slice(&chat_for_route("a", "/b")).unwrap();
        assert_eq!(
            (&json["model"], &json["route"]),
            (&"a".into(), &"/b".into())
        );
    }
}
