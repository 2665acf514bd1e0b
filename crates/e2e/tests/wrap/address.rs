//! Where a wrapped command listens: where it would have.

use std::fs;
use std::net::TcpListener;

use paddock_e2e::harness::{Address, Paddock, PaddockBuilder, Signal};
use paddock_e2e::paddock;

use crate::direct::free_port;

/// The command's arguments: its model and these.
fn args(builder: &PaddockBuilder, more: &[&str]) -> Vec<String> {
    let model = builder.model_path().display().to_string();
    let more = more.iter().map(|arg| (*arg).to_owned());
    ["-m".to_owned(), model].into_iter().chain(more).collect()
}

fn wrap(builder: PaddockBuilder, more: &[&str]) -> Paddock {
    let args = args(&builder, more);
    builder.wrap(args)
}

fn local(port: u16) -> Address {
    Address::parse(&format!("127.0.0.1:{port}"))
}

#[test]
fn the_address_of_the_flags() {
    let port = free_port();
    let text = port.to_string();
    for flags in [
        &["--host", "127.0.0.1", "--port", &text][..],
        &["--port", &text, "--host", "127.0.0.1"],
        &["--port", &text],
    ] {
        let mut paddock = wrap(paddock!(), flags);
        assert_eq!(paddock.public_addresses(), [local(port)], "{flags:?}");
        assert!(paddock.stop(Signal::TERM).success());
    }
}

#[test]
fn localhost_is_both_of_its_addresses() {
    let port = free_port();
    let text = port.to_string();
    let flags = ["--port", "1", "--host", "localhost", "--port", &text];
    let mut paddock = wrap(paddock!(), &flags);
    let mut expected = vec![local(port)];
    if TcpListener::bind("[::1]:0").is_ok() {
        expected.push(Address::parse(&format!("[::1]:{port}")));
    }
    assert_eq!(paddock.public_addresses(), expected);
    assert!(paddock.stop(Signal::TERM).success());
}

#[test]
fn the_address_of_the_environment_and_flags_win_over_it() {
    let (one, two) = (free_port(), free_port());
    let builder = || paddock!().env("LLAMA_ARG_PORT", &one.to_string());
    let mut paddock = wrap(builder(), &[]);
    assert_eq!(paddock.public_addresses(), [local(one)]);
    // The child has another address, and would otherwise take that of the variable.
    paddock.wait_ready();
    assert_eq!(paddock.get("/v1/health").status, 200);
    assert!(paddock.stop(Signal::TERM).success());

    let paddock = wrap(builder(), &["--port", &two.to_string()]);
    assert_eq!(paddock.public_addresses(), [local(two)]);
    drop(paddock);

    let host = paddock!().env("LLAMA_ARG_HOST", "127.0.0.2");
    let paddock = wrap(host, &["--port", &two.to_string()]);
    let address = Address::parse(&format!("127.0.0.2:{two}"));
    assert_eq!(paddock.public_addresses(), [address]);
}

#[test]
fn several_addresses() {
    let builder = paddock!();
    let socket = builder.directory().join("x.sock").display().to_string();
    let port = free_port();
    let hosts = format!("127.0.0.1,{socket}");
    let paddock = wrap(builder, &["--host", &hosts, "--port", &port.to_string()]);
    let unix = Address::parse(&format!("unix:{socket}"));
    assert_eq!(paddock.public_addresses(), [local(port), unix]);
    for address in paddock.public_addresses() {
        let mut client = paddock_e2e::harness::Connection::connect(address);
        let answer = client.ask(paddock_e2e::harness::get("/v1/models"));
        assert!(matches!(answer.status, 200 | 503));
    }
}

#[test]
fn a_value_behind_an_equals_sign_is_no_address_and_goes_to_the_child() {
    // llama-server knows no such form, and says so.
    let builder = paddock!();
    let socket = builder.directory().join("x.sock").display().to_string();
    let paddock = wrap(builder, &["--host", &socket, "--port=1"]);
    assert_eq!(paddock.public_addresses().len(), 1);
    paddock.wait_ready();
    let child = paddock.child().number();
    let line = fs::read(format!("/proc/{child}/cmdline")).unwrap();
    let words: Vec<_> = line.split(|byte| *byte == 0).collect();
    assert!(words.contains(&&b"--port=1"[..]));
    assert!(
        !words.contains(&socket.as_bytes()),
        "the child is elsewhere"
    );
}

#[test]
fn the_default_port_if_it_is_free() {
    let builder = paddock!();
    let args = args(&builder, &[]);
    let probe = TcpListener::bind("127.0.0.1:8080");
    if let Ok(probe) = probe {
        drop(probe);
        let paddock = builder.wrap(args);
        assert_eq!(paddock.public_addresses(), [local(8080)]);
        return;
    }
    let engine = builder.engine_path().display().to_string();
    let admin = ["wrap", "--admin", "127.0.0.1:0", "--"].map(str::to_owned);
    let finished = builder.run(admin.into_iter().chain([engine]).chain(args));
    assert_eq!(finished.code, Some(1), "{finished:#?}");
    assert!(finished.stderr.contains("127.0.0.1:8080"), "{finished:#?}");
}
