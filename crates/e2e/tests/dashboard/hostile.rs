//! Names, logs and answers that try to be more than text.

use crate::page::Page;
use paddock_e2e::harness::{LIMIT, post, wait_until};

/// Two elements, one with a script, without a letter that the name of a model cannot have.
const EVIL: &str = "<img/src=x><svg/onload=document.title=1>";

#[test]
fn what_others_wrote_is_text() {
    let builder = paddock_e2e::paddock!();
    let path = builder.model_path().display().to_string();
    let engine = builder.link_engine("engine");
    let script = format!(
        "case \"$1\" in --help|--list-devices) ;; *) echo \"{EVIL} \\033[31mred\" >&2;; esac\nexec '{}' \"$@\"",
        engine.display()
    );
    let engine = builder.script("says-evil", &script);
    let paddock = builder
        .engine(engine)
        .config(&format!("models.{EVIL:?}.path = {path:?}"))
        .start();
    let mut page = Page::open(paddock.admin(), "");
    page.wait_text("#models h3", EVIL);
    let card = format!("#models .card[aria-label={EVIL:?}]");
    page.click(&format!("{card} button"));
    page.wait_text("#notices", EVIL);
    page.wait_text("#memory .legend", EVIL);
    page.click(&format!("{card} h3 a"));
    page.wait_text("#model-title", EVIL);
    page.wait_text("#logs", &format!("{EVIL} red"));
    page.write("#logs-search", "<IMG");
    page.wait_text("#logs mark", "<img");
    page.wait_text("#decisions", EVIL);
    page.wait_text("#life", EVIL);
    let mut client = paddock.connect();
    let request = post(
        "/v1/chat/completions",
        &format!(r#"{{"model":"{EVIL}","messages":[]}}"#),
    );
    client.send(request.replacen("\r\n", &format!("\r\nX-Request-Id: {EVIL}\r\n"), 1));
    assert_eq!(client.answer().status, 200);
    page.go("#/requests");
    page.wait_text("#ended tbody tr", EVIL);
    page.click("#ended tbody button");
    page.wait_text("#dialog", EVIL);
    is_text(&mut page);
}

#[test]
fn what_a_model_answers_is_text() {
    let paddock = paddock_e2e::paddock!()
        .engine_args(["--fake-word", EVIL, "--fake-reasoning", "2"])
        .start();
    let mut page = Page::open(paddock.admin(), "#/chat/m");
    page.write("#prompt", EVIL);
    page.press("Enter", "\r", 13);
    page.wait_text("#talk .turn:last-child > .text", EVIL);
    page.wait_text("#talk .turn:last-child .told", "16 tokens");
    assert_eq!(page.text("#talk .turn .text"), EVIL);
    is_text(&mut page);
}

/// Sees that nothing became an element, and that nothing tried to act.
fn is_text(page: &mut Page) {
    assert_eq!(page.value("document.images.length"), 1, "the page's own");
    assert_eq!(
        page.value("document.querySelectorAll('[onload]').length"),
        0
    );
    page.is_clean();
}

#[test]
fn a_breach_of_the_policy_would_be_seen() {
    let paddock = paddock_e2e::paddock!().start();
    let mut page = Page::open(paddock.admin(), "");
    page.is_clean();
    page.value("document.body.insertAdjacentHTML('beforeend', `<img src=x onerror='document.title=\"owned\"'>`)");
    page.value("fetch('http://127.0.0.1:9/').catch(() => 0)");
    for directive in ["script-src", "connect-src"] {
        wait_until(LIMIT, directive, || {
            page.complaints().join("\n").contains(directive)
        });
    }
    assert_ne!(page.value("document.title"), "owned");
}
