//! Why there is no TLS with somebody is said in a sentence, with what to do.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use paddock_e2e::harness::{LIMIT, PaddockBuilder, Signal, wait_until};

use crate::authority::Authority;
use crate::receiver::Receiver;

/// A paddock that posts to who listens at this port of the machine.
fn posting(port: u16) -> PaddockBuilder {
    let line = format!("telemetry.events_url = 'https://127.0.0.1:{port}/'");
    paddock_e2e::paddock!().config(&line)
}

#[test]
fn who_is_not_trusted_gets_nothing_until_his_authority_is() {
    let (known, other) = (Authority::called("one"), Authority::called("two"));
    let receiver = Receiver::start(other.server());
    let builder = posting(receiver.port());
    let file = builder.directory().join("authorities.pem");
    known.write(&file);
    let paddock = builder
        .env("SSL_CERT_FILE", &file.display().to_string())
        .start();
    let said = paddock.stderr().wait_for(LIMIT, "cannot deliver events");
    assert!(said.contains("its certificate is not trusted"), "{said}");
    assert!(said.contains("SSL_CERT_FILE"), "{said}");
    assert_eq!(receiver.posts().len(), 0);
    other.write(&file);
    paddock
        .stderr()
        .wait_for(LIMIT, "events are being delivered again");
    assert_eq!(receiver.posts().len(), 1);
}

#[test]
fn authorities_that_cannot_be_read_are_said_and_read_again() {
    let authority = Authority::called("one");
    let receiver = Receiver::start(authority.server());
    let builder = posting(receiver.port());
    let file = builder.directory().join("nowhere.pem");
    let paddock = builder
        .env("SSL_CERT_FILE", &file.display().to_string())
        .start();
    let said = paddock.stderr().wait_for(LIMIT, "cannot deliver events");
    assert!(said.contains("nowhere.pem"), "{said}");
    authority.write(&file);
    wait_until(LIMIT, "a post", || !receiver.posts().is_empty());
}

#[test]
fn who_speaks_no_tls_is_said_not_to() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let builder = paddock_e2e::paddock!();
    let file = builder.directory().join("authorities.pem");
    Authority::called("one").write(&file);
    // It ends with the test's process.
    drop(thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _heard = stream.read(&mut [0; 1024]);
            let _said = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    }));
    let mut paddock = builder
        .env("SSL_CERT_FILE", &file.display().to_string())
        .config(&format!(
            "telemetry.otlp_endpoint = 'https://127.0.0.1:{port}'"
        ))
        .start();
    paddock.wait_ready();
    assert_eq!(paddock.get("/props").status, 200);
    assert_eq!(paddock.stop(Signal::TERM).code(), Some(0));
    let said = paddock.stderr().wait_for(LIMIT, "cannot deliver traces");
    assert!(said.contains("it does not use TLS on this port"), "{said}");
}
