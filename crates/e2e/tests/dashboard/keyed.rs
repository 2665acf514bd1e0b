//! The dashboard where an API key is for operators.

use crate::idle;
use crate::page::Page;
use paddock_e2e::harness::{Connection, post};
use serde_json::Value;

#[test]
fn the_page_works_for_who_shows_a_key_as_a_password() {
    let builder = idle().engine_args(["--fake-token-ms", "20"]);
    let made = builder.run(["key", "new", "ops", "--json"]).stdout;
    let made: Value = serde_json::from_str(&made).expect("a key");
    let text = |part: &str| made[part].as_str().expect("a text").to_owned();
    let key = format!(
        "auth.keys.ops.hash = '{}'\nauth.keys.ops.allow = ['admin', 'inference']",
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

    let mut client = Connection::connect(paddock.public());
    let body = r#"{"model":"m","stream":true,"max_tokens":100000,"messages":[]}"#;
    let field = format!("\r\nx-api-key: {}\r\n\r\n", text("secret"));
    client.send(post("/v1/chat/completions", body).replacen("\r\n\r\n", &field, 1));
    assert_eq!(client.head().status, 200);
    page.go("#/requests");
    page.wait_text("#requests .live tbody tr", "(key ops)");
}
