//! Contexts on a model's card, and cached tokens in the explanation of a request.

use crate::idle;
use crate::page::Page;
use paddock_e2e::harness::{LIMIT, wait_until};
use serde_json::{Value, json};

/// Returns the text of the facts on the card of a model with these contexts. `alone` is true for the model's own page.
fn fact(page: &mut Page, contexts: &Value, alone: bool) -> Value {
    let model = json!({
        "id": "x", "status": "unloaded", "aliases": [], "in_flight": 0, "queued": 0, "since": null, "pid": null,
        "memory": { "predicted": null, "measured": null }, "contexts": contexts,
    });
    page.value(&format!(
        "import('/dashboard/models.js').then(({{ modelCard }}) => {{
            const card = modelCard('x', {alone});
            card.update({model});
            return card.node.querySelector('.facts').textContent;
        }})"
    ))
}

#[test]
fn a_card_shows_the_kept_contexts_and_the_saved_time() {
    let paddock = idle().start();
    let mut page = Page::open(paddock.admin(), "");
    let contexts = |reason: Option<&str>, stored: u64, hits: u64| {
        json!({
            "not_kept": reason, "stored": stored, "bytes": 310 << 20, "hits": hits,
            "tokens_reused": 4200, "seconds_saved": 31.4,
        })
    };
    let reason = Some("the model has a projector");
    let used = "12 kept (310 MiB); 4,200 tokens not read again, 31 s saved";
    for (contexts, on_its_page, among_others) in [
        (contexts(None, 0, 0), "none kept yet", ""),
        (
            contexts(None, 12, 0),
            "12 kept (310 MiB)",
            "12 kept (310 MiB)",
        ),
        (contexts(None, 12, 3), used, "12 kept (310 MiB)"),
        (
            contexts(reason, 0, 0),
            "not kept: the model has a projector",
            "",
        ),
    ] {
        for (alone, text) in [(true, on_its_page), (false, among_others)] {
            let expected = match text {
                "" => String::new(),
                text => format!("Conversations{text}"),
            };
            assert_eq!(fact(&mut page, &contexts, alone), expected, "{contexts}");
        }
    }
    page.is_clean();
}

#[test]
fn an_explanation_shows_the_cached_part_of_the_prompt() {
    let paddock = paddock_e2e::paddock!().start();
    let chat = r#"{"model":"m","messages":[]}"#;
    assert_eq!(paddock.post("/v1/chat/completions", chat).status, 200);
    wait_until(LIMIT, "the request to be listed", || {
        let listed = paddock.admin_get("/api/requests").json();
        listed["requests"][0]["tokens"]["cached"].is_u64()
    });
    let mut page = Page::open(paddock.admin(), "#/requests");
    page.click("#ended button[aria-label^='Explain request']");
    page.wait_text("#dialog", "prompt tokens came from the child's cache");
    page.is_clean();
}
