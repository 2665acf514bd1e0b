//! The first place where a prompt differs from a restored context.

use paddock_e2e::harness::{Connection, LIMIT, Paddock, post, wait_for};
use serde_json::{Value, json};

use crate::answer::Completes;
use crate::support::{ANSWER_LIMIT, Kind, paddock, swap_to};

/// Sends a prompt with this request id.
fn complete(paddock: &Paddock, id: &str, prompt: &[i64]) {
    let body = json!({"model": "m", "prompt": prompt, "n_predict": 4, "ignore_eos": true});
    let request = post("/completion", &body.to_string());
    let field = format!("\r\nx-request-id: {id}\r\n");
    let mut connection = Connection::connect(paddock.public());
    connection.limit(ANSWER_LIMIT);
    let answer = connection.ask(request.replacen("\r\n", &field, 1));
    assert_eq!(answer.status, 200, "{answer:?}");
}

fn first_difference(paddock: &Paddock, id: &str) -> Value {
    let path = format!("/api/requests/{id}/explain");
    wait_for(LIMIT, "the request", || {
        let explained = paddock.admin_get(&path).json();
        let is_listed = explained["tokens"].is_object();
        is_listed.then(|| explained["first_difference"].clone())
    })
}

#[test]
fn the_first_difference_from_a_restored_context_is_found() {
    for kind in [Kind::Random, Kind::Window] {
        let paddock = paddock(kind, Kind::Random).start();
        let prompt = paddock.tokens(&kind.text("A story about foxes"));
        let edited = paddock.tokens(&kind.text("A story about wolves"));
        let mut shared = prompt.iter().zip(&edited);
        let shared = shared.position(|(one, other)| one != other).unwrap();
        complete(&paddock, "stored", &prompt);
        swap_to(&paddock, "other");
        complete(&paddock, "edited", &edited);
        let found = first_difference(&paddock, "edited");
        assert_eq!(found["shared_tokens"], shared, "{kind:?}: {found}");
        // The engine continues the conversation although its slot was saved in between.
        complete(&paddock, "again", &edited);
        assert_eq!(first_difference(&paddock, "again"), Value::Null);
    }
}
