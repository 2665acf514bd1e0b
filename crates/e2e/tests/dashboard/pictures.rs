//! Pictures of a paddock at work, to be looked at.

use crate::page::Page;
use paddock_e2e::harness::{Connection, Paddock, post};

/// A chat of so many tokens that nobody has read to its end yet.
fn stream(paddock: &Paddock, model: &str, tokens: u32) -> Connection {
    let body = format!(
        r#"{{"model":"{model}","stream":true,"max_tokens":{tokens},"messages":[{{"role":"user","content":"hi"}}]}}"#
    );
    let mut client = paddock.connect();
    client.send(post("/v1/chat/completions", &body));
    client
}

#[test]
fn it_is_worth_looking_at() {
    let builder = paddock_e2e::paddock!();
    let path = builder.model_path().display().to_string();
    let paddock = builder
        .engine_args(["--fake-token-ms", "8"])
        .config(&format!(
            "models.gemma-3-27b.path = {path:?}\nmodels.gemma-3-27b.memory = '17GiB'\n\
             models.gemma-3-27b.aliases = ['gemma']\nmodels.gemma-3-27b.pinned = true\n\
             models.qwen3-embedding.path = {path:?}\nmodels.qwen3-embedding.memory = '1200MiB'\n\
             models.qwen3-coder-30b.path = {path:?}\nmodels.qwen3-coder-30b.memory = '19GiB'\n\
             models.qwen3-coder-30b.args = ['--fake-load-ms', '600000']\n\
             models.mistral-small.path = {path:?}\nmodels.mistral-small.args = ['--no-such-flag']\n\
             models.m.memory = '600MiB'\nmemory.ram = '48GiB'\nmemory.reserve = '0B'"
        ))
        .start();
    for number in 0..40 {
        let model = if number % 3 == 0 {
            "qwen3-embedding"
        } else {
            "gemma-3-27b"
        };
        let mut client = stream(&paddock, model, 4 + number * 7 % 40);
        assert_eq!(client.head().status, 200);
        client.events();
    }
    stream(&paddock, "mistral-small", 1).answer();
    let mut page = Page::open(paddock.admin(), "");
    page.click("#models button[aria-label='Load qwen3-coder-30b']");
    page.wait(
        "[...document.querySelectorAll('#models progress')].some((one) => one.checkVisibility())",
    );
    let live = [
        stream(&paddock, "gemma-3-27b", 100_000),
        stream(&paddock, "m", 100_000),
    ];
    page.wait("document.querySelectorAll('#overview .live tbody tr').length === 2");
    page.click("#spans button:first-child");
    page.wait("document.getElementById('notices').childElementCount === 0");
    for (name, size, scheme) in [
        ("desktop-light", (1280, 1560), "light"),
        ("desktop-dark", (1280, 1560), "dark"),
        ("phone-light", (360, 780), "light"),
        ("phone-dark", (360, 780), "dark"),
    ] {
        page.look(size, scheme);
        page.wait("document.querySelector('#charts svg').viewBox.baseVal.width === document.querySelector('#charts svg').clientWidth");
        page.picture(name);
    }
    page.look((1280, 960), "dark");
    for (view, name) in [
        ("#/requests", "requests"),
        ("#/models/gemma-3-27b", "model"),
        ("#/chat/qwen3-embedding", "chat"),
    ] {
        page.go(view);
        page.wait("document.querySelector('main > .view:not([hidden]) h1')");
        page.wait("document.querySelector('#model[hidden], #life li .event')");
        page.picture(name);
    }
    page.write("#prompt", "Which horses are known for their endurance?");
    page.press("Enter", "\r", 13);
    page.wait_text("#talk .turn:last-child .told", "16 tokens");
    page.picture("chat");
    drop(live);
}
