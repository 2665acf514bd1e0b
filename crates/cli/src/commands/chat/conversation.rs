//! What has been said, and the request that goes on from there.

use serde_json::{Value, json};

/// A conversation with one model.
#[derive(Debug)]
pub(super) struct Conversation {
    model: String,
    messages: Vec<Value>,
    /// Data URLs that go with the first words.
    images: Vec<String>,
}

impl Conversation {
    /// Begins one.
    pub(super) fn new(model: &str, system: Option<&str>, images: Vec<String>) -> Self {
        let system = system.map(|text| json!({ "role": "system", "content": text }));
        Self {
            model: model.to_owned(),
            messages: system.into_iter().collect(),
            images,
        }
    }

    /// Adds what somebody says, and with the first words the images.
    pub(super) fn say(&mut self, text: &str) {
        let first = !self.messages.iter().any(|said| said["role"] == "user");
        let content = if self.images.is_empty() || !first {
            json!(text)
        } else {
            let images = self.images.iter();
            let images =
                images.map(|url| json!({ "type": "image_url", "image_url": { "url": url } }));
            let text = json!({ "type": "text", "text": text });
            Value::Array(images.chain([text]).collect())
        };
        let said = json!({ "role": "user", "content": content });
        self.messages.push(said);
    }

    /// Adds what the model answered; what got no answer at all was not said.
    pub(super) fn answered(&mut self, text: &str) {
        if text.is_empty() {
            self.messages.pop();
            return;
        }
        self.messages
            .push(json!({ "role": "assistant", "content": text }));
    }

    /// The body of a request for the next answer. The model comes first: paddock reads no further to know
    /// whose it is, and an image is long.
    pub(super) fn request(&self, stream: bool) -> String {
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
        chat.say("hi");
        chat.answered("ho");
        chat.say("and?");
        let request = chat.request(true);
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
        assert!(!chat.request(false).contains("stream"));
    }

    #[test]
    fn what_got_no_answer_was_not_said() {
        let mut chat = Conversation::new("m", None, vec!["data:x".to_owned()]);
        chat.say("hi");
        let before = chat.request(false);
        chat.answered("");
        chat.say("hi");
        assert_eq!(chat.request(false), before, "the image goes along again");
    }
}
