//! A chat with a model, from the page.

use crate::idle;
use crate::page::Page;

fn ask(page: &mut Page, words: &str) {
    page.write("#prompt", words);
    page.press("Enter", "\r", 13);
}

#[test]
fn a_chat_loads_the_model_streams_and_says_how_fast() {
    let paddock = paddock_e2e::paddock!()
        .engine_args(["--fake-token-ms", "5", "--fake-reasoning", "3"])
        .start();
    let mut page = Page::open(paddock.admin(), "#/chat");
    ask(&mut page, "hello");
    let answer = "#talk .turn:last-child";
    // "216 tokens/s" ends in these words too, so the separator is a part of them.
    page.wait_text(&format!("{answer} .told"), "· 16 tokens");
    let told = page.text(&format!("{answer} .told"));
    assert!(told.contains("TTFT") && told.contains("tokens/s"), "{told}");
    assert!(
        page.text(&format!("{answer} > .text"))
            .trim_end()
            .ends_with("token 16")
    );
    assert!(!page.text(&format!("{answer} > .text")).contains("token 3 "));
    page.wait(&format!("!document.querySelector('{answer} details').open"));
    page.click(&format!("{answer} summary"));
    assert!(
        page.text(&format!("{answer} details .text"))
            .contains("token 3")
    );
    assert_eq!(page.text("#talk .turn .text"), "hello");
    page.is_clean();
}

#[test]
fn a_chat_that_is_stopped_frees_its_slot() {
    let paddock = paddock_e2e::paddock!()
        .engine_args(["--fake-token-ms", "20", "--fake-tokens", "100000"])
        .start();
    let mut page = Page::open(paddock.admin(), "#/chat/m");
    ask(&mut page, "go on");
    page.wait_text("#talk .turn:last-child > .text", "token 5 ");
    page.click("#chat-stop");
    page.wait_text("#talk .turn:last-child .told", "stopped");
    paddock.wait_in_flight(0);
    page.go("#/requests");
    page.wait_text("#ended tbody tr", "client gone");
    page.is_clean();
}

#[test]
fn a_chat_with_a_model_that_does_not_load_says_why() {
    let paddock = idle().engine_args(["--no-such-flag"]).start();
    let mut page = Page::open(paddock.admin(), "#/chat/m");
    ask(&mut page, "hello");
    page.wait_text("#talk .wrong", "correct the arguments");
}
