//! The first place where a prompt differs from a restored context, in the explanation of its request.

use std::fs;

use paddock_e2e::harness::{Connection, LIMIT, Paddock, PaddockBuilder, get, post, wait_for};
use serde_json::{Value, json};

/// File without which the engine holds its answers back.
const RELEASED: &str = "released";

/// A paddock, and the key that its requests show, if it has one.
struct Explained {
    paddock: Paddock,
    key: Option<String>,
}

impl Explained {
    /// Starts a paddock and sends a chat about a Monday. Unloads the model, which saves the chat, and sends the same chat
    /// about a Tuesday as `other`.
    fn start(with_key: bool) -> Self {
        let builder = paddock_e2e::paddock!()
            .engine_args(["--fake-read-ms", "50"])
            .config("engine.env.FAKE_SAVES_SLOTS = '1'");
        let released = builder.directory().join(RELEASED);
        fs::write(&released, "").expect("a file");
        let released = released.display().to_string();
        let builder = builder.engine_args(["--fake-hold", &released]);
        let (builder, key) = match with_key {
            true => add_key(builder),
            false => (builder, None),
        };
        let paddock = builder.start();
        let explained = Self { paddock, key };
        let long = "the quick brown fox jumps over the lazy dog ".repeat(20);
        // paddock treats the content of a slot right after the load as a restored context.
        explained.chat("first", "first");
        explained.chat("stored", &format!("Monday. {long}"));
        let unload = post("/api/models/m/unload?wait=true", "");
        let unloaded = Connection::connect(explained.paddock.admin()).ask(explained.sign(&unload));
        assert_eq!(unloaded.status, 200);
        explained.chat("other", &format!("Tuesday. {long}"));
        explained
    }

    fn sign(&self, request: &str) -> String {
        match &self.key {
            Some(key) => with_field(request, &format!("authorization: Bearer {key}")),
            None => request.to_owned(),
        }
    }

    fn chat(&self, id: &str, text: &str) {
        let body = json!({"model": "m", "messages": [{"role": "user", "content": text}]});
        let request = post("/v1/chat/completions", &body.to_string());
        let request = with_field(&self.sign(&request), &format!("x-request-id: {id}"));
        let answer = self.paddock.ask(request);
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    /// Returns the explanation of an ended request.
    fn explain(&self, id: &str) -> Value {
        let request = self.sign(&get(&format!("/api/requests/{id}/explain")));
        wait_for(LIMIT, "an explanation", || {
            let answer = Connection::connect(self.paddock.admin()).ask(request.clone());
            let explained = answer.json();
            explained["tokens"].is_object().then_some(explained)
        })
    }

    fn first_difference(&self, id: &str) -> Value {
        self.explain(id)["first_difference"].clone()
    }
}

/// Adds a key for models and the admin address. Returns it too.
fn add_key(builder: PaddockBuilder) -> (PaddockBuilder, Option<String>) {
    let made = builder.run(["key", "new", "operator", "--json"]);
    let made: Value = serde_json::from_str(&made.stdout).expect("a key");
    let text = |name: &str| made[name].as_str().expect("a string").to_owned();
    let hash = format!("auth.keys.operator.hash = '{}'", text("hash"));
    let allow = "auth.keys.operator.allow = ['inference', 'admin']";
    let builder = builder.config(&hash).config(allow);
    (builder, Some(text("secret")))
}

fn with_field(request: &str, field: &str) -> String {
    request.replacen("\r\n", &format!("\r\n{field}\r\n"), 1)
}

#[test]
fn the_first_difference_is_explained_while_the_slot_holds_the_prompt() {
    let explained = Explained::start(true);
    assert_eq!(explained.first_difference("first"), Value::Null);
    let found = explained.first_difference("other");
    let message = found["message"].as_str().unwrap_or_default();
    for part in [
        "the prompt follows a stored context for ",
        "stored \"",
        "Monday. t",
        "prompt \"",
        "Tuesday. ",
    ] {
        assert!(message.contains(part), "{found}");
    }
    assert!(found["shared_tokens"].is_u64(), "{found}");
    // Looking at the slot changes nothing.
    assert_eq!(explained.first_difference("other"), found);
    explained.chat("later", "Something else");
    let found = explained.first_difference("other");
    let message = found["message"].as_str().unwrap_or_default();
    assert!(message.ends_with("later requests took it"), "{found}");
    assert_eq!(found["prompt_text"], Value::Null);
}

#[test]
fn text_of_prompts_is_shown_only_where_the_admin_address_requires_a_key() {
    let explained = Explained::start(false);
    let found = explained.first_difference("other");
    assert!(found["shared_tokens"].is_u64(), "{found}");
    assert_eq!(found["prompt_text"], Value::Null);
    let shown = found.to_string();
    assert!(!shown.contains("day"), "{found}");
}

#[test]
fn no_slot_is_saved_while_requests_are_in_flight() {
    let explained = Explained::start(false);
    let saves = || {
        let contexts = explained.paddock.model()["contexts"].clone();
        (contexts["saved"].clone(), contexts["save_failures"].clone())
    };
    let before = saves();
    fs::remove_file(explained.paddock.directory().join(RELEASED)).expect("the file");
    let mut client = Connection::connect(explained.paddock.public());
    client.send(post("/completion", r#"{"prompt":"a","stream":true}"#));
    assert_eq!(client.head().status, 200);
    let found = explained.first_difference("other");
    let message = found["message"].as_str().unwrap_or_default();
    assert!(message.contains("requests are in flight"), "{found}");
    assert_eq!(saves(), before);
}
