//! Pinning a model by hand, and that what is shown of it is what is true.

use crate::idle;
use crate::page::Page;
use paddock_e2e::harness::{Address, Connection, post};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::{io, thread};

const PIN: &str = "#models button[aria-label='Pin m']";

fn is_pressed(page: &mut Page, pressed: bool) {
    page.wait(&format!(
        "document.querySelector({PIN:?}).ariaPressed === '{pressed}'"
    ));
}

#[test]
fn a_model_is_pinned_and_unpinned_by_keys_alone_and_that_is_seen() {
    let paddock = idle().start();
    let mut page = Page::open(paddock.admin(), "");
    is_pressed(&mut page, false);
    page.look((360, 740), "light");
    page.value(&format!("document.querySelector({PIN:?}).focus()"));
    page.press("Enter", "\r", 13);
    is_pressed(&mut page, true);
    page.wait_text("#models .badge", "pinned");
    page.wait_text("#notices", "m: pinned");
    page.wait_text("#models .card", "unloaded");
    assert_eq!(paddock.status()["models"][0]["pinned"], true);
    assert_eq!(page.value("document.documentElement.scrollWidth"), 360);
    page.press(" ", " ", 32);
    is_pressed(&mut page, false);
    page.wait("!document.querySelector('#models .badge')");
    assert_eq!(paddock.status()["models"][0]["pinned"], false);
    page.is_clean();
}

#[test]
fn what_is_pinned_elsewhere_is_seen_and_is_so_still_when_the_page_is_back() {
    let paddock = idle().start();
    let relay = Relay::to(paddock.admin());
    let mut page = Page::open(&relay.address, "");
    page.click(PIN);
    page.wait_text("#models .badge", "pinned");
    relay.cut();
    page.wait_text("#link", "connection lost");
    page.wait_text("#link", "live");
    is_pressed(&mut page, true);
    page.wait_text("#models .badge", "pinned");
    relay.cut();
    let unpin = post("/api/models/m/unpin", "");
    assert_eq!(Connection::connect(paddock.admin()).ask(unpin).status, 200);
    is_pressed(&mut page, false);
    page.wait("!document.querySelector('#models .badge')");
}

/// Stands between the browser and paddock, and cuts what passes when it is told to.
struct Relay {
    address: Address,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Relay {
    fn to(admin: &Address) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a socket");
        let address = listener.local_addr().expect("an address").to_string();
        let open = Arc::new(Mutex::new(Vec::new()));
        let (kept, admin) = (Arc::clone(&open), admin.to_string());
        thread::spawn(move || {
            for client in listener.incoming() {
                let (client, paddock) = (client?, TcpStream::connect(&admin)?);
                pass(client.try_clone()?, paddock.try_clone()?);
                pass(paddock, client.try_clone()?);
                lock(&kept).push(client);
            }
            io::Result::Ok(())
        });
        Self {
            address: Address::parse(&address),
            open,
        }
    }

    fn cut(&self) {
        for client in lock(&self.open).drain(..) {
            let _ = client.shutdown(Shutdown::Both);
        }
    }
}

fn lock(open: &Mutex<Vec<TcpStream>>) -> std::sync::MutexGuard<'_, Vec<TcpStream>> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Passes on what comes, until it ends.
fn pass(mut from: TcpStream, mut to: TcpStream) {
    thread::spawn(move || {
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Both);
    });
}
