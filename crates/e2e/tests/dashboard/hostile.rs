//! Names, logs and answers that try to be more than text.

use crate::page::Page;

const EVIL: &str = "<img src=x onerror=document.title='owned'>";

#[test]
fn what_others_wrote_is_text() {
    let builder = paddock_e2e::paddock!();
    let path = builder.model_path().display().to_string();
    let engine = builder.beside("engine");
    let script = format!(
        "case \"$1\" in --help|--list-devices) ;; *) echo \"{EVIL} \\033[31mred\" >&2;; esac\nexec '{}' \"$@\"",
        engine.display()
    );
    let engine = builder.script("says-evil", &script);
    let paddock = builder
        .engine(engine)
        .engine_args(["--fake-word", EVIL, "--fake-reasoning", "2"])
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
    page.click("#model-card footer a");
    page.write("#prompt", EVIL);
    page.press("Enter", "\r", 13);
    page.wait_text("#talk .turn:last-child .told", "16 tokens");
    page.wait_text("#talk .turn:last-child > .text", EVIL);
    page.go("#/requests");
    page.wait_text("#ended tbody tr", EVIL);
    page.click("#ended tbody button");
    page.wait_text("#dialog", EVIL);
    assert_eq!(page.value("document.images.length"), 1, "the page's own");
    page.is_clean();
}

#[test]
fn a_breach_of_the_policy_would_be_seen() {
    let paddock = paddock_e2e::paddock!().start();
    let mut page = Page::open(paddock.admin(), "");
    page.is_clean();
    page.value("document.body.insertAdjacentHTML('beforeend', `<img src=x onerror='alert(1)'>`)");
    page.value("fetch('http://127.0.0.1:9/').catch(() => 0)");
    let complaints = page.complaints().join("\n");
    assert!(complaints.contains("script-src"), "{complaints}");
    assert!(complaints.contains("connect-src"), "{complaints}");
    assert_ne!(page.value("document.title"), "owned");
}
