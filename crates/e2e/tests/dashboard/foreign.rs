//! Pages of other sites, in a real browser: what they can reach of paddock, and what they cannot.

use crate::idle;
use crate::page::Page;
use paddock_e2e::harness::{Connection, get};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// A web server with one empty page.
struct Site {
    port: u16,
    ends: Arc<AtomicBool>,
    serving: Option<JoinHandle<()>>,
}

impl Site {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let ends = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&ends);
        // The browser keeps connections on which it asks nothing: each has a thread of its own.
        let serving = std::thread::spawn(move || {
            std::thread::scope(|clients| {
                for client in listener.incoming() {
                    if ended.load(Ordering::SeqCst) {
                        return;
                    }
                    let mut client = client.expect("a client");
                    clients.spawn(move || serve(&mut client));
                }
            });
        });
        Self {
            port,
            ends,
            serving: Some(serving),
        }
    }
}

fn serve(client: &mut TcpStream) {
    let mut head = [0; 4096];
    if client.read(&mut head).is_err() {
        return;
    }
    let page = "<!doctype html><title>a page</title>";
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n";
    // The browser may have left.
    let _ = client.write_all(format!("{head}{page}").as_bytes());
}

impl Drop for Site {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        // The listener sees it with the next connection.
        let woken = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(serving) = self.serving.take().filter(|_| woken.is_ok()) {
            let _ = serving.join();
        }
    }
}

/// The status of what a page asks for by `fetch`, or the word `blocked`.
fn fetched(page: &mut Page, url: &str, options: &Value) -> Value {
    page.value(&format!(
        "fetch({}, {options}).then((answer) => answer.status, () => 'blocked')",
        json!(url)
    ))
}

fn none() -> Value {
    json!({})
}

fn a_post() -> Value {
    json!({ "method": "POST", "body": r#"{"model":"m","messages":[]}"# })
}

const READS: [&str; 6] = [
    "/api/status",
    "/api/models/m/logs",
    "/api/requests",
    "/metrics",
    "/api/events",
    "/api/lifecycle",
];

#[test]
fn a_page_whose_name_was_made_to_point_here_reads_nothing() {
    let paddock = idle().start();
    let admin = format!("http://evil.test:{}", paddock.admin().port());
    let mut page = Page::foreign(&["evil.test"], &format!("{admin}/"));
    for path in READS {
        assert_eq!(fetched(&mut page, path, &none()), 403, "{path}");
    }
    assert_eq!(
        fetched(
            &mut page,
            "/api/models/m/load",
            &json!({ "method": "POST" })
        ),
        403
    );
    assert!(!page.text("body").contains("paddock_"), "nor by opening it");
    page.visit(&format!("{admin}/metrics"));
    assert!(page.text("body").contains("server.admin_hosts"));

    let public = format!("http://evil.test:{}", paddock.public().port());
    page.visit(&format!("{public}/v1/models"));
    assert!(page.text("body").contains("server.allowed_origins"));
    for path in ["/v1/models", "/upstream/m/props", "/upstream/m/slots"] {
        assert_eq!(fetched(&mut page, path, &none()), 403, "{path}");
    }
    assert_eq!(fetched(&mut page, "/v1/chat/completions", &a_post()), 403);
    assert_eq!(paddock.model()["status"], "unloaded");
}

#[test]
fn a_page_of_another_site_reaches_neither_plane_and_a_link_opens_the_dashboard() {
    let paddock = idle().start();
    let site = Site::start();
    let mut page = Page::foreign(&["evil.test"], &format!("http://evil.test:{}/", site.port));
    let (admin, public) = (paddock.admin().to_string(), paddock.public().to_string());
    for path in READS {
        assert_eq!(
            fetched(&mut page, &format!("http://{admin}{path}"), &none()),
            "blocked"
        );
    }
    let chat = format!("http://{public}/v1/chat/completions");
    assert_eq!(fetched(&mut page, &chat, &a_post()), "blocked");
    let mut unread = a_post();
    unread["mode"] = json!("no-cors");
    fetched(&mut page, &chat, &unread);
    // An image is asked for without an origin.
    page.value(&format!(
        "new Promise((done) => {{ const image = new Image(); image.onerror = done; image.src = 'http://{public}/upstream/m/props'; }}).then(() => true)"
    ));
    let rows = paddock.admin_get("/api/requests").json()["requests"].clone();
    assert_eq!(paddock.model()["status"], "unloaded", "{rows}");
    page.value(&format!("void (location.href = 'http://{admin}/')"));
    page.wait("document.getElementById('link')?.dataset.state === 'live'");
}

#[test]
fn a_page_of_this_machine_uses_models_and_reads_errors() {
    let paddock = idle().start();
    let site = Site::start();
    let mut page = Page::foreign(&[], &format!("http://localhost:{}/", site.port));
    let public = format!("http://{}", paddock.public());
    // With a field that a browser asks about before.
    let mut chat = a_post();
    chat["headers"] = json!({ "Authorization": "Bearer any", "Content-Type": "application/json" });
    assert_eq!(
        fetched(&mut page, &format!("{public}/v1/chat/completions"), &chat),
        200
    );
    assert_eq!(
        fetched(&mut page, &format!("{public}/v1/models"), &none()),
        200
    );
    assert_eq!(
        fetched(&mut page, &format!("{public}/upstream/none/x"), &none()),
        404
    );
    let admin = format!("http://{}/api/status", paddock.admin());
    assert_eq!(fetched(&mut page, &admin, &none()), "blocked");
}

#[test]
fn a_listed_name_opens_the_dashboard_and_its_buttons_work() {
    let paddock = idle().config("server.admin_hosts = ['dash.test']").start();
    let url = format!("http://dash.test:{}/", paddock.admin().port());
    let mut page = Page::foreign(&["dash.test"], &url);
    page.wait_text("#link", "live");
    page.click("#models button[aria-label='Load m']");
    page.wait_text("#models .card", "ready");
    let evil = get("/api/status").replace("localhost", "evil.test");
    assert_eq!(Connection::connect(paddock.admin()).ask(evil).status, 403);
    for path in ["/livez", "/readyz"] {
        let probe = get(path).replace("localhost", "evil.test");
        assert_eq!(Connection::connect(paddock.admin()).ask(probe).status, 200);
    }
}
