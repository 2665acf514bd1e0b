//! Without a mouse.

use crate::idle;
use crate::page::Page;

#[test]
fn a_model_is_loaded_by_keys_alone_and_what_has_the_focus_keeps_it() {
    let paddock = idle().start();
    let mut page = Page::open(paddock.admin(), "");
    page.wait_text("#models .card", "unloaded");
    let mut way = Vec::new();
    loop {
        page.press("Tab", "", 9);
        let at = page.value(
            "document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent",
        );
        let seen = page.value("getComputedStyle(document.activeElement).outlineStyle !== 'none'");
        assert_eq!(seen, true, "the focus is seen at {at}");
        way.push(at.as_str().unwrap_or_default().to_owned());
        if way.last().is_some_and(|at| at == "Load m") {
            break;
        }
        assert!(way.len() < 20, "{way:#?}");
    }
    assert_eq!(way[0], "Skip to content");
    page.press("Enter", "\r", 13);
    page.wait_text("#models .card", "ready");
    page.go("#/requests");
    page.wait("document.activeElement.id === 'main'");
    assert_eq!(page.text("nav [aria-current=page]"), "Requests");
    page.is_clean();
}

#[test]
fn everything_that_is_used_has_a_name() {
    let paddock = paddock_e2e::paddock!().start();
    let mut page = Page::open(paddock.admin(), "");
    for view in ["#/", "#/requests", "#/chat", "#/models/m"] {
        page.go(view);
        page.wait("document.querySelector('main > .view:not([hidden]) h1')");
        let nameless = page.value(
            "[...document.querySelectorAll('button, a, input, select, textarea, progress, section, nav, svg')]
               .filter((one) => one.checkVisibility() && !one.closest('[aria-hidden]'))
               .filter((one) => !(one.getAttribute('aria-label') || one.labels?.length || one.textContent.trim()
                 || document.getElementById(one.getAttribute('aria-labelledby'))))
               .map((one) => one.outerHTML)",
        );
        assert_eq!(nameless, serde_json::json!([]), "{view}");
        assert_eq!(
            page.value("document.querySelectorAll('div[onclick], span[onclick]').length"),
            0
        );
    }
}

#[test]
fn nothing_is_wider_than_a_phone() {
    let paddock = idle().engine_args(["--no-such-flag"]).start();
    let mut page = Page::open(paddock.admin(), "");
    page.look((360, 740), "light");
    page.click("#models button[aria-label='Load m']");
    page.wait_text("#models .failure", "bad_flag");
    for view in ["#/", "#/requests", "#/chat", "#/models/m"] {
        page.go(view);
        page.wait("document.querySelector('main > .view:not([hidden]) h1')");
        let wide = page.value("document.documentElement.scrollWidth");
        assert_eq!(wide, 360, "{view}");
    }
}
