//! What SIGTERM does, which depends on what the server is doing.

use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::process::Signal;

use super::support::{Fake, get, post, stream_of, timed, wait_until, whole_of};

#[test]
fn it_kills_while_the_model_loads() {
    let mut fake = Fake::start(&["--fake-load-ms", "60000"]);
    fake.connect();
    fake.signal(Signal::TERM);
    assert_eq!(fake.exit_signal(), Some(15));
}

#[test]
fn it_ends_an_idle_server_and_its_idle_connections() {
    let mut fake = Fake::ready(&[]);
    let mut connection = fake.connect();
    connection.send(get("/health"));
    connection.answer();
    fake.signal(Signal::TERM);
    assert_eq!(connection.rest(), "");
    drop(connection);
    assert_eq!(fake.exit_code(), Some(0));
    // The socket's file is left behind.
    assert!(fake.socket().exists());
}

#[test]
fn it_waits_for_the_ping_of_a_stream() {
    let mut fake = Fake::ready(&["--fake-token-ms", "1000"]);
    let mut connection = fake.connect();
    let body = r#"{"prompt":"a","stream":true,"n_predict":100000,"sse_ping_interval":2}"#;
    connection.send(post("/completion", body));
    // The next token is a second away, so the signal finds the server waiting for it.
    connection.until("token 1 ");
    fake.signal(Signal::TERM);
    fake.stderr.wait_for("cleaning up before exit...");
    let path = fake.socket();
    wait_until("a refusal", || UnixStream::connect(&path).err());
    let time = timed(|| {
        let rest = connection.rest();
        // No last chunk: the stream is cut.
        assert!(rest.ends_with("\r\n3\r\n:\n\n\r\n"), "{rest}");
    });
    assert!(time > Duration::from_millis(1500), "{time:?}");
    assert_eq!(fake.exit_code(), Some(0));
}

#[test]
fn it_waits_for_the_client_of_a_stream_to_leave() {
    let mut fake = Fake::ready(&["--fake-token-ms", "1000"]);
    let mut connection = fake.connect();
    connection.send(stream_of(100_000));
    // The next token is a second away, so the signal finds the server waiting for it.
    connection.until("token 1 ");
    fake.signal(Signal::TERM);
    fake.assert_stays();
    drop(connection);
    assert_eq!(fake.exit_code(), Some(0));
}

#[test]
fn it_never_ends_a_request_that_waits_for_its_answer() {
    let mut fake = Fake::ready(&["--fake-token-ms", "1000"]);
    let mut waiting = fake.connect();
    waiting.send(whole_of(2));
    fake.wait_for_state("generations_running", 1);
    fake.signal(Signal::TERM);
    // Longer than its tokens take: they come no more.
    fake.assert_stays_for(Duration::from_millis(2500));
    fake.signal(Signal::TERM);
    assert_eq!(fake.exit_code(), Some(1));
    let log = fake.stderr.all();
    assert!(
        log.ends_with("Received second interrupt, terminating immediately."),
        "{log}"
    );
}

#[test]
fn it_can_be_ignored_at_any_time() {
    let mut fake = Fake::start(&["--fake-ignore-term", "--fake-load-ms", "200"]);
    fake.connect();
    fake.signal(Signal::TERM);
    fake.stderr.wait_for("listening on");
    fake.signal(Signal::TERM);
    fake.signal(Signal::TERM);
    assert_eq!(fake.get("/health").status(), 200);
    fake.signal(Signal::KILL);
    assert_eq!(fake.exit_signal(), Some(9));
}

#[test]
fn an_interrupt_is_the_same() {
    let mut fake = Fake::ready(&[]);
    fake.signal(Signal::INT);
    assert_eq!(fake.exit_code(), Some(0));
}
