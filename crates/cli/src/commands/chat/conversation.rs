//! Keeps the messages of a conversation and builds requests from them.

use serde_json::{Value, json};

/// A conversation with one model.
#[derive(Debug)]
pub(super) struct Conversation {
    model: String,
    messages: Vec<Value>,
    /// Data URLs to send with the first message.
    images: Vec<String>,
}

impl Conversation {
    /// Starts a conversation.
    pub(super) fn new(model: &str, system: Option<&str>, images: Vec<String>) -> Self {
        let system = system.map(|text| json!({ "role": "system", "content": text }));
        Self {
            model: model.to_owned(),
            messages: system.into_iter().collect(),
            images,
        }
    }

    /// Adds a user's message, the first one with the images.
    pub(super) fn add_user_message(&mut self, text: &str) {
        let is_first = !self
            .messages
            .iter()
            .any(|message| message["role"] == "user");
        let content = if self.images.is_empty() || !is_first {
            json!(text)
        } else {
            let images = self.images.iter();
            let images =
                images.map(|url| json!({ "type": "image_url", "image_url": { "url": url } }));
            let text = json!({ "type": "text", "text": text });
            Value::Array(images.chain([text]).collect())
        };
        let message = json!({ "role": "user", "content": content });
        self.messages.push(message);
    }

    /// Adds the model's answer. If the answer is empty, removes the user's message instead.
    pub(super) fn add_answer(&mut self, text: &str) {
        if text.is_empty() {
            self.messages.pop();
            return;
        }
        self.messages
            .push(json!({ "role": "assistant", "content": text }));
    }

    /// Builds the body of the next request. The model comes first, so that paddock need not read a long image to
    /// route the request.
    pub(super) fn request_body(&self, stream: bool) -> String {
        let model = json!(self.model);
        let messages = json!(self.messages);
        let more = if stream {
            r#","stream":true,"stream_options":{"include_usage":true}"#
        } else {
            ""
        };
        format!(r#"{{"model":{model}{more},"messages":{messages}}}"#)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_comes_first_and_images_with_the_first_words() {
        let images = vec!["data:image/png;base64,AA==".to_owned()];
        let mut chat = Conversation::new("a\"b", Some("be kind"), images);
        chat.add_user_message("hi");
        chat.add_answer("ho");
        chat.add_user_message("and?");
        let request = chat.request_body(true);
        assert!(
            request.starts_with(r#"{"model":"a\"b","stream":true,"#),
            "{request}"
        );
        let request: Value = serde_json::from_str(&request).unwrap();
        let expected = json!([
            { "role": "system", "content": "be kind" },
            { "role": "user", "content": [
                { "type": "image_url", "image_url": { "url": "data:image/png;base64,AA==" } },
                { "type": "text", "text": "hi" },
            ] },
            { "role": "assistant", "content": "ho" },
            { "role": "user", "content": "and?" },
        ]);
        assert_eq!(request["messages"], expected);
        assert_eq!(request["stream_options"]["include_usage"], true);
        assert!(!chat.request_body(false).contains("stream"));
    }

    #[test]
    fn what_got_no_answer_was_not_said() {
        let mut chat = Conversation::new("m", None, vec!["data:x".to_owned()]);
        chat.add_user_message("hi");
        let before = chat.request_body(false);
        chat.add_answer("");
        chat.add_user_message("hi");
        assert_eq!(
            chat.request_body(false),
            before,
            "the image goes along again"
        );
    }
}
