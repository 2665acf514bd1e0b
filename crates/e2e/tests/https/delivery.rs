//! What arrives by https.

use std::fs;

use paddock_e2e::harness::{LIMIT, PaddockBuilder, Signal, wait_until};
use serde_json::Value;

use crate::authority::Authority;
use crate::receiver::Receiver;

const HEADERS: &str = "OTEL_EXPORTER_OTLP_HEADERS";

/// A paddock that trusts this authority alone.
fn trusting(authority: &Authority) -> PaddockBuilder {
    let builder = paddock_e2e::paddock!();
    let file = builder.directory().join("authorities.pem");
    authority.write(&file);
    builder.env("SSL_CERT_FILE", &file.display().to_string())
}

#[test]
fn events_arrive_with_their_token() {
    let authority = Authority::called("one");
    let receiver = Receiver::start(authority.server());
    let builder = trusting(&authority);
    fs::write(builder.directory().join("token"), "s3cret\n").expect("a file");
    let port = receiver.port();
    let paddock = builder
        .config(&format!(
            "telemetry.events_url = 'https://localhost:{port}/events?from=here'\n\
             telemetry.events_token_file = 'token'"
        ))
        .start();
    wait_until(LIMIT, "a post", || !receiver.posts().is_empty());
    let post = receiver.posts().remove(0);
    let begins = format!("POST /events?from=here HTTP/1.1\r\nhost: localhost:{port}\r\n");
    assert!(post.head.starts_with(&begins), "{}", post.head);
    let token = "\r\nauthorization: Bearer s3cret\r\n";
    assert!(post.head.contains(token), "{}", post.head);
    let events: Vec<Value> = serde_json::from_slice(&post.body).expect("events");
    assert_eq!(events[0]["event"], "started");
    assert!(!paddock.stderr().contain("not taken"));
}

#[test]
fn traces_and_metrics_arrive_with_the_fields_of_the_environment() {
    let authority = Authority::called("one");
    let receiver = Receiver::start(authority.server());
    let mut paddock = trusting(&authority)
        .env(HEADERS, "Authorization=Basic%20s3cret%3D, x-team=a=b")
        .config(&format!(
            "telemetry.otlp_endpoint = 'https://127.0.0.1:{}/otlp'",
            receiver.port()
        ))
        .start();
    paddock.wait_ready();
    assert_eq!(paddock.get("/props").status, 200);
    assert_eq!(paddock.stop(Signal::TERM).code(), Some(0));
    let posts = receiver.posts();
    for signal in ["traces", "metrics"] {
        let line = format!("POST /otlp/v1/{signal} HTTP/1.1\r\n");
        let post = posts.iter().find(|post| post.head.starts_with(&line));
        let post = post.unwrap_or_else(|| panic!("no {signal}: {posts:#?}"));
        for field in [
            "authorization: Basic s3cret=",
            "x-team: a=b",
            "content-type: application/x-protobuf",
        ] {
            let line = format!("\r\n{field}\r\n");
            assert!(post.head.contains(&line), "{field}: {}", post.head);
        }
        assert!(!post.body.is_empty());
    }
    assert!(!paddock.stderr().contain("s3cret"));
    assert!(!paddock.stderr().contain("not taken"));
}

#[test]
fn fields_that_cannot_be_sent_are_said_at_the_start() {
    let builder = paddock_e2e::paddock!().env(HEADERS, "Bearer s3cret");
    assert_eq!(builder.check().code, Some(0), "nobody is sent them");
    let check = builder
        .config("telemetry.otlp_endpoint = 'https://collector/otlp'")
        .check();
    assert_eq!(check.code, Some(64));
    let said = &check.stderr;
    assert!(said.contains(HEADERS), "{said}");
    assert!(said.contains("field 1 has no ="), "{said}");
    assert!(!said.contains("s3cret"), "{said}");
}
