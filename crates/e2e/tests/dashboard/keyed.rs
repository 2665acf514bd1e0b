//! The dashboard where an API key is for operators.

use crate::idle;
use crate::page::Page;
use serde_json::Value;

#[test]
fn the_page_works_for_who_shows_a_key_as_a_password() {
    let builder = idle();
    let made = builder.run(["key", "new", "ops", "--json"]).stdout;
    let made: Value = serde_json::from_str(&made).expect("a key");
    let text = |part: &str| made[part].as_str().expect("a text").to_owned();
    let key = format!(
        "auth.keys.ops.hash = '{}'\nauth.keys.ops.allow = ['admin']",
        text("hash")
    );
    let paddock = builder.config(&key).start();
    assert_eq!(paddock.admin_get("/").status, 401);
    let mut page = Page::open_with(&text("secret"), paddock.admin(), "");
    page.wait_text("#link", "live");
    page.click("#models button[aria-label='Load m']");
    page.wait_text("#models .card", "ready");
    page.go("#/models/m");
    page.wait_text("#life li:last-child", "load started");
}
