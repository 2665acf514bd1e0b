//! Models and requests: what is shown of them, and what the buttons do.

use crate::idle;
use crate::page::Page;
use paddock_e2e::harness::{Connection, LIMIT, post, wait_until};

const CARD: &str = "#models .card";

#[test]
fn a_load_is_shown_until_the_model_is_ready_and_it_is_unloaded_by_hand() {
    let builder = idle();
    let gate = builder.directory().join("loaded").display().to_string();
    let paddock = builder
        .engine_args(["--fake-hold-load", &gate])
        .config("models.m.aliases = ['em']")
        .start();
    let mut page = Page::open(paddock.admin(), "");
    page.wait_text(CARD, "unloaded");
    assert!(page.text(CARD).contains("also em"));
    page.click("#models button[aria-label='Load m']");
    page.wait_text(CARD, "loading");
    page.wait("document.querySelector('#models progress').checkVisibility()");
    std::fs::write(gate, "").expect("a file");
    page.wait_text(CARD, "ready");
    page.wait("!document.querySelector('#models progress').checkVisibility()");
    page.wait_text("#memory .place", "in use");
    page.click("#models button[aria-label='Unload m']");
    page.wait_text(CARD, "unloaded");
    page.wait_text("#notices", "m: unload requested");
    page.is_clean();
}

#[test]
fn a_request_in_flight_is_shown_with_its_time_and_cancelled() {
    let paddock = paddock_e2e::paddock!()
        .engine_args(["--fake-token-ms", "20"])
        .start();
    paddock.wait_ready();
    let mut client = Connection::connect(paddock.public());
    let body = r#"{"model":"m","stream":true,"max_tokens":100000,"messages":[]}"#;
    let request = post("/v1/chat/completions", body);
    client.send(request.replace("\r\n\r\n", "\r\nX-Request-Id: long-one\r\n\r\n"));
    assert_eq!(client.head().status, 200);
    let mut page = Page::open(paddock.admin(), "#/requests");
    let live = "#requests .live tbody tr";
    page.wait_text(live, "long-one");
    page.wait_text(live, "streaming");
    page.wait_more(&format!("{live} [data-name=Elapsed]"));
    page.click("#requests .live button[aria-label='Cancel request long-one']");
    let (events, clean) = client.events();
    assert!(
        !clean
            && events
                .last()
                .expect("an error")
                .data()
                .contains("cancelled")
    );
    page.wait_text("#ended tbody tr", "cancelled");
    page.wait("document.querySelectorAll('#requests .live tbody tr').length === 0");
    page.click("#ended button[aria-label='Explain request long-one']");
    page.wait("document.getElementById('dialog').open");
    page.wait_text("#dialog", "rest of the stream");
    page.wait_text("#dialog", "no decisions to show");
    page.is_clean();
}

#[test]
fn a_failure_says_its_class_its_words_and_its_last_lines() {
    let paddock = idle().engine_args(["--no-such-flag"]).start();
    let mut page = Page::open(paddock.admin(), "");
    page.click("#models button[aria-label='Load m']");
    page.wait_text("#models .failure", "bad_flag");
    page.wait_text("#models .failure", "correct the arguments");
    page.click("#models .failure summary");
    page.wait_text("#models .failure pre", "invalid argument: --no-such-flag");
    page.go("#/models/m");
    page.wait_text("#life li:first-child", "load failed: bad flag");
    page.wait_text("#life li:last-child", "load started");
    page.is_clean();
}

#[test]
fn the_log_of_a_model_comes_live_and_is_searched() {
    let paddock = idle().start();
    let mut page = Page::open(paddock.admin(), "#/models/m");
    page.wait_text("#logs", "No output yet");
    page.click("#model-card button[aria-label='Load m']");
    page.wait_text("#logs", "model loaded");
    page.wait_text("#decisions li", "m was ready after");
    page.write("#logs-search", "MODEL LOADED");
    page.wait("document.querySelectorAll('#logs p').length === 1");
    assert_eq!(page.text("#logs mark"), "model loaded");
    assert_eq!(page.text("#logs-count"), "1 line");
    page.is_clean();
}

#[test]
fn older_requests_are_asked_for_when_they_are_wanted() {
    const ENDED: u64 = 1020;
    let paddock = paddock_e2e::paddock!().start();
    let body = r#"{"model":"m","max_tokens":1,"messages":[]}"#;
    let mut client = paddock.connect();
    // A worker lists no more than 128 in a quarter of a second.
    for number in 1..=ENDED {
        client.send(post("/v1/chat/completions", body));
        assert_eq!(client.answer().status, 200);
        if number % 100 == 0 || number == ENDED {
            wait_until(LIMIT, "all to be listed", || {
                let newest = paddock.admin_get("/api/requests?limit=1").json();
                newest["requests"][0]["seq"] == number
            });
        }
    }
    let mut page = Page::open(paddock.admin(), "#/requests");
    let rows = "document.querySelectorAll('#ended tbody tr').length";
    page.wait(&format!("{rows} === 50"));
    for shown in (100..=1000).step_by(50).chain([ENDED]) {
        page.click("#ended .more");
        page.wait(&format!("{rows} === {shown}"));
    }
    page.wait("!document.querySelector('#ended .more').checkVisibility()");
    page.is_clean();
}

#[test]
fn what_ended_before_the_page_was_opened_is_in_its_charts() {
    let paddock = paddock_e2e::paddock!().start();
    let body = r#"{"model":"m","stream":true,"messages":[]}"#;
    for _ in 0..3 {
        let mut client = paddock.connect();
        client.send(post("/v1/chat/completions", body));
        client.head();
        client.events();
    }
    wait_until(LIMIT, "three to be listed", || {
        let listed = paddock.admin_get("/api/requests").json();
        listed["requests"]
            .as_array()
            .is_some_and(|all| all.len() == 3)
    });
    let mut page = Page::open(paddock.admin(), "");
    let label = "svg[aria-label^='Requests per second'][aria-label*='3 requests']";
    page.wait(&format!("document.querySelector({label:?})"));
    page.wait("document.querySelector('#charts .dots').getAttribute('d').split('M').length === 4");
    page.click("#spans button:last-child");
    page.wait("document.querySelector(\"svg[aria-label*='over the last 1 h']\")");
    page.is_clean();
}
