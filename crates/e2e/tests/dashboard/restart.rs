//! paddock goes, and comes back.

use crate::idle;
use crate::page::Page;
use paddock_e2e::harness::{Connection, PaddockBuilder, Signal, post};
use std::net::TcpListener;

fn at(port: u16) -> PaddockBuilder {
    idle().admin([format!("127.0.0.1:{port}")])
}

/// A port that nobody listens on, below those that Linux gives to who asks for any
/// (`net.ipv4.ip_local_port_range`, from 32768): it stays free while paddock is down.
fn free_port() -> u16 {
    let mut ports = std::iter::repeat_with(|| fastrand::u16(20_000..30_000)).take(100);
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    ports.find(is_free).expect("a free port")
}

#[test]
fn the_page_says_how_old_it_is_and_is_live_again_by_itself() {
    let port = free_port();
    let mut paddock = at(port).start();
    let mut page = Page::open(paddock.admin(), "");
    page.wait_text("#link", "live");
    assert!(!page.text("#link").contains("last update"));
    assert!(paddock.stop(Signal::TERM).success());
    page.wait_text("#link", "connection lost");
    page.wait_text("#link", "last update ");
    page.wait_more("#link-heard");
    assert!(
        page.text("#models .card").contains('m'),
        "what was known is shown"
    );
    let again = at(port).config("models.m.aliases = ['new-name']").start();
    page.wait_text("#link", "live");
    page.wait_text("#models .card", "new-name");
    assert_eq!(page.text("#link-heard"), "");
    page.click("#models button[aria-label='Load m']");
    page.wait_text("#models .card", "ready");
    drop(again);
}

#[test]
fn a_models_life_shows_paddocks_own_starts_and_ends() {
    let state = tempfile::tempdir().expect("a directory");
    let keeping = || idle().config(&format!("server.state_dir = {:?}", state.path().display()));
    let mut paddock = keeping().start();
    let load = post("/api/models/m/load?wait=true", "");
    assert_eq!(Connection::connect(paddock.admin()).ask(load).status, 200);
    assert!(paddock.stop(Signal::TERM).success());
    let paddock = keeping().start();
    let mut page = Page::open(paddock.admin(), "#/models/m");
    page.wait_text("#life li:nth-child(1)", "started");
    page.wait_text("#life li:nth-child(2)", "stopped: signal");
    page.wait_text("#life li:last-child", "load started");
    page.is_clean();
}
